//! What a config promises is held against what comes out; and runs side by side, gone on with, or begun.

mod common;

use std::fs;
use std::path::Path;

use common::{bytes, folder, json, manifest, read, run, transcript};
use layerwise::evidence::promises::Kept;
use layerwise::results::Results;

const TINY: &str = r#"
experiment = "autoencoder"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
train_images = 200
test_images = 50
[training]
epochs = 1
[grid]
"autoencoder.hidden_units" = [6, 4]
"#;

const PROMISES: &str = r#"
[[expect]]
that = "dead units"
within = [0, 6]
source = "there are no more units"
[[expect]]
that = "test error"
at = { "autoencoder.hidden_units" = 4 }
value = -1
tolerance = 0.5
over = "median"
source = "a slip"
[[expect]]
that = "regime"
at = { "autoencoder.hidden_units" = 6 }
is = "whole digits"
source = "nobody"
[[expect]]
that = "active units"
at = { "autoencoder.hidden_units" = 6 }
minus = { "autoencoder.hidden_units" = 4 }
within = [-4, 6]
source = "what is possible"
[[expect]]
that = "test error"
over = "median"
seeds = [3, 4, 5]
within = [0, 1000]
source = "seeds that were not run"
"#;

#[test]
fn each_promise_is_judged_by_itself() {
    let (_parent, out) = folder();
    let (code, stdout, stderr) = run(&format!("{TINY}{PROMISES}"), &out, &[]);
    assert_eq!(code, 0, "{stderr}");
    let results: Results = serde_json::from_value(json(&out, "results.json")).expect("ours");
    let kept: Vec<Kept> = results.of_run("promises").expect("there are promises");
    let verdicts: Vec<Option<bool>> = kept.iter().map(|of| of.holds).collect();
    assert_eq!(
        verdicts,
        [Some(true), Some(false), Some(false), Some(true), None]
    );
    assert_eq!(kept[0].that, "dead units of all conditions");
    assert_eq!(kept[1].promised, "-1 ± 0.5, median");
    assert_eq!(kept[1].that, "test error of “hidden units = 4”");
    assert_eq!(
        kept[3].that,
        "active units of “hidden units = 6” minus that of “hidden units = 4”"
    );
    assert!(
        stdout.contains("\ntest error of “hidden units = 4”: promised -1 ± 0.5, median, here "),
        "{stdout}"
    );
    assert!(stdout.contains(": does not hold (a slip)\n"), "{stdout}");
    let page = read(&out, "index.html");
    let summary = "Of 5 promises of the config, 2 hold here, 2 do not, and 1 cannot be judged.";
    assert!(page.contains(summary));
    assert!(
        stdout.contains(summary) && !stdout.contains(": holds ("),
        "{stdout}"
    );
}

