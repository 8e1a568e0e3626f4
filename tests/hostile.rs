//! A run folder or a config that somebody else wrote can neither write outside of the output folder nor inject
//! into the page or the terminal; and no reader of a file panics, whatever bytes it holds.

mod common;

use std::fs;
use std::path::Path;

use common::{Dice, complete, folder, layerwise, manifest, transcript};
use layerwise::run_dir::{Records, RunDir};
use layerwise::spec::ExperimentName;
use layerwise::weights::Weights;
use proptest::prelude::*;
use serde_json::{Value, json};

const CONFIG: &str = r#"
experiment = "classifier"
[run]
seeds = [0]
[data]
train_images = 300
test_images = 100
[training]
epochs = 1
[pretraining]
epochs = 1
[conditions.D]
network.hidden_units = [8, 8]
pretraining.layers = "all"
"#;

fn finished(out: &Path) {
    complete(CONFIG, out, &[]);
}

fn unfinished(out: &Path) {
    finished(out);
    unrecorded(out);
    change(out, "manifest.json", "\"complete\"", "\"running\"");
}

fn change(out: &Path, file: &str, from: &str, to: &str) {
    let path = out.join(file);
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.contains(from), "{file}: {from}");
    fs::write(&path, text.replace(from, to)).expect("room");
}

#[test]
#[cfg(unix)]
fn links_in_a_run_folder_lead_no_writer_out_of_it() {
    use std::os::unix::fs::symlink;

    let (_parent, out) = folder();
    finished(&out);
    let run = out.display().to_string();
    let victim = out.with_file_name("victim");
    let untouched = || assert_eq!(fs::read(&victim).expect("still there"), b"precious");
    fs::write(&victim, "precious").expect("room");
    for name in ["index.html", ".index.html.draft", ".figure3.svg.draft"] {
        let _ = fs::remove_file(out.join(name));
        symlink(&victim, out.join(name)).expect("room");
    }
    let (code, _, stderr) = transcript(&["report", &run]);
    assert_eq!(code, 0, "{stderr}");
    untouched();
    assert!(
        !out.join("index.html").is_symlink(),
        "the page took the link's place"
    );

    change(&out, "manifest.json", "\"complete\"", "\"running\"");
    fs::remove_file(out.join(".lock")).expect("it was there");
    symlink(&victim, out.join(".lock")).expect("room");
    let (code, _, stderr) = transcript(&["resume", &run]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("its .lock is a link"), "{stderr}");
    untouched();

    fs::remove_file(out.join(".lock")).expect("it was there");
    let elsewhere = out.with_file_name("elsewhere");
    fs::rename(out.join("checkpoints"), &elsewhere).expect("it was there");
    symlink(&elsewhere, out.join("checkpoints")).expect("room");
    let before = fs::read_dir(&elsewhere).expect("a folder").count();
    let (code, _, stderr) = transcript(&["resume", &run]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("it is a link\n  hint: replace it by a folder"),
        "{stderr}"
    );
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), before);
}

/// Leaves out what the manifest tells of the other files, as before a run's end, so that they are read as they are.
fn unrecorded(out: &Path) {
    let mut manifest = manifest(out);
    manifest["files"] = serde_json::json!({});
    fs::write(
        out.join("manifest.json"),
        serde_json::to_string_pretty(&manifest).expect("JSON"),
    )
    .expect("room");
}

