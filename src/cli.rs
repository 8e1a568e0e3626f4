//! The command line: what the user asked for, what is printed, and the exit code.
//!
//! stdout is for data (epoch lines, plans, summaries), stderr for talk (warnings, errors, where files went).
//! Exit codes: 0 done; 1 the run or a file failed, or a model could not go on, after everything was written; 2 the request
//! was wrong; 130 interrupted. Where neither stream can be written any more, a run goes on, as its folder is what it is
//! for; what is for printing alone fails, unless its reader has closed the pipe.

mod apply;
mod check;
mod signals;

use std::ffi::OsString;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::backend;
use crate::config::{self, Overrides};
use crate::evidence::promises::broken;
use crate::experiment::Ending;
use crate::results::Ended;
use crate::run::{self, Finished, JobArray, Options, Part, PartEnd, Resumed};
use crate::run_dir;
use crate::spec::BackendName;
use crate::train::Stop;
use crate::ui::Style;
use crate::ui::print::{lost, say, say_bytes, tell};
use crate::words::{counted, in_shell, listed, printable, program};

const EXAMPLES: &str = "\
Examples:
  layerwise configs/figure56.toml                      train, draw, write runs/figure56-001
  layerwise configs/figure56.toml --backend wgpu       the same on a GPU
  layerwise configs/figure56.toml --set training.epochs=3 --set grid.sparsity.weight=[0,0.3]
  layerwise check configs/figure56.toml                what would be run, and how long it takes
  layerwise resume runs/figure56-001                   continue a run that was stopped or killed
  layerwise report runs/figure56-001                   draw everything again
  layerwise encode runs/figure56-001 --model 'β = 3' my-digits/ -o codes.npy
                                                       the activations of its hidden units for your pictures
  layerwise backends                                   what this build and machine offer

Exit codes: 0 done, 1 failed, 2 wrong request, 130 stopped by Ctrl-C, `q`, a signal, or a terminal that was closed.
It is 1, too, if the cost of a model became infinite or not a number. All results are written then, and the page says
which model it was, and why.

In a fresh clone, write `cargo run --` for `layerwise`.";

/// Sparse autoencoders and greedy layer-wise pretraining as reproducible experiments.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Train what a config says, draw, and write a run folder; `run` may be left out
    Run(RunArgs),
    /// Print every setting of a config, and the time and memory that it would take; trains for seconds to measure
    Check(PlanArgs),
    /// List the backends of this build and what this machine offers for each
    Backends,
    /// Compute for other machines, whose configs have run.backend = "remote"
    #[cfg(feature = "remote")]
    Serve {
        /// Compute with this backend
        #[arg(long, value_name = "NAME", value_parser = backend_name, default_value = "flex")]
        backend: BackendName,
        /// Listen there; 0.0.0.0:3000 is open to every machine that can reach this one, and nothing is encrypted
        #[arg(long, default_value = "127.0.0.1:3000")]
        address: String,
    },
    /// Continue a run that was stopped or killed, to the same results
    Resume(ResumeArgs),
    /// Show which models or parts of a run are done, running, failed or still to come
    Status {
        /// A run folder, such as runs/figure56-001
        run_dir: PathBuf,
    },
    /// Print a job array for Slurm that trains a config in parts, with the time and memory that it needs
    Slurm(SlurmArgs),
    /// Put several runs side by side: one page and one table of the results of their models
    Compare {
        /// Run folders, such as runs/figure56-001
        #[arg(required = true, value_name = "RUN_DIR")]
        runs: Vec<PathBuf>,
        /// Write compare.html and compare.csv to this folder
        #[arg(long, value_name = "DIR", default_value = "runs")]
        out: PathBuf,
    },
    /// Run several configs, resuming runs that were begun, and print one table of what they promise and what came out
    Promises(PromisesArgs),
    /// Draw figures, curves and page of a run again from its folder; train nothing
    Report {
        /// A run folder, such as runs/figure56-001
        run_dir: PathBuf,
    },
    /// Give inputs to a trained model and write their codes: the activations of its hidden units
    Encode(apply::EncodeArgs),
    /// Give inputs to a trained autoencoder and write what it makes of their codes
    Reconstruct(apply::ReconstructArgs),
    /// Give inputs to a trained classifier and write their classes with the probabilities
    Predict(apply::PredictArgs),
    /// Find the inputs that excite each hidden unit of a trained model most
    Top(apply::TopArgs),
    /// Write a trained model for another tool: PyTorch, SAELens or numpy
    Export(apply::ExportArgs),
    /// Print the JSON Schema of configs, for editors
    Schema,
    /// Print a completion script for a shell
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The experiment's config, such as configs/figure56.toml
    #[arg(value_name = "CONFIG", required_unless_present = "resume")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Continue the run in this folder, instead of a new run from a config; the same as `layerwise resume`
    #[arg(long, value_name = "RUN_DIR", conflicts_with_all = ["config", "backend", "out", "part"])]
    resume: Option<PathBuf>,
    /// Write the run to this new folder instead of the next free one in runs/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in the folder of --out if there is one, and begin it if there is none: for jobs that a
    /// scheduler starts again
    #[arg(long = "continue", requires = "out")]
    go_on: bool,
    /// Train this part of the models and no others, as in --part 3/16, into the folder of --out, which all parts share.
    /// When all parts are done, `layerwise resume` puts them together and draws what one process would have drawn
    #[arg(long, value_name = "N/OF", requires = "out", conflicts_with = "strict")]
    part: Option<Part>,
    #[command(flatten)]
    watch: WatchArgs,
}