#[test]
fn strict_runs_fail_where_a_promise_does_not_hold_and_leave_everything() {
    let (_parent, out) = folder();
    let (code, _, stderr) = run(&format!("{TINY}{PROMISES}"), &out, &["--strict"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains(
            "error: 3 promises of the config do not hold, or cannot be judged:\n  test error of "
        ),
        "{stderr}"
    );
    assert_eq!(json(&out, "manifest.json")["status"], "complete");
    let (_parent, out) = folder();
    let kept = "[[expect]]\nthat = \"dead units\"\nwithin = [0, 6]\nsource = \"arithmetic\"\n";
    let (code, _, stderr) = run(&format!("{TINY}{kept}"), &out, &["--strict"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_promise_of_what_a_run_does_not_have_is_refused_before_it_begins() {
    let (_parent, out) = folder();
    let promise = |lines: &str| format!("{TINY}[[expect]]\n{lines}\nsource = \"x\"\n");
    let (code, _, stderr) = run(&promise("that = \"test eror\"\nwithin = [0, 1]"), &out, &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("did you mean \"test error\"?"), "{stderr}");
    let nowhere =
        "that = \"test error\"\nat = { \"autoencoder.hidden_units\" = 5 }\nwithin = [0, 1]";
    let (code, _, stderr) = run(&promise(nowhere), &out, &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("is 5, which is no value of the grid"),
        "{stderr}"
    );
    for (lines, told) in [
        ("that = \"regime\"\nis = \"stroke\"", "which it never is"),
        ("that = \"regime\"\nwithin = [0, 1]", "but it is a word"),
        (
            "that = \"test error\"\nis = \"strokes\"",
            "but it is a number",
        ),
        (
            "that = \"test error\"\nepoch = 9\nwithin = [0, 1]",
            "but the last is 1",
        ),
        (
            "that = \"regime at L0 16\"\nis = \"strokes\"",
            "[[expect]] of \"regime at L0 16\", but regime is a word, and nothing lies between two words",
        ),
        (
            "that = \"test eror at L0 16\"\nwithin = [0, 1]",
            "did you mean \"test error\"?",
        ),
        (
            "that = \"test error at L0 0\"\nwithin = [0, 1]",
            "which is no quantity of this run",
        ),
        (
            "that = \"test error at L0 16\"\nwithin = [0, 1]",
            "asks for a number of active units of conditions that have one strength",
        ),
    ] {
        let (code, _, stderr) = run(&promise(lines), &out, &[]);
        assert_eq!(code, 2, "{lines}: {stderr}");
        assert!(stderr.contains(told), "{lines}: {stderr}");
        let place = format!(".toml:{}: [[expect]]", TINY.lines().count() + 2);
        assert!(stderr.contains(&place), "{lines}: {stderr}");
    }
    let evidence = format!("{TINY}[report]\nevidence = [\"costs\", \"grid\"]\n");
    let (code, _, stderr) = run(&evidence, &out, &[]);
    assert_eq!(code, 2, "{stderr}");
    let told = format!(
        ".toml:{}: `report.evidence` holds \"grid\", which is no piece of evidence",
        TINY.lines().count() + 2
    );
    assert!(stderr.contains(&told), "{stderr}");
    assert!(!out.exists());
}

#[test]
fn what_the_command_line_changed_is_said_beside_the_promises() {
    let (_parent, out) = folder();
    let kept = "[[expect]]\nthat = \"dead units\"\nwithin = [0, 6]\nsource = \"arithmetic\"\n";
    let set = ["--set", "training.learning_rate=0.001"];
    let (code, stdout, stderr) = run(&format!("{TINY}{kept}"), &out, &set);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.ends_with("as it is written; this run changed training.learning_rate\n"),
        "{stdout}"
    );
    assert!(read(&out, "index.html").contains("this run changed training.learning_rate."));
}

#[test]
fn tables_have_a_column_for_the_grid_and_runs_compare() {
    let (parent, out) = folder();
    let (code, _, stderr) = run(TINY, &out, &[]);
    assert_eq!(code, 0, "{stderr}");
    let table = read(&out, "metrics.csv");
    let mut lines = table.lines();
    let head = lines.next().expect("a head");
    assert!(head.contains(",seed,autoencoder.hidden_units,"), "{head}");
    let first = lines.next().expect("a line");
    assert!(first.contains(",hidden units = 6,3,6,"), "{first}");

    let other = out.with_file_name("other");
    let (code, _, stderr) = run(
        "experiment = \"classifier\"\n[data]\ndir = \"data/mnist\"\ntrain_images = 200\ntest_images = 50\n[run]\nseeds = [0]\n[training]\nepochs = 1\n[conditions.A]\n[conditions.B]\nnetwork.hidden_units = [5]\n",
        &other,
        &[],
    );
    assert_eq!(code, 0, "{stderr}");
    let [one, two, into] =
        [&out, &other, &parent.path().to_owned()].map(|path| path.display().to_string());
    let (code, _, stderr) = transcript(&["compare", &one, &two, "--out", &into]);
    assert_eq!(code, 0, "{stderr}");
    let table = fs::read_to_string(parent.path().join("compare.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + 4 + 2, "a line for each model");
    assert!(table.starts_with("run,condition,seed,autoencoder.hidden_units,"));
    let page = fs::read_to_string(parent.path().join("compare.html")).expect("a page");
    assert!(page.contains("hidden units = 6") && page.contains("other"));
}

#[test]
fn continue_begins_a_run_or_goes_on_with_it() {
    let (_parent, out) = folder();
    let (code, _, stderr) = run(TINY, &out, &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    let weights = bytes(&out, "weights.safetensors");
    // Nothing is left to do.
    let (code, stdout, stderr) = run(TINY, &out, &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("is finished; nothing to resume"),
        "{stdout}"
    );
    // More epochs are more to do; another batch size is another run.
    let (code, _, stderr) = run(TINY, &out, &["--continue", "--set", "training.epochs=2"]);
    assert_eq!(code, 0, "{stderr}");
    assert_ne!(bytes(&out, "weights.safetensors"), weights);
    let (code, _, stderr) = run(
        TINY,
        &out,
        &["--continue", "--set", "training.batch_size=7"],
    );
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("`training.batch_size` was 100 and is 7"),
        "{stderr}"
    );
}

#[test]
fn the_quick_configs_keep_their_promises() {
    for config in [
        "configs/figure56-quick.toml",
        "configs/pretraining-quick.toml",
    ] {
        let (_parent, out) = folder();
        let out = out.display().to_string();
        let (code, _, stderr) = transcript(&[config, "--strict", "--quiet", "--out", &out]);
        assert_eq!(code, 0, "{config}: {stderr}");
    }
}

/// Configs of these names and texts beside the run folder.
fn configs<const N: usize>(out: &Path, of: [(&str, &str); N]) -> [String; N] {
    of.map(|(name, text)| {
        let path = out.with_file_name(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("room");
        fs::write(&path, text).expect("room");
        path.display().to_string()
    })
}

#[test]
fn several_configs_run_into_one_table() {
    let (_parent, out) = folder();
    let kept = "[[expect]]\nthat = \"dead units\"\nat = { \"autoencoder.hidden_units\" = 4 }\nwithin = [0, 4]\npublished = 2\nsource = \"Ann | 2001\"\n";
    let broken = "[[expect]]\nthat = \"regime\"\nis = \"strokes\"\npublished = \"pen strokes\"\nsource = \"Ann 2002\"\n";
    let [first, second, third] = configs(
        &out,
        [
            ("first.toml", &format!("{TINY}{kept}{broken}")),
            ("second.toml", TINY),
            // The run that is begun below is of another plan.
            ("third.toml", TINY),
        ],
    );
    let folder = out.display().to_string();
    let other = out.join("third").display().to_string();
    let set = ["--set", "training.batch_size=7"];
    let (code, _, stderr) =
        transcript(&[&[&*third, "--quiet", "--out", &other], &set[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    // Times are those of the day.
    let timeless = |text: &str| text.replace("1 s", "0 s").replace("2 s", "0 s");
    let args = ["promises", &first, &second, "--quiet", "--out", &folder];
    let (code, stdout, stderr) = transcript(&args);
    let (first_run, table) = (out.join("first"), out.join("promises.md"));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        timeless(&stdout),
        "\
exhibit  time  quantity                          published    promised            here     verdict
first    0 s   dead units of “hidden units = 4”  2            0 to 4, each seed   0        holds
               regime of all conditions          pen strokes  strokes, each seed  unclear  does not hold
second   0 s   it promises nothing
1 of 2 promises of 2 configs held; 0 s
"
    );
    assert_eq!(
        stderr,
        format!(
            "run folder: {}\nrun folder: {}\nthe table is in {}\n",
            first_run.display(),
            out.join("second").display(),
            table.display()
        )
    );
    let page = read(&first_run, "index.html");
    assert!(page.contains("<th scope=\"col\">published</th>") && page.contains(">pen strokes<"));
    let in_markdown = fs::read_to_string(table).expect("it was written");
    assert!(
        timeless(&in_markdown).contains(
            "\n| first | 0 s | regime of all conditions | pen strokes | strokes, each seed | unclear | does not hold |\n"
        ),
        "{in_markdown}"
    );
    let in_csv = read(&out, "promises.csv");
    let mut lines = in_csv.lines();
    assert_eq!(
        lines.next(),
        Some("exhibit,seconds,threads,quantity,published,promised,here,verdict,source")
    );
    let line = lines.next().expect("a promise");
    assert!(
        line.ends_with(
            ",dead units of “hidden units = 4”,2,\"0 to 4, each seed\",0,holds,Ann | 2001"
        ),
        "{line}"
    );

    // What is there is not run again.
    let weights = bytes(&first_run, "weights.safetensors");
    let begun = manifest(&first_run)["started"].clone();
    let (code, again, stderr) = transcript(&[&args[..], &["--strict"]].concat());
    assert_eq!((code, again), (1, stdout));
    assert!(
        stderr.ends_with("\nerror: a promise does not hold, or cannot be judged\n"),
        "{stderr}"
    );
    assert_eq!(manifest(&first_run)["started"], begun);
    assert!(bytes(&first_run, "weights.safetensors") == weights);

    // One that cannot be run does not keep the others from it.
    let (code, stdout, stderr) =
        transcript(&["promises", &third, &first, "--quiet", "--out", &folder]);
    assert_eq!(code, 1);
    assert!(
        timeless(&stdout).contains("\nthird    0 s   the run did not come to its end ")
            && timeless(&stdout).contains("\nfirst    0 s "),
        "{stdout}"
    );
    assert!(
        stderr.contains("error: third: ")
            && stderr.contains("`training.batch_size` was 7 and is 100\n  hint: "),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("\nerror: 1 config failed: third\n"),
        "{stderr}"
    );
}

#[test]
fn two_configs_of_one_name_have_no_room_in_one_folder() {
    let (_parent, out) = folder();
    let [one, other] = configs(&out, [("mine.toml", TINY), ("short/mine.toml", TINY)]);
    let folder = out.display().to_string();
    let (code, stdout, stderr) = transcript(&["promises", &one, &other, "--out", &folder]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(
        stderr,
        format!(
            "error: {one} and {other} are both called mine, and each run has the folder of its name\n  hint: give them to two commands, with another `--out` each\n"
        )
    );
    assert!(!out.exists());
}
