//! The verbs that put a trained model to use: `encode`, `reconstruct`, `predict`, `top` and `export`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Failure, all_printed};
use crate::apply::export::{Tool, cannot_write};
use crate::apply::files::{Format, Table, Writer, written};
use crate::apply::inputs::{Given, Reading};
use crate::apply::pictures::Shown;
use crate::apply::top::Exciting;
use crate::apply::{Output, Trained};
use crate::report::{Photo, Strip, contact_sheet};
use crate::run_dir::{self, write_whole, write_whole_by};
use crate::spec::Fit;
use crate::ui::print::{Stdout, lost, say_bytes, tell};
use crate::words::{counted, printable};

/// As many units, or inputs with their reconstructions, have room on a sheet.
const MOST_STRIPS: usize = 100;

#[derive(Debug, Args)]
pub struct ModelArgs {
    /// A run folder, such as runs/figure56-001
    run_dir: PathBuf,
    /// Which model of the run, as in --model "D, seed 0"; the condition or the seed alone where that is enough
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

#[derive(Debug, Args)]
pub struct InputArgs {
    #[command(flatten)]
    of: ModelArgs,
    /// An image, a folder of images, an IDX file (packed with gzip or not), an array (.npy, .npz, .safetensors), or - for
    /// stdin
    input: PathBuf,
    #[command(flatten)]
    how: ReadingArgs,
}

#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// The array to take from a file that holds several
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Accept pictures of another size, or in colour: crop scales a picture until it fills the size and cuts off what
    /// stands over, resize scales height and width each to the size
    #[arg(long, value_name = "HOW")]
    fit: Option<FitArg>,
    /// Take white for black and black for white
    #[arg(long)]
    invert: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FitArg {
    Crop,
    Resize,
}

#[derive(Debug, Args)]
pub struct EncodeArgs {
    #[command(flatten)]
    input: InputArgs,
    /// The hidden layer, counted from 1 at the input [default: the highest]
    #[arg(long, value_name = "K")]
    layer: Option<usize>,
    /// Write to this file: .csv, .npy or .safetensors [default: CSV on stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ReconstructArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Write to this file: .png for pictures side by side, or .csv, .npy, .safetensors [default: CSV on stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Write to this file: .csv, or .npy or .safetensors for the probabilities alone [default: CSV on stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    #[command(flatten)]
    of: ModelArgs,
    /// Inputs to look through, as of `encode` [default: the test part of the run's own data]
    input: Option<PathBuf>,
    #[command(flatten)]
    how: ReadingArgs,
    /// Look through the training part of the run's own data instead
    #[arg(long, conflicts_with = "input")]
    train: bool,
    /// How many inputs for each unit
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 9, value_parser = super::whole(1..=1000))]
    count: u16,
    /// The hidden layer, counted from 1 at the input [default: the highest]
    #[arg(long, value_name = "K")]
    layer: Option<usize>,
    /// Write to this file: .png for a sheet of pictures, or .csv [default: CSV on stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    of: ModelArgs,
    /// pytorch: a state dict of nn.Linear layers, in one .safetensors file; sae-lens: a folder; npz: arrays for numpy
    #[arg(long, value_name = "FORMAT")]
    format: FormatArg,
    /// The file, or for sae-lens the folder, to write
    #[arg(short, long, value_name = "FILE_OR_DIR")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Pytorch,
    SaeLens,
    Npz,
}

/// The codes of inputs.
pub fn encode(args: &EncodeArgs) -> Result<(), Failure> {
    let trained = open(&args.input.of)?;
    let output = Output::Codes(args.layer);
    let width = trained.width(output)?;
    let target = Target::of(args.out.as_deref(), &trained, Some(&args.input.input), &[])?;
    let given = read(&trained, &args.input)?;
    rows(
        &trained,
        &given,
        output,
        &target,
        "codes",
        named("unit", width),
    )
}

/// What an autoencoder makes of inputs, in the numbers of the data before any transform.
pub fn reconstruct(args: &ReconstructArgs) -> Result<(), Failure> {
    let trained = open(&args.input.of)?;
    let output = Output::Reconstructions;
    trained.width(output)?;
    let target = Target::of(
        args.out.as_deref(),
        &trained,
        Some(&args.input.input),
        &["png"],
    )?;
    let given = read(&trained, &args.input)?;
    let Target::Picture(path) = target else {
        return rows(
            &trained,
            &given,
            output,
            &target,
            "reconstructions",
            named("input", given.raw.inputs()),
        );
    };
    let shown = given.images.count().min(MOST_STRIPS);
    let pairs = Shown::new(&given)?.pairs(&trained, shown);
    let pairs = pairs.map_err(|lost| Failure::Work(lost.to_string()))?;
    let strips = given.names.iter().zip(pairs).map(|(name, photos)| Strip {
        title: name.clone(),
        photos,
    });
    sheet(path, &strips.collect::<Vec<_>>())?;
    if shown < given.images.count() {
        tell(&format!(
            "note: the sheet shows the first {shown} of {} inputs; a .npy file has room for all",
            given.images.count()
        ));
    }
    Ok(())
}