/// Reads a whole number in a range.
fn whole(
    range: RangeInclusive<u16>,
) -> impl Fn(&str) -> Result<u16, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (low, high) = (range.start(), range.end());
        number.ok_or_else(|| format!("it must be a whole number from {low} to {high}"))
    }
}

/// More threads than any machine has cores.
const MOST_JOBS: u16 = 4096;

#[derive(Debug, Args)]
struct SlurmArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// How many parts [default: 16, or as many as there are models]
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX))]
    parts: Option<u16>,
    /// Compute threads of each part
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=MOST_JOBS))]
    jobs: u16,
    /// The run folder, on a disk that all machines share [default: runs/ and the name of the config]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    /// A run folder, such as runs/figure56-001
    run_dir: PathBuf,
    /// Raise the number of epochs, as in --set training.epochs=30
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    watch: WatchArgs,
}

#[derive(Debug, Args)]
struct PromisesArgs {
    /// Configs, such as configs/museum/*.toml
    #[arg(required = true, value_name = "CONFIG")]
    configs: Vec<PathBuf>,
    /// Write a run folder for each config, promises.csv and promises.md to this folder
    #[arg(long, value_name = "DIR", default_value = "runs/promises")]
    out: PathBuf,
    #[command(flatten)]
    watch: WatchArgs,
}

#[derive(Debug, Args)]
struct WatchArgs {
    /// Compute threads on a CPU backend; results do not depend on it [default: number of cores]
    #[arg(long, value_name = "N", value_parser = whole(1..=MOST_JOBS))]
    jobs: Option<u16>,
    /// Print nothing while training
    #[arg(long, conflicts_with = "plain")]
    quiet: bool,
    /// Print one line per epoch and model instead of the dashboard
    #[arg(long)]
    plain: bool,
    /// Exit with 1 if a promise of the config, an [[expect]], does not hold
    #[arg(long)]
    strict: bool,
}

impl WatchArgs {
    /// How to carry a run out, with an ear for signals from now on.
    fn options(&self) -> Options {
        let stop = Arc::new(Stop::default());
        signals::listen(&stop, self.style());
        Options {
            style: self.style(),
            jobs: self.jobs.map_or_else(cores, usize::from),
            stop,
        }
    }