/// Files that are not those that the run wrote, sound or not, are refused and not drawn.
#[test]
fn files_of_another_run_are_not_drawn() {
    let (_parent, out) = folder();
    finished(&out);
    let other = out.with_file_name("other");
    let config = out.with_file_name("other.toml");
    fs::write(&config, CONFIG.replace("seeds = [0]", "seeds = [1]")).expect("room");
    let run = layerwise()
        .arg(&config)
        .args(["--quiet", "--out"])
        .arg(&other)
        .status();
    assert!(run.expect("the program starts").success());
    let page = fs::read(out.join("index.html")).expect("drawn");
    let refused = |file: &str| {
        let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
        assert_eq!(code, 1, "{file}: {stderr}");
        let says = format!(
            "{file}\" is not what this run wrote: its SHA-256 is not the one in manifest.json"
        );
        assert!(stderr.contains(&says), "{stderr}");
        assert!(
            stderr.contains("\n  hint: put the file back, or let `layerwise resume`"),
            "{stderr}"
        );
        assert_eq!(fs::read(out.join("index.html")).expect("drawn"), page);
    };
    for file in [
        "weights.safetensors",
        "unit-details.json",
        "results.json",
        "metrics.jsonl",
        "stages.jsonl",
        "layers.jsonl",
    ] {
        let whole = fs::read(out.join(file)).expect("there");
        fs::copy(other.join(file), out.join(file)).expect("room");
        refused(file);
        fs::write(out.join(file), whole).expect("room");
    }
    // A single number that is none, in a file that is otherwise sound.
    let file = "weights.safetensors";
    let mut bytes = fs::read(out.join(file)).expect("there");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(out.join(file), bytes).expect("room");
    refused(file);
    fs::remove_file(out.join(file)).expect("there");
    let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("is missing, but this run wrote it"),
        "{stderr}"
    );
}