/// The classes of inputs.
pub fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let trained = open(&args.input.of)?;
    let output = Output::Probabilities;
    let width = trained.width(output)?;
    let target = Target::of(args.out.as_deref(), &trained, Some(&args.input.input), &[])?;
    let given = read(&trained, &args.input)?;
    rows(
        &trained,
        &given,
        output,
        &target,
        "probabilities",
        (0..width)
            .map(|class| format!("probability of {}", trained.class(class)))
            .collect(),
    )
}

/// The inputs that excite each unit most.
pub fn top(args: &TopArgs) -> Result<(), Failure> {
    let trained = open(&args.of)?;
    trained.width(Output::Codes(args.layer))?;
    let target = Target::of(
        args.out.as_deref(),
        &trained,
        args.input.as_deref(),
        &["png"],
    )?;
    if let Target::Rows(path, Format::Npy | Format::Safetensors) = target {
        return Err(ending(path, "csv or .png"));
    }
    let given = match &args.input {
        Some(input) => read_from(&trained, input, &args.how)?,
        None => trained.own(args.train)?,
    };
    let top = trained.top(&given.images, args.layer, usize::from(args.count));
    let top = top.map_err(|lost| Failure::Work(lost.to_string()))?;
    if let Target::Picture(path) = target {
        let shown = Shown::new(&given)?;
        let strip = |(unit, best): (usize, &Vec<Exciting>)| Strip {
            title: match best.as_slice() {
                [] => format!("unit {unit}: nothing excites it"),
                _ => format!("unit {unit}"),
            },
            photos: best
                .iter()
                .map(|of| Photo {
                    caption: format!("{}: {:.3}", given.names[of.index], of.activation),
                    ..shown.photo(of.index)
                })
                .collect(),
        };
        let strips: Vec<Strip> = top
            .iter()
            .enumerate()
            .take(MOST_STRIPS)
            .map(strip)
            .collect();
        sheet(path, &strips)?;
        if top.len() > MOST_STRIPS {
            tell(&format!(
                "note: the sheet shows the first {MOST_STRIPS} of {}; a .csv file has room for all",
                counted(top.len(), "unit")
            ));
        }
        return Ok(());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |record: [&str; 5]| table.write_record(record).expect("room in memory");
    write(["unit", "rank", "input", "label", "activation"]);
    for (unit, best) in top.iter().enumerate() {
        for (rank, of) in best.iter().enumerate() {
            let label = given
                .labels
                .as_ref()
                .map(|labels| trained.class(usize::from(labels[of.index])));
            write([
                &unit.to_string(),
                &(rank + 1).to_string(),
                &given.names[of.index],
                &label.unwrap_or_default(),
                &written(of.activation),
            ]);
        }
    }
    let table = table.into_inner().expect("room in memory");
    if let Target::Rows(path, _) = target {
        write_whole(path, &table).map_err(|error| cannot_write(path, &error))?;
        wrote(path);
        return Ok(());
    }
    say_bytes(&table);
    all_printed(lost())
}

/// The model for another tool.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let trained = open(&args.of)?;
    let tool = match args.format {
        FormatArg::Pytorch => Tool::Pytorch,
        FormatArg::SaeLens => Tool::SaeLens,
        FormatArg::Npz => Tool::Numpy,
    };
    Target::is_free(&args.out, &trained, None)?;
    let exported = trained.export(tool, &args.out)?;
    for file in &exported.files {
        wrote(file);
    }
    say_bytes(exported.python.as_bytes());
    all_printed(lost())
}

fn open(of: &ModelArgs) -> Result<Trained, Failure> {
    let trained = Trained::open(&of.run_dir, of.model.as_deref())?;
    if let Some(remark) = trained.remark() {
        tell(&format!("note: {}", printable(&remark)));
    }
    Ok(trained)
}

fn read(trained: &Trained, args: &InputArgs) -> Result<Given, Failure> {
    read_from(trained, &args.input, &args.how)
}

fn read_from(trained: &Trained, input: &Path, how: &ReadingArgs) -> Result<Given, Failure> {
    let given = trained.read(
        input,
        &Reading {
            key: how.key.clone(),
            fit: match how.fit {
                None => Fit::Refuse,
                Some(FitArg::Crop) => Fit::Crop,
                Some(FitArg::Resize) => Fit::Resize,
            },
            invert: how.invert,
        },
    )?;
    for warning in &given.warnings {
        tell(&format!("warning: {}", printable(warning)));
    }
    Ok(given)
}

/// `unit 0`, `unit 1`, …
fn named(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{what} {at}")).collect()
}