    fn style(&self) -> Style {
        match (self.quiet, self.plain) {
            (true, _) => Style::Quiet,
            (_, true) => Style::Plain,
            _ => Style::Automatic,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[derive(Debug, Args)]
struct PlanArgs {
    /// The experiment's config, such as configs/figure56.toml
    config: PathBuf,
    #[command(flatten)]
    overrides: OverrideArgs,
}

#[derive(Debug, Args)]
struct OverrideArgs {
    /// Compute with this backend, whatever the config says
    #[arg(long, value_name = "NAME", value_parser = backend_name)]
    backend: Option<BackendName>,
    /// Override a key of the config, as in --set training.epochs=3; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl OverrideArgs {
    fn load(self, config: &Path) -> Result<config::Config, Failure> {
        let overrides = Overrides {
            set: self.set,
            backend: self.backend,
        };
        config::load(config, &overrides).map_err(|error| Failure::Request(error.to_string()))
    }
}

fn backend_name(text: &str) -> Result<BackendName, String> {
    BackendName::ALL
        .into_iter()
        .find(|name| name.as_str() == text)
        .ok_or_else(|| {
            let names = BackendName::ALL.map(BackendName::as_str).join(", ");
            format!("there is no such backend; it is one of: {names}")
        })
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// The request was wrong.
    Request(String),
    /// The request was right, but it could not be carried out.
    Work(String),
    /// Ended early, on request; what was computed is kept.
    Interrupted,
    /// There is nothing more to say: the exit code.
    Told(i32),
}

impl From<run::Failure> for Failure {
    fn from(failure: run::Failure) -> Self {
        match failure {
            run::Failure::Request(message) => Self::Request(message),
            run::Failure::Work(message) => Self::Work(message),
        }
    }
}

/// Parses the command line, does what it says, and tells the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let done = lone_sign(&args)
        .and_then(|()| mistyped_verb(&args))
        .and_then(|()| match Cli::try_parse_from(args) {
            Ok(Cli {
                verb: None,
                run: args,
            }) => carry_out(Verb::Run(args)),
            Ok(Cli {
                verb: Some(verb), ..
            }) => carry_out(verb),
            Err(error) => match option_for_key(&error) {
                Some(message) => Err(Failure::Request(message)),
                // clap prints help and version to stdout and exits with 0, usage errors to stderr with 2.
                None => match error.print() {
                    Err(lost) if !error.use_stderr() => all_printed(Some(&lost)),
                    _ => Err(Failure::Told(error.exit_code())),
                },
            },
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Request(message)) => failed(&message, 2),
        Err(Failure::Work(message)) => failed(&message, 1),
        Err(Failure::Interrupted) => ExitCode::from(signals::INTERRUPTED),
        Err(Failure::Told(code)) => ExitCode::from(u8::try_from(code).unwrap_or(2)),
    }
}

/// Starts the threads of parallel loops, before anything needs them.
fn threads() -> Result<(), Failure> {
    let started = rayon::ThreadPoolBuilder::new().build_global();
    started.map_err(|error| {
        Failure::Work(format!(
            "this system gives no threads ({error})\n  hint: end other programs, or raise the limit of processes"
        ))
    })
}

fn carry_out(verb: Verb) -> Result<(), Failure> {
    threads()?;
    match verb {
        Verb::Run(RunArgs {
            resume: Some(run_dir),
            overrides,
            watch,
            ..
        }) => resume(&run_dir, &overrides.set, &watch),
        Verb::Run(args) => train(args),
        Verb::Resume(args) => resume(&args.run_dir, &args.set, &args.watch),
        Verb::Promises(args) => promises(args),
        Verb::Report { run_dir } => report(&run_dir),
        Verb::Status { run_dir } => {
            for line in run::status(&run_dir)? {
                say(&line);
            }
            all_printed(lost())
        }
        Verb::Slurm(args) => slurm(args),
        Verb::Compare { runs, out } => {
            let page = run::compare(&runs, &out)?;
            tell(&format!("open {}", page.display()));
            Ok(())
        }
        Verb::Encode(args) => apply::encode(&args),
        Verb::Reconstruct(args) => apply::reconstruct(&args),
        Verb::Predict(args) => apply::predict(&args),
        Verb::Top(args) => apply::top(&args),
        Verb::Export(args) => apply::export(&args),
        Verb::Check(plan) => check::check(plan).and_then(|()| all_printed(lost())),
        Verb::Backends => {
            print_backends();
            all_printed(lost())
        }
        #[cfg(feature = "remote")]
        Verb::Serve { backend, address } => serve(backend, &address),
        Verb::Schema => {
            say(&format!("{:#}", config::schema()));
            all_printed(lost())
        }
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "layerwise", &mut script);
            say_bytes(&script);
            all_printed(lost())
        }
    }
}

