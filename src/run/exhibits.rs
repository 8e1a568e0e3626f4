//! Several configs, run one after the other into a folder for each, and what they promise in one table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Failure, Finished, Options, Resumed, go_on, is_begun, start};
use crate::config::Config;
use crate::evidence::promises::{self, Kept};
use crate::experiment::Ending;
use crate::results::Results;
use crate::run_dir::{self, RunDir, write_whole};
use crate::ui::print::tell;
use crate::words::{counted, duration, in_columns};

const HEAD: [&str; 7] = [
    "exhibit",
    "time",
    "quantity",
    "published",
    "promised",
    "here",
    "verdict",
];

/// What became of several configs.
#[derive(Debug, Default)]
pub struct Exhibits {
    of: Vec<Exhibit>,
    /// Whether a run was stopped by request: it and those after it are not among these.
    pub is_stopped: bool,
}

/// What became of one config.
#[derive(Debug)]
struct Exhibit {
    name: String,
    /// Of all that was done for it, also before it was gone on with.
    seconds: f64,
    /// Compute threads of its last run.
    jobs: usize,
    kept: Vec<Kept>,
    /// Why it did not come to its end, or that some of its models did not.
    failure: Option<String>,
}

/// Runs each config into the folder of its name in `out`, or goes on with the run there, and writes what came of their
/// promises to `promises.csv` and `promises.md`. A config that fails is told of, and the others are run.
///
/// # Errors
///
/// Returns [`Failure`] if two configs have one name, or the tables cannot be written.
pub fn exhibit(
    configs: Vec<(PathBuf, Config)>,
    out: &Path,
    options: &Options,
) -> Result<Exhibits, Failure> {
    for (at, (path, config)) in configs.iter().enumerate() {
        let mut before = configs[..at].iter();
        if let Some((other, _)) = before.find(|(_, other)| other.name == config.name) {
            return Err(Failure::Request(format!(
                "{} and {} are both called {}, and each run has the folder of its name\n  hint: give them to two commands, with another `--out` each",
                other.display(),
                path.display(),
                config.name
            )));
        }
    }
    let mut exhibits = Exhibits::default();
    for (path, config) in configs {
        let (name, folder) = (config.name.clone(), out.join(&config.name));
        let ended = run(&path, config, &folder, options).and_then(|ending| {
            if let Ending::Stopped { .. } = ending {
                return Ok(None);
            }
            read(&name, &folder).map(Some)
        });
        match ended {
            Ok(Some(exhibit)) => exhibits.of.push(exhibit),
            Ok(None) => {
                exhibits.is_stopped = true;
                break;
            }
            Err(failure) => {
                tell(&format!("error: {name}: {failure}"));
                exhibits.of.push(Exhibit {
                    name,
                    seconds: 0.0,
                    jobs: options.jobs,
                    kept: Vec::new(),
                    failure: Some("the run did not come to its end".to_owned()),
                });
            }
        }
    }
    let write = |file: &str, bytes: &[u8]| {
        let path = out.join(file);
        write_whole(&path, bytes)
            .map_err(|error| Failure::Work(format!("cannot write {}: {error}", path.display())))
    };
    if !exhibits.of.is_empty() {
        write("promises.csv", &exhibits.csv().map_err(Failure::work)?)?;
        write("promises.md", exhibits.markdown().as_bytes())?;
    }
    Ok(exhibits)
}

fn run(path: &Path, config: Config, out: &Path, options: &Options) -> Result<Ending, Failure> {
    let ending = |finished: Finished| finished.ending;
    if !is_begun(out) {
        return start(path, config, Some(out), options).map(ending);
    }
    Ok(match go_on(out, config, options)? {
        Resumed::WentOn(finished) => ending(finished),
        Resumed::WasFinished { .. } => Ending::Complete,
    })
}