/// Where rows go.
enum Target<'a> {
    /// CSV on stdout.
    Stdout,
    Rows(&'a Path, Format),
    Picture(&'a Path),
}

impl<'a> Target<'a> {
    /// What `out` is to become, by its ending: rows, or with one of `pictures` a picture.
    fn of(
        out: Option<&'a Path>,
        trained: &Trained,
        input: Option<&Path>,
        pictures: &[&str],
    ) -> Result<Self, Failure> {
        let Some(path) = out else {
            return Ok(Self::Stdout);
        };
        let is_picture = path.extension().is_some_and(|ending| {
            pictures
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        });
        let target = match Format::of(path) {
            Some(format) => Self::Rows(path, format),
            None if is_picture => Self::Picture(path),
            None => {
                let known = [&["csv", "npy"], pictures].concat();
                return Err(ending(
                    path,
                    &format!("{} or .safetensors", known.join(", .")),
                ));
            }
        };
        Self::is_free(path, trained, input)?;
        Ok(target)
    }

    /// Refuses to write over the input, a file of the run, or what is no file.
    fn is_free(path: &Path, trained: &Trained, input: Option<&Path>) -> Result<(), Failure> {
        let Ok(found) = path.canonicalize() else {
            return Ok(());
        };
        let is_input =
            input.is_some_and(|input| input.canonicalize().is_ok_and(|input| input == found));
        let run = trained.dir.path().canonicalize().ok();
        let is_of_run = found.parent() == run.as_deref() || run.as_deref() == Some(&*found);
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        let is_run_s_own = trained.manifest.files.contains_key(&*name)
            || [run_dir::MANIFEST, run_dir::CONFIG].contains(&&*name)
            || found.is_dir();
        let what = if is_input {
            "this is the input"
        } else if is_of_run && is_run_s_own {
            "this belongs to the run"
        } else if !found.is_file() && !found.is_dir() {
            "this is a device or a pipe, not a file"
        } else {
            return Ok(());
        };
        Err(Failure::Request(format!(
            "{}: {what}, and it stays as it is\n  hint: give another name with `-o`",
            path.display()
        )))
    }
}

fn ending(path: &Path, known: &str) -> Failure {
    Failure::Request(format!(
        "{}: the ending of a file's name chooses the format, and this one chooses none\n  hint: end the name in .{known}",
        path.display()
    ))
}

fn wrote(path: &Path) {
    tell(&format!("wrote {}", path.display()));
}

fn sheet(path: &Path, strips: &[Strip]) -> Result<(), Failure> {
    let png = contact_sheet(strips).map_err(|error| Failure::Work(error.to_string()))?;
    write_whole(path, &png).map_err(|error| cannot_write(path, &error))?;
    wrote(path);
    Ok(())
}

/// Writes a row for each input.
fn rows(
    trained: &Trained,
    given: &Given,
    output: Output,
    target: &Target,
    name: &'static str,
    columns: Vec<String>,
) -> Result<(), Failure> {
    let table = Table {
        name,
        rows: given.images.count(),
        columns,
        about: format!("{name} of {}", trained.member.label),
    };
    match target {
        Target::Stdout => match fill(trained, given, output, Format::Csv, &table, Stdout) {
            Ok(()) => all_printed(lost()),
            Err(error) => all_printed(Some(&error)),
        },
        Target::Rows(path, format) => {
            write_whole_by(path, |file| {
                fill(trained, given, output, *format, &table, file)
            })
            .map_err(|error| cannot_write(path, &error))?;
            wrote(path);
            Ok(())
        }
        Target::Picture(_) => Ok(()),
    }
}

fn fill(
    trained: &Trained,
    given: &Given,
    output: Output,
    format: Format,
    table: &Table,
    out: impl Write + Send,
) -> io::Result<()> {
    let is_class = output == Output::Probabilities;
    let heads: &[&str] = if is_class {
        &["input", "class"]
    } else {
        &["input"]
    };
    let mut writer = Writer::new(format, table, heads, BufWriter::with_capacity(1 << 16, out))?;
    let width = trained.width(output).unwrap_or(1);
    let mut names = given.names.iter().enumerate();
    trained.each(&given.images, output, |batch| {
        for (row, (at, name)) in batch.chunks_exact(width).zip(&mut names) {
            match output {
                Output::Codes(_) => writer.row(&[name], row)?,
                Output::Probabilities => writer.row(&[name, &trained.class(highest(row))], row)?,
                Output::Reconstructions if trained.transforms.is_identity() => {
                    writer.row(&[name], row)?;
                }
                Output::Reconstructions => {
                    let row = trained.transforms.back(&given.raw.row(at), row);
                    writer.row(&[name], &row)?;
                }
            }
        }
        Ok(())
    })?;
    writer.finish()
}

/// The place of the largest number, of equals the first.
fn highest(row: &[f32]) -> usize {
    let mut best = 0;
    for (at, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = at;
        }
    }
    best
}