/// Refuses a first word that is neither a command nor a file nor looks like one: clap would take it for a config and
/// complain of what comes next.
fn mistyped_verb(args: &[OsString]) -> Result<(), Failure> {
    let mut words = args.iter().skip(1).skip_while(|word| *word == "help");
    let Some(word) = words.next().and_then(|word| word.to_str()) else {
        return Ok(());
    };
    let mut command = Cli::command();
    command.build();
    let verbs: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let is_a_path = word.contains(['.', '/', '\\']) || Path::new(word).exists();
    if word.starts_with('-') || is_a_path || verbs.contains(&word) {
        return Ok(());
    }
    let config = Path::new("configs").join(word).with_extension("toml");
    let hint = match config::nearest(word, verbs.iter().copied()) {
        _ if config.exists() => format!("did you mean `layerwise {}`?", config.display()),
        Some(verb) => format!("did you mean `layerwise {verb}`?"),
        None => format!(
            "give the path of a config, such as configs/figure56.toml, or one of: {}",
            verbs.join(", ")
        ),
    };
    Err(Failure::Request(format!(
        "`{word}` is neither a command nor a file\n  hint: {hint}"
    )))
}

/// Spaces around the sign between a key and its value.
fn lone_sign(args: &[OsString]) -> Result<(), Failure> {
    if args.iter().any(|argument| argument == "=") {
        let hint = "write key and value without spaces: --set training.epochs=3";
        return Err(Failure::Request(format!(
            "`=` stands alone\n  hint: {hint}"
        )));
    }
    Ok(())
}

/// What to write in place of an option that is called like a key.
fn option_for_key(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let is_suggested = error.get(ContextKind::SuggestedArg).is_some();
    if error.kind() != ErrorKind::UnknownArgument || is_suggested {
        return None;
    }
    let name = argument.strip_prefix("--")?.split('=').next()?;
    let meant = config::meant_by_option(name)?;
    Some(format!(
        "there is no option `--{name}`\n  hint: keys of a config are changed with --set KEY=VALUE; {meant}"
    ))
}

/// Whether what is for printing alone was printed.
fn all_printed(lost: Option<&io::Error>) -> Result<(), Failure> {
    match lost {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Work(format!(
            "cannot write to stdout: {error}\n  hint: make room, or send it somewhere else"
        ))),
        _ => Ok(()),
    }
}

/// A new run, from a config.
fn train(args: RunArgs) -> Result<(), Failure> {
    // Without a config there is a run to resume: clap has made sure of it.
    let path = args.config.unwrap_or_default();
    let config = args.overrides.load(&path)?;
    let options = args.watch.options();
    if let (Some(out), Some(part)) = (args.out.as_deref(), args.part) {
        let end = run::train_part(&path, config, out, part, args.go_on, &options)?;
        return tell_part(&end);
    }
    match args.out.as_deref() {
        Some(out) if args.go_on && run::is_begun(out) => {
            let resumed = run::go_on(out, config, &options)?;
            tell_resumed(&resumed, out, &args.watch)
        }
        out => tell_end(&run::start(&path, config, out, &options)?, &args.watch),
    }
}