/// What came of the finished run in the folder `path`.
fn read(name: &str, path: &Path) -> Result<Exhibit, Failure> {
    let dir = RunDir::open(path).map_err(Failure::work)?;
    let manifest = dir.manifest().map_err(Failure::work)?;
    let results: Results = dir.read_json(run_dir::RESULTS).map_err(Failure::work)?;
    let models = manifest.members.len();
    let ended = results.ended.len();
    Ok(Exhibit {
        name: name.to_owned(),
        seconds: manifest.seconds.loading + manifest.seconds.training + manifest.seconds.drawing,
        jobs: manifest.jobs,
        kept: promises::of(&results),
        failure: (ended > 0)
            .then(|| format!("{ended} of {} ended early", counted(models, "model"))),
    })
}

impl Exhibit {
    /// A row for each promise, under [`HEAD`]; a config that makes none has one, too.
    fn rows(&self) -> Vec<[String; 7]> {
        let row = |[quantity, published, promised, here, verdict]: [&str; 5]| {
            let time = duration(Duration::from_secs_f64(self.seconds));
            let cells = [
                &self.name, &time, quantity, published, promised, here, verdict,
            ];
            cells.map(str::to_owned)
        };
        let promise = |of: &Kept| {
            let published = of.published.as_deref().unwrap_or_default();
            row([&of.that, published, &of.promised, &of.here, of.verdict()])
        };
        let failure = self
            .failure
            .iter()
            .map(|reason| row([reason, "", "", "", "failed"]));
        let mut rows: Vec<_> = self.kept.iter().map(promise).chain(failure).collect();
        if rows.is_empty() {
            rows.push(row(["it promises nothing", "", "", "", ""]));
        }
        rows
    }
}

impl Exhibits {
    /// How many promises do not hold, or cannot be judged.
    #[must_use]
    pub fn broken(&self) -> usize {
        let kept = self.of.iter().flat_map(|exhibit| &exhibit.kept);
        kept.filter(|of| of.holds != Some(true)).count()
    }

    /// The names of those that failed, or of whose models some did.
    #[must_use]
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.of.iter().filter(|exhibit| exhibit.failure.is_some());
        failed.map(|exhibit| exhibit.name.as_str()).collect()
    }

    /// The table, its columns in line, and a last line that counts.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        for exhibit in &self.of {
            // The name and the time stand in the first row of each alone.
            rows.extend(exhibit.rows().into_iter().enumerate().map(|(at, mut row)| {
                if at > 0 {
                    row[..2].fill(String::new());
                }
                row.to_vec()
            }));
        }
        let mut lines = in_columns(&rows);
        lines.push(self.counts());
        lines
    }

    fn counts(&self) -> String {
        let promises = self
            .of
            .iter()
            .map(|exhibit| exhibit.kept.len())
            .sum::<usize>();
        let seconds = self.of.iter().map(|exhibit| exhibit.seconds).sum();
        format!(
            "{} of {} of {} held; {}",
            promises - self.broken(),
            counted(promises, "promise"),
            counted(self.of.len(), "config"),
            duration(Duration::from_secs_f64(seconds))
        )
    }

    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let [exhibit, _, rest @ ..] = HEAD;
        let head = [exhibit, "seconds", "threads"].into_iter().chain(rest);
        table.write_record(head.chain(["source"]))?;
        for exhibit in &self.of {
            let sources = exhibit.kept.iter().map(|of| of.source.as_str());
            for (row, source) in exhibit.rows().iter().zip(sources.chain(["", ""])) {
                let measured = [format!("{:.1}", exhibit.seconds), exhibit.jobs.to_string()];
                let cells = row[..1].iter().chain(&measured).chain(&row[2..]);
                table.write_record(cells.map(String::as_str).chain([source]))?;
            }
        }
        table
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    fn markdown(&self) -> String {
        let line = |cells: [String; 7]| {
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            format!("| {} |\n", cells.join(" | "))
        };
        let rows = self.of.iter().flat_map(Exhibit::rows).map(line);
        let head = line(HEAD.map(str::to_owned));
        let rule = line(HEAD.map(|_| "---".to_owned()));
        [head, rule]
            .into_iter()
            .chain(rows)
            .chain([format!("\n{}\n", self.counts())])
            .collect()
    }
}
