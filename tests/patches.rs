//! Runs on patches of photographs, and on rows behind transforms.

mod common;

use std::fs;

use common::{
    assert_page_is_drawn_again, assert_same_files, complete, folder, json, manifest, read, run,
    transcript,
};
use layerwise::data::Transforms;
use layerwise::weights::Weights;

const CONFIG: &str = r#"
experiment = "autoencoder"
[data]
dir = "data/photographs"
source = { patches = { side = 8, train = 2000, test = 300 } }
transforms = ["remove_row_mean", { whiten = { epsilon = 0.1 } }]
[autoencoder]
hidden_units = 9
encoder_weight = { normal_variance = "1/64" }
[training]
epochs = 2
[[expect]]
that = "orientation selectivity"
within = [0, 1]
source = "its definition"
"#;

const FILES: [&str; 3] = [
    "transforms.safetensors",
    "weights.safetensors",
    "results.json",
];

#[test]
fn a_run_on_patches_keeps_its_transforms_and_does_not_depend_on_threads() {
    let [(_one, one), (_two, two)] = [folder(), folder()];
    let stdout = complete(CONFIG, &one, &["--jobs", "1"]);
    complete(CONFIG, &two, &["--jobs", "2"]);
    assert_same_files(&one, &two, FILES);
    assert!(
        stdout.contains("Of 1 promise of the config, 1 holds here."),
        "{stdout}"
    );

    let kept =
        Weights::from_safetensors(&fs::read(one.join(FILES[0])).expect("there")).expect("ours");
    let transforms = Transforms::from_weights(&kept).expect("transforms");
    assert_eq!((transforms.fits(64), transforms.outputs(64)), (true, 64));
    let data = &manifest(&one)["data"];
    assert_eq!(data["files"].as_array().expect("photographs").len(), 7);
    assert_eq!(
        (data["train_images"].as_u64(), data["classes"].as_u64()),
        (Some(2000), Some(0))
    );

    let units = json(&one, "results.json");
    let units = &units["members"][0]["evidence"]["orientation"]["units"];
    assert_eq!(units.as_array().map(Vec::len), Some(9), "{units}");
    let page = read(&one, "index.html");
    assert!(page.contains("<h2>Edges</h2>") && page.contains("id=\"orientationselectivity\""));
    assert!(
        !page.contains("Which picture each grid shows"),
        "no digits in patches"
    );
    assert_page_is_drawn_again(&one);
}

#[test]
fn transforms_that_are_lost_are_made_again() {
    let (_parent, out) = folder();
    complete(CONFIG, &out, &[]);
    let before: Vec<Vec<u8>> = FILES
        .iter()
        .map(|file| fs::read(out.join(file)).expect("there"))
        .collect();
    fs::remove_file(out.join(FILES[0])).expect("there");
    let (code, _, stderr) = transcript(&["resume", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    for (file, before) in FILES.iter().zip(before) {
        assert!(fs::read(out.join(file)).expect("there") == before, "{file}");
    }
}

#[test]
fn what_cannot_be_transformed_is_refused_before_training() {
    let (_parent, out) = folder();
    let pca = "data.transforms=[{ whiten = { method = \"pca\", components = 65 } }]";
    let large = "data.source={ patches = { side = 256, border = 30 } }";
    for (set, said) in [
        (
            pca,
            "error: data.transforms: whiten.components is 65, but a row has 64 inputs there\n  hint: write \"all\", or 64 at most\n",
        ),
        (
            large,
            "chelsea.png: is 300×451 pixels, but a patch of 256×256 that keeps 30 pixels from the edges needs 316 each way\n  \
             hint: lower side or border in data.source, or take the photograph away\n",
        ),
        (
            "data.dir=src",
            "src: has no photographs\n  hint: put pictures there",
        ),
    ] {
        let (code, _, stderr) = run(CONFIG, &out, &["--set", set]);
        assert!(code != 0 && stderr.contains(said), "{set}: {stderr}");
        assert!(!out.exists());
    }
}

#[test]
fn digits_can_be_whitened_and_asked_for_their_orientation() {
    let (_parent, out) = folder();
    let config = r#"
        experiment = "autoencoder"
        [data]
        train_images = 500
        test_images = 100
        transforms = [{ standardise = { over = "all" } }]
        [autoencoder]
        hidden_units = 4
        decoder_activation = "sigmoid"
        [training]
        epochs = 1
        [report]
        evidence = ["orientation"]
    "#;
    let (code, _, stderr) = run(config, &out, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("warning: inputs go from -0.4"), "{stderr}");
    let units = json(&out, "results.json");
    assert_eq!(
        units["members"][0]["evidence"]["orientation"]["units"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}