/// Prints a job array.
fn slurm(args: SlurmArgs) -> Result<(), Failure> {
    let PlanArgs {
        config: path,
        overrides,
    } = args.plan;
    let set = overrides.set.iter();
    let mut more: Vec<String> = set
        .flat_map(|set| ["--set".to_owned(), set.clone()])
        .collect();
    if let Some(backend) = overrides.backend {
        more.extend(["--backend".to_owned(), backend.as_str().to_owned()]);
    }
    let config = overrides.load(&path)?;
    let program = std::env::current_exe();
    let array = JobArray {
        program: program.unwrap_or_else(|_| PathBuf::from("layerwise")),
        config: path,
        out: args.out,
        parts: args.parts.map(usize::from),
        threads: usize::from(args.jobs),
        more,
    };
    say_bytes(run::job_array(&config, &array)?.as_bytes());
    all_printed(lost())
}

/// Tells how a part of a run ended.
fn tell_part(end: &PartEnd) -> Result<(), Failure> {
    let (part, path) = (end.part, end.path.display());
    let program = program();
    if matches!(end.ending, Ending::Stopped { .. }) {
        tell(&format!(
            "part {part} was stopped; the same command with --continue goes on with it"
        ));
        return Err(Failure::Interrupted);
    }
    if end.was_done {
        say(&format!(
            "part {part} of {path} is finished; nothing to train"
        ));
    }
    match end.missing.as_slice() {
        [] => tell(&format!(
            "all parts are there; put them together with: {program} resume {}",
            in_shell(&end.path)
        )),
        missing => {
            tell(&format!(
                "part {part} is finished; to come: {}; when all are there: {program} resume {}",
                listed(missing.iter().map(Part::to_string), 8),
                in_shell(&end.path)
            ));
        }
    }
    match end.ended.as_slice() {
        [] => Ok(()),
        ended => Err(Failure::Work(some_ended(ended, end.models))),
    }
}

fn resume(path: &Path, set: &[String], watch: &WatchArgs) -> Result<(), Failure> {
    let options = watch.options();
    tell_resumed(&run::resume(path, set, &options)?, path, watch)
}

fn tell_resumed(resumed: &Resumed, path: &Path, watch: &WatchArgs) -> Result<(), Failure> {
    match resumed {
        Resumed::WentOn(finished) => tell_end(finished, watch)?,
        Resumed::WasFinished { drawn_again: true } => {
            tell(&format!("drawn again: {}", path.display()));
        }
        Resumed::WasFinished { drawn_again: false } => say(&format!(
            "{} is finished; nothing to resume",
            path.display()
        )),
    }
    Ok(())
}

/// Runs several configs, and prints what became of their promises.
fn promises(args: PromisesArgs) -> Result<(), Failure> {
    let load = |path: PathBuf| {
        let config = config::load(&path, &Overrides::default());
        let config = config.map_err(|error| Failure::Request(error.to_string()))?;
        Ok((path, config))
    };
    let configs: Vec<_> = args
        .configs
        .into_iter()
        .map(load)
        .collect::<Result<_, Failure>>()?;
    let exhibits = run::exhibit(configs, &args.out, &args.watch.options())?;
    for line in exhibits.lines() {
        say(&line);
    }
    if exhibits.is_stopped {
        tell("stopped; the same command goes on");
        return Err(Failure::Interrupted);
    }
    tell(&format!(
        "the table is in {}",
        args.out.join("promises.md").display()
    ));
    match (exhibits.failed().as_slice(), exhibits.broken()) {
        ([], broken) if broken > 0 && args.watch.strict => Err(Failure::Work(format!(
            "{} not hold, or cannot be judged",
            match broken {
                1 => "a promise does".to_owned(),
                count => format!("{count} promises do"),
            }
        ))),
        ([], _) => all_printed(lost()),
        (failed, _) => Err(Failure::Work(format!(
            "{} failed: {}",
            counted(failed.len(), "config"),
            listed(failed, failed.len())
        ))),
    }
}

