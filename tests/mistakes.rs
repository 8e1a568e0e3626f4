//! The mistakes that users make, and what they are told: whole transcripts, in `mistakes.txt`, to be read aloud.
//!
//! Each says what is wrong, where, what is allowed and what to do. After a wanted change of words,
//! `LAYERWISE_BLESS=1 cargo test --test mistakes` writes the file anew; read what changed.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{idx, layerwise, transcript};
use npyz::WriterBuilder;

const PAIRS: [&str; 2] = ["train", "t10k"];

/// Files to make mistakes with, in a folder that transcripts call `{tmp}`.
fn prepare(tmp: &Path) {
    prepare_data(tmp);
    prepare_runs(tmp);
    prepare_inputs(tmp);
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("inside")).expect("room");
    fs::write(path, bytes).expect("room");
}

fn prepare_data(tmp: &Path) {
    let write = |name: &str, bytes: &[u8]| write(&tmp.join(name), bytes);
    let data =
        |folder: &str, images: &dyn Fn(&str) -> Vec<u8>, labels: &dyn Fn(&str) -> Vec<u8>| {
            for pair in PAIRS {
                write(&format!("{folder}/{pair}-images-idx3-ubyte"), &images(pair));
                write(&format!("{folder}/{pair}-labels-idx1-ubyte"), &labels(pair));
            }
        };
    let images = |count: u32| idx(&[count, 4, 4], &vec![7; 16 * count as usize]);
    let labels = |count: u32| -> Vec<u8> {
        let digits: Vec<u8> = (0..count).map(|at| (at % 10) as u8).collect();
        idx(&[count], &digits)
    };
    data("swapped", &|_| labels(20), &|_| images(20));
    data("cut", &|_| images(20)[..100].to_vec(), &|_| labels(20));
    data("text", &|_| b"hello".to_vec(), &|_| labels(20));
    data("uneven", &|_| images(20), &|_| labels(19));
    data("many", &|_| images(20), &|_| idx(&[20], &[0; 25]));
    data(
        "gzip",
        &|_| [&[0x1f, 0x8b][..], b"nonsense"].concat(),
        &|_| labels(20),
    );
    fs::create_dir_all(tmp.join("empty")).expect("room");
    write("above/raw/train-images-idx3-ubyte", b"");
    data(
        "header",
        &|_| {
            let mut damaged = images(20);
            damaged[7] ^= 4;
            damaged
        },
        &|_| labels(20),
    );
}

fn prepare_runs(tmp: &Path) {
    let write = |name: &str, bytes: &[u8]| write(&tmp.join(name), bytes);
    write("notoml.toml", b"experiment = figure56\n");
    write("latin.toml", b"# caf\xe9\n");
    write("noexperiment.toml", b"[training]\nepochs = 3\n");
    write(
        "twice.toml",
        b"experiment = \"autoencoder\"\n[training]\nepochs = 3\nepochs = 4\n",
    );
    write("oldname.toml", b"experiment = \"pretraining\"\n");
    write(
        "unused.toml",
        b"experiment = \"autoencoder\"\n[training]\noptimizer = { adam = { momentum = 0.9 } }\n",
    );
    write(
        "tiny.toml",
        b"experiment = \"autoencoder\"\n[data]\ntrain_images = 100\ntest_images = 50\n[autoencoder]\nhidden_units = 4\n[training]\nepochs = 1\n",
    );
    write(
        "classes.toml",
        b"experiment = \"classifier\"\n[run]\nseeds = [0]\n[data]\ntrain_images = 100\ntest_images = 50\n[network]\nhidden_units = [5, 4]\n[training]\nepochs = 1\n",
    );
    let run = |run: &str, config: &str, more: &[&str]| {
        let ended = layerwise()
            .arg(tmp.join(config))
            .args(["--quiet", "--out"])
            .arg(tmp.join(run))
            .args(more)
            .output();
        assert!(ended.expect("the program starts").status.success());
    };
    for of_tiny in ["run", "damaged", "newer", "cutweights", "noresults"] {
        run(of_tiny, "tiny.toml", &[]);
    }
    run("classes", "classes.toml", &[]);
    run(
        "pair",
        "tiny.toml",
        &["--set", "grid.sparsity.weight=[0, 3]"],
    );
    write("damaged/manifest.json", b"{\"format\": 1");
    let manifest = fs::read_to_string(tmp.join("newer/manifest.json")).expect("text");
    let ours = format!("\"format\": {}", layerwise::run_dir::FORMAT);
    let newer = manifest.replace(&ours, "\"format\": 99");
    write("newer/manifest.json", newer.as_bytes());
    fs::remove_file(tmp.join("noresults/results.json")).expect("there");
    let weights = fs::read(tmp.join("cutweights/weights.safetensors")).expect("there");
    write("cutweights/weights.safetensors", &weights[..500]);
}