#[test]
fn markup_in_a_run_folder_stays_text_on_the_page() {
    const NASTY: &str = "<script>alert(1)</script><img src=https://example.org/>";
    let (_parent, out) = folder();
    finished(&out);
    unrecorded(&out);
    let nasty = NASTY.replace('"', "\\\"");
    for file in [
        "results.json",
        "metrics.jsonl",
        "stages.jsonl",
        "layers.jsonl",
    ] {
        change(&out, file, "\"D\"", &format!("\"{nasty}\""));
    }
    change(
        &out,
        "manifest.json",
        "\"label\": \"D\"",
        &format!("\"label\": \"{nasty}\""),
    );
    change(
        &out,
        "manifest.json",
        "\"condition\": \"D\"",
        &format!("\"condition\": \"{nasty}\""),
    );
    let version = manifest(&out)["version"].as_str().expect("text").to_owned();
    change(&out, "manifest.json", &version, &nasty);
    // In a config only comments can hold it: names of conditions cannot.
    let config = fs::read_to_string(out.join("config.toml")).expect("text");
    fs::write(out.join("config.toml"), format!("# {NASTY}\n{config}")).expect("room");
    let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    for file in [
        "index.html",
        "figure3.svg",
        "costs.svg",
        "layers.svg",
        "stages.svg",
    ] {
        let text = fs::read_to_string(out.join(file)).expect("drawn");
        assert!(
            !text.contains("<script>alert") && !text.contains("<img src=http"),
            "{file}"
        );
    }
    let page = fs::read_to_string(out.join("index.html")).expect("drawn");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn escapes_in_a_run_folder_do_not_reach_the_terminal() {
    let (_parent, out) = folder();
    unfinished(&out);
    let run = out.display().to_string();
    let keep = |file: &str| fs::read(out.join(file)).expect("there");
    let whole = keep("manifest.json");
    for (from, to) in [
        ("\"label\": \"D\"", "\"label\": \"\\u001b[2J\""),
        ("\"name\": \"mine\"", "\"name\": \"\\u001b]0;x\\u0007\""),
        (
            "\"experiment\": \"classifier\"",
            "\"experiment\": \"\\u001b[31m\"",
        ),
        ("\"running\"", "\"\\u009b31m\""),
    ] {
        change(&out, "manifest.json", from, to);
        for verb in ["report", "resume"] {
            let (code, stdout, stderr) = transcript(&[verb, &run]);
            assert_eq!(code, 1, "{stderr}");
            let talk = stdout + &stderr;
            assert!(
                !talk.replace('\n', "").contains(char::is_control),
                "{talk:?}"
            );
            assert!(talk.contains("manifest.json"), "{talk}");
        }
        fs::write(out.join("manifest.json"), &whole).expect("room");
    }
    for file in ["results.json", "metrics.jsonl"] {
        let before = keep(file);
        fs::write(out.join(file), "{\"experiment\": \"\u{1b}[31m\u{202e}\"}").expect("room");
        let (code, stdout, stderr) = transcript(&["report", &run]);
        assert_eq!(code, 1, "{stderr}");
        let talk = stdout + &stderr;
        assert!(
            !talk.replace('\n', "").contains(char::is_control),
            "{talk:?}"
        );
        assert!(talk.contains(file), "{talk}");
        fs::write(out.join(file), before).expect("room");
    }
}

/// A checkpoint whose hash is right and whose content somebody changed: an error in words, never a panic.
#[test]
fn forged_checkpoints_are_errors() {
    let (_parent, out) = folder();
    unfinished(&out);
    let run = out.display().to_string();
    let folder = out.join("checkpoints");
    let newest = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .max()
        .expect("it was written");
    let whole = fs::read(&newest).expect("there");
    // Two lines, then the content, whose facts are JSON within JSON.
    let content = whole
        .splitn(3, |&byte| byte == b'\n')
        .nth(2)
        .expect("a content");
    let swapped = |from: &str, to: &str| -> Vec<u8> {
        let text: String = content.iter().map(|&byte| char::from(byte)).collect();
        assert!(text.contains(from) && to.len() <= from.len(), "{from}");
        // Of equal length, so that the rest of the file stays where its header says; blanks do no harm in JSON.
        let text = text.replacen(from, &format!("{to:<width$}", width = from.len()), 1);
        text.chars().map(|character| character as u8).collect()
    };
    let seconds = {
        let text = String::from_utf8_lossy(content);
        let start = text.find(r#"\"seconds\":["#).expect("a fact") + r#"\"seconds\":"#.len();
        let end = start + text[start..].find("}]").expect("its end") + 2;
        text[start..end].to_owned()
    };
    for (from, to) in [
        (r#"\"updates\":"#, r#"\"updatez\":"#),
        (seconds.as_str(), "[]"),
        (
            r#"encoders/shapes\":[[1,784,8]"#,
            r#"encoders/shapes\":[[1,784,7]"#,
        ),
        (r#"training/epochs_done\":1"#, r#"training/epochs_donf\":1"#),
    ] {
        fs::write(
            &newest,
            layerwise::run::checkpoint::framed(&swapped(from, to)),
        )
        .expect("room");
        let (code, _, stderr) = transcript(&["resume", &run]);
        assert_eq!(code, 1, "{from}: {stderr}");
        assert!(
            stderr.contains("the checkpoint of D is that of another task"),
            "{from}: {stderr}"
        );
        change(&out, "manifest.json", "\"failed\"", "\"stopped\"");
    }
}

/// Every file that `report` reads, cut and changed at many places: an error with the file's name or a page, nothing
/// else.
#[test]
fn damaged_run_folders_are_errors_that_name_the_file_or_are_drawn() {
    let (_parent, out) = folder();
    finished(&out);
    unrecorded(&out);
    let run = RunDir::open(&out).expect("a run");
    let mut dice = Dice(7);
    let (mut drawn, mut refused) = (0, 0);
    for file in [
        "manifest.json",
        "results.json",
        "metrics.jsonl",
        "stages.jsonl",
        "layers.jsonl",
        "weights.safetensors",
    ] {
        let whole = fs::read(out.join(file)).expect("there");
        for _ in 0..10 {
            let mut bytes = whole.clone();
            let at = dice.below(bytes.len() as u64) as usize;
            match dice.below(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => drop(bytes.splice(at..at, b"999999999999".iter().copied())),
                _ => drop(bytes.remove(at)),
            }
            fs::write(out.join(file), &bytes).expect("room");
            match layerwise::evidence::everything(&run) {
                Ok(_) => drawn += 1,
                Err(error) => {
                    refused += 1;
                    let text = error.to_string();
                    assert!(!text.is_empty() && text.len() < 2000, "{text}");
                }
            }
        }
        fs::write(out.join(file), whole).expect("room");
    }
    assert!(
        drawn > 2 && refused > 25,
        "{drawn} drawn, {refused} refused"
    );
}

/// The places of all numbers in `value`, as JSON pointers.
fn places_of_numbers(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Number(_) => into.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places_of_numbers(item, &format!("{at}/{index}"), into);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places_of_numbers(field, &format!("{at}/{name}"), into);
            }
        }
        _ => {}
    }
}

/// Numbers of every file that is read, replaced by what no run writes: an error, or a page.
#[test]
fn numbers_that_cannot_be_are_errors_or_drawn() {
    let odd = [
        json!(0),
        json!(-1e6),
        json!(1e300),
        json!(1e15 as u64),
        json!(1_u64 << 63),
        json!(u64::MAX),
    ];
    let (_parent, out) = folder();
    finished(&out);
    unrecorded(&out);
    let run = RunDir::open(&out).expect("a run");
    let mut dice = Dice(11);
    for file in [
        "manifest.json",
        "results.json",
        "metrics.jsonl",
        "stages.jsonl",
        "layers.jsonl",
        "unit-details.json",
    ] {
        let whole = fs::read_to_string(out.join(file)).expect("there");
        let by_line = file.ends_with("jsonl");
        for _ in 0..12 {
            let mut lines: Vec<String> = if by_line {
                whole.lines().map(str::to_owned).collect()
            } else {
                vec![whole.clone()]
            };
            let line = dice.below(lines.len() as u64) as usize;
            let mut value: Value = serde_json::from_str(&lines[line]).expect("JSON");
            let mut places = Vec::new();
            places_of_numbers(&value, "", &mut places);
            let place = &places[dice.below(places.len() as u64) as usize];
            let number = &odd[dice.below(odd.len() as u64) as usize];
            *value.pointer_mut(place).expect("its place") = number.clone();
            lines[line] = value.to_string();
            fs::write(out.join(file), lines.join("\n") + "\n").expect("room");
            println!("{file} {place} = {number}");
            if let Err(error) = layerwise::evidence::everything(&run) {
                assert!(error.to_string().len() < 2000, "{error}");
            }
        }
        fs::write(out.join(file), whole).expect("room");
    }
    layerwise::evidence::everything(&run).expect("nothing is wrong with it");
}

/// Sizes in the manifest that the weights do not have: told before anything is made of such a size.
#[test]
fn sizes_that_the_weights_do_not_have_are_errors() {
    let (_parent, out) = folder();
    finished(&out);
    unrecorded(&out);
    let input = out.with_file_name("one.npy");
    fs::write(&input, npy([1, 784])).expect("room");
    let whole = fs::read_to_string(out.join("manifest.json")).expect("there");
    for (place, number) in [
        ("/data/frame/picture/height", json!(0)),
        ("/data/frame/picture/height", json!(14)),
        ("/data/frame/picture/height", json!(56)),
        ("/data/frame/picture/height", json!(1_u64 << 40)),
        ("/data/frame/picture/channels", json!(u64::MAX)),
        ("/data/classes", json!(10_u64.pow(17))),
        ("/data/classes", json!(11)),
    ] {
        let mut manifest: Value = serde_json::from_str(&whole).expect("JSON");
        *manifest.pointer_mut(place).expect("its place") = number.clone();
        fs::write(out.join("manifest.json"), manifest.to_string()).expect("room");
        let (run, input) = (out.display().to_string(), input.display().to_string());
        let (code, _, stderr) = transcript(&["predict", &run, &input]);
        assert_eq!(code, 1, "{place} = {number}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
        let (code, _, stderr) = transcript(&["report", &run]);
        assert_eq!(code, 1, "{place} = {number}: {stderr}");
    }
    fs::write(out.join("manifest.json"), whole).expect("room");
    fs::remove_file(out.join("examples.safetensors")).expect("it was there");
    let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
}

/// A `.npy` file of zeros, bytes.
fn npy([rows, columns]: [usize; 2]) -> Vec<u8> {
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, {columns})}}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + rows * columns, 0);
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_weights(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Weights::from_safetensors(&bytes).is_err() || bytes.len() >= 8);
    }

    #[test]
    fn a_header_that_promises_more_than_there_is_costs_no_memory(length: u64, rest in "[ -~]{0,80}") {
        let bytes = [&length.to_le_bytes()[..], rest.as_bytes()].concat();
        let read = Weights::from_safetensors(&bytes);
        prop_assert!(read.is_err() || length as usize <= rest.len());
    }

    #[test]
    fn arbitrary_lines_are_records_or_errors(lines in prop::collection::vec("[ -~]{0,60}", 0..6)) {
        let (_parent, out) = folder();
        let run = RunDir::create(Some(&out), "x").expect("room");
        fs::write(out.join("metrics.jsonl"), lines.join("\n")).expect("room");
        if let Err(error) = Records::read(&run, ExperimentName::Autoencoder) {
            prop_assert!(error.to_string().contains("metrics.jsonl"), "{error}");
        }
    }
}