/// Tells how a run ended.
fn tell_end(finished: &Finished, watch: &WatchArgs) -> Result<(), Failure> {
    let (path, ended) = (&finished.path, finished.results.ended.as_slice());
    if matches!(finished.ending, Ending::Stopped { .. }) {
        for ended in ended {
            tell(&format!("warning: {ended}\n  hint: {}", ended.hint));
        }
        tell(&format!(
            "stopped; what was computed is in {}",
            path.display()
        ));
        tell(&format!(
            "go on with: {} resume {}",
            program(),
            in_shell(path)
        ));
        return Err(Failure::Interrupted);
    }
    if watch.style() != Style::Quiet {
        for line in &finished.lines {
            say(line);
        }
    }
    if let Some(error) = lost().filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        tell(&format!(
            "warning: cannot write to stdout: {error}; lines are missing there, the run folder has everything"
        ));
    }
    tell(&format!("open {}", path.join(run_dir::PAGE).display()));
    match ended {
        [] if watch.strict => match broken(&finished.results).as_slice() {
            [] => Ok(()),
            broken => Err(Failure::Work(format!(
                "{} not hold, or cannot be judged:\n  {}",
                match broken.len() {
                    1 => "a promise of the config does".to_owned(),
                    count => format!("{count} promises of the config do"),
                },
                broken.join("\n  ")
            ))),
        },
        [] => Ok(()),
        ended => Err(Failure::Work(some_ended(ended, finished.members))),
    }
}

/// Which of `members` models could not go on, and what to do about it.
fn some_ended(ended: &[Ended], members: usize) -> String {
    let mut hints: Vec<&str> = ended.iter().map(|ended| ended.hint.as_str()).collect();
    hints.dedup();
    let hints = hints.iter().map(|hint| format!("\n  hint: {hint}"));
    let hints = hints.collect::<Vec<_>>().concat();
    let lines: Vec<String> = ended.iter().map(|ended| format!("\n  {ended}")).collect();
    match ended {
        [only] if members == 1 => format!("{only}{hints}"),
        _ => format!(
            "{} of {} ended early:{}{hints}",
            ended.len(),
            counted(members, "model"),
            lines.concat(),
        ),
    }
}

fn failed(message: &str, code: u8) -> ExitCode {
    tell(&format!("error: {}", printable(message)));
    ExitCode::from(code)
}

fn report(path: &Path) -> Result<(), Failure> {
    for failure in run::draw_again(path)? {
        tell(&format!("warning: {failure}"));
    }
    tell(&format!("drawn again: {}", path.display()));
    Ok(())
}

#[cfg(feature = "remote")]
fn serve(backend: BackendName, address: &str) -> Result<(), Failure> {
    let backend = backend::open(backend).map_err(|error| Failure::Request(error.to_string()))?;
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        let address = listener.local_addr()?;
        tell(&format!(
            "{} computes for others: run.backend = \"remote\", run.address = \"{address}\"",
            backend.name
        ));
        Ok(listener)
    });
    let listener = listener.map_err(|error| {
        Failure::Work(format!(
            "cannot listen at {}: {error}\n  hint: give another --address",
            printable(address)
        ))
    })?;
    backend::remote::serve(&backend, listener).map_err(|error| Failure::Work(error.to_string()))
}

fn print_backends() {
    for offer in backend::offers() {
        match offer.result {
            Ok(backend) => {
                let note = match backend.kind {
                    backend::Kind::SoftwareGpu => {
                        ", a software renderer: correct but slow; flex is faster here"
                    }
                    backend::Kind::Cpu | backend::Kind::Gpu => "",
                };
                say(&format!(
                    "{:<8} ready: {}{note}",
                    offer.name.as_str(),
                    backend.description
                ));
            }
            Err(error) => {
                let text = error.to_string();
                let (reason, hint) = text.split_once("\n  hint: ").unwrap_or((&text, ""));
                say(&format!("{:<8} missing: {reason}", offer.name.as_str()));
                say(&format!("{:<8} fix: {hint}", ""));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_config_with_flags_is_the_main_form() {
        let cli = Cli::try_parse_from([
            "layerwise",
            "a.toml",
            "--backend",
            "wgpu",
            "--set",
            "x=1",
            "--set",
            "y=2",
        ])
        .expect("the main form");
        assert!(cli.verb.is_none());
        assert_eq!(cli.run.overrides.backend, Some(BackendName::Wgpu));
        assert_eq!(cli.run.overrides.set, ["x=1", "y=2"]);
    }
}