fn prepare_inputs(tmp: &Path) {
    let write = |name: &str, bytes: &[u8]| write(&tmp.join(name), bytes);
    let picture = |name: &str, [width, height]: [u32; 2], pixel: fn(u32, u32) -> [u8; 3]| {
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb(pixel(x, y)));
        picture.save(tmp.join(name)).expect("room");
    };
    picture("digit.png", [28, 28], |x, _| {
        [if x == 14 { 255 } else { 0 }; 3]
    });
    picture("wide.png", [40, 30], |_, _| [0; 3]);
    picture("coloured.png", [28, 28], |x, y| [x as u8, y as u8, 0]);
    write("five.npy", &npy(2, 5));
    write("flat.npy", &npy(2, 784));
    write("cut.npy", &npy(3, 784)[..5000]);
    let mut numbers = npy(2, 5);
    let last = numbers.len() - 4;
    numbers[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    write("nan.npy", &numbers);
    for (name, side) in [("a", 4), ("b", 5)] {
        let picture = tmp.join(format!("pictures/{name}.png"));
        fs::create_dir_all(tmp.join("pictures")).expect("room");
        image::GrayImage::new(side, side)
            .save(picture)
            .expect("room");
    }
    let mut archive = npyz::npz::NpzWriter::create(tmp.join("two.npz")).expect("room");
    for name in ["a", "b"] {
        let array = archive.array::<f32>(name, zip::write::FileOptions::default());
        let mut array = array
            .expect("room")
            .default_dtype()
            .shape(&[1, 784])
            .begin_nd()
            .expect("room");
        array.extend([0.0; 784]).expect("room");
        array.finish().expect("room");
    }
}

/// An array of zeros.
fn npy(rows: u64, columns: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let options = npyz::WriteOptions::<f32>::new().default_dtype();
    let mut writer = options
        .shape(&[rows, columns])
        .writer(&mut file)
        .begin_nd()
        .expect("memory");
    writer
        .extend(vec![0.0; (rows * columns) as usize])
        .expect("memory");
    writer.finish().expect("memory");
    file
}

/// The words of a command line; single quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("never empty").push(other),
        }
    }
    words
}

/// A command with its exit code, and its output line by line: `> ` on stdout, `| ` on stderr.
fn shown(command: &str, tmp: &str) -> String {
    let args: Vec<String> = words(command)
        .into_iter()
        .map(|word| word.replace("{tmp}", tmp))
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (code, stdout, stderr) = transcript(&args);
    let mut text = format!("$ layerwise {command}\nexit {code}\n");
    for (mark, stream) in [('>', &stdout), ('|', &stderr)] {
        let stream = stream
            .replace(tmp, "{tmp}")
            .replace(env!("CARGO_MANIFEST_DIR"), "{here}");
        for line in stream.lines() {
            let _ = writeln!(text, "{}", format!("{mark} {line}").trim_end());
        }
    }
    text
}

#[test]
fn every_mistake_is_told_as_the_transcripts_say() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let tmp = parent.path();
    prepare(tmp);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes.txt");
    let expected = fs::read_to_string(&file).expect("it is shipped");
    let (head, blocks) = expected.split_once("\n\n").expect("a head and transcripts");
    let mut found = head.to_owned() + "\n";
    let mut count = 0;
    for block in blocks.split("\n\n") {
        let command = block
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("$ layerwise "));
        let command = command.expect("a command");
        let text = shown(command, &tmp.display().to_string());
        assert!(!text.contains("exit 0\n"), "this is no mistake:\n{text}");
        assert!(!text.contains("panicked"), "{text}");
        found.push('\n');
        found.push_str(&text);
        count += 1;
    }
    assert!(count >= 40, "{count}");
    if std::env::var_os("LAYERWISE_BLESS").is_some() {
        fs::write(&file, &found).expect("room");
        return;
    }
    let expected = expected.trim_end().lines();
    for (line, (is, was)) in found.trim_end().lines().zip(expected).enumerate() {
        assert_eq!(is, was, "line {} of mistakes.txt", line + 1);
    }
}
