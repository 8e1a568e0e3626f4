//! What a page shows of inputs and of single units, of data of every kind, as a run leaves it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Dice, assert_page_is_drawn_again, bytes, complete, folder, json, read, results};
use safetensors::SafeTensors;

/// A file of numpy's: `type_name` as in `<f4`.
fn npy(path: &Path, type_name: &str, shape: &[usize], data: &[u8]) {
    let shape: Vec<String> = shape.iter().map(|side| format!("{side},")).collect();
    let shape = shape.concat();
    let mut header =
        format!("{{'descr': '{type_name}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a short header");
    let magic = b"\x93NUMPY\x01\x00".iter().copied();
    let file = magic.chain(length.to_le_bytes()).chain(header.bytes());
    fs::write(path, file.chain(data.iter().copied()).collect::<Vec<u8>>()).expect("room");
}

/// A folder of colour pictures of noise, and as many of them to test on.
fn coloured(beside: &Path, count: usize, side: usize, classes: Option<usize>) -> PathBuf {
    let dir = beside.with_file_name("data");
    fs::create_dir_all(&dir).expect("room");
    let mut dice = Dice(7);
    for part in ["train", "test"] {
        let pixels = (0..count * side * side * 3).map(|_| dice.below(256) as u8);
        let (shape, pixels) = ([count, side, side, 3], pixels.collect::<Vec<u8>>());
        npy(&dir.join(format!("{part}.npy")), "|u1", &shape, &pixels);
        if let Some(classes) = classes {
            let labels: Vec<u8> = (0..count).map(|at| (at % classes) as u8).collect();
            npy(
                &dir.join(format!("{part}_labels.npy")),
                "|u1",
                &[count],
                &labels,
            );
        }
    }
    dir
}

fn config(dir: &Path, rest: &str) -> String {
    format!(
        "experiment = \"autoencoder\"\n[data]\ndir = '{}'\n{rest}",
        dir.display()
    )
}

#[test]
fn colour_pictures_are_drawn_in_colour_and_disturbed_ones_are_shown() {
    let (_parent, out) = folder();
    let dir = coloured(&out, 60, 6, Some(3));
    let rest = "[run]\nseeds = [3, 5]\n[autoencoder]\nhidden_units = 7\n[training]\nepochs = 1\nbatch_size = 20\n\
        [conditions.plain]\n[conditions.masked]\nautoencoder.corruption = { masking = { fraction = 0.5 } }\n";
    complete(&config(&dir, rest), &out, &[]);
    let page = read(&out, "index.html");
    for words in [
        "What becomes of an input",
        "disturbed as in its training",
        "Units in detail",
        "Do seeds find the same units?",
        "class=\"thumb t\"",
        "<option value=\"purity\">",
        "Unit 6 of plain, seed 3</strong>",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        !page.contains("The page has room for"),
        "nothing is left out"
    );
    for file in ["reconstructions.png", "units.png"] {
        let picture = image::load_from_memory(&bytes(&out, file)).expect("a PNG");
        assert_eq!(picture.color(), image::ColorType::Rgb8, "{file}");
    }
    // Seven units of the first seed of each condition, and nothing of them in the results.
    let details = json(&out, "unit-details.json");
    let members: Vec<u64> = details
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|of| of[0].as_u64())
        .collect();
    assert_eq!(members, [0, 2]);
    assert_eq!(
        details[1][1][0]["units"].as_array().expect("units").len(),
        7
    );
    assert!(
        results(&out)
            .members
            .iter()
            .all(|of| !of.evidence.contains_key("unit_details"))
    );
    let examples = bytes(&out, "examples.safetensors");
    let examples = SafeTensors::deserialize(&examples).expect("a safetensors file");
    let rows = examples.tensor("rows").expect("there");
    assert_eq!(rows.shape()[1], 108);
    let test = fs::read(dir.join("test.npy")).expect("there");
    assert_eq!(
        rows.data()[..5 * 108],
        test[128..][..5 * 108],
        "the first rows, as they were"
    );
    assert_page_is_drawn_again(&out);
}

#[test]
fn what_is_no_picture_has_numbers_alone() {
    let (_parent, out) = folder();
    let dir = out.with_file_name("data");
    fs::create_dir_all(&dir).expect("room");
    let mut dice = Dice(1);
    for part in ["train", "test"] {
        let numbers = (0..80 * 5).map(|_| dice.below(1000) as f32 / 500.0 - 1.0);
        let numbers: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        npy(&dir.join(format!("{part}.npy")), "<f4", &[80, 5], &numbers);
    }
    let rest = "[autoencoder]\nhidden_units = 4\n[training]\nepochs = 1\nbatch_size = 20\n";
    complete(&config(&dir, rest), &out, &[]);
    let page = read(&out, "index.html");
    assert!(
        page.contains("Units in detail") && page.contains("80 test rows") && page.contains("no. ")
    );
    for words in [
        "thumb t",
        "What becomes of an input",
        "purity",
        ", class ",
        "Do seeds find",
    ] {
        assert!(
            !page
                .split_once("</style>")
                .expect("a style")
                .1
                .contains(words),
            "{words}"
        );
    }
    assert!(!out.join("reconstructions.png").exists() && !out.join("units.png").exists());
    assert_page_is_drawn_again(&out);
}

#[test]
fn a_page_of_very_much_stays_under_eight_megabytes_and_says_what_is_left_out() {
    let (_parent, out) = folder();
    // Noise is what a PNG can compress least.
    let dir = coloured(&out, 1000, 32, None);
    let weights: Vec<String> = (0..30).map(|at| format!("{at}")).collect();
    let rest = format!(
        "[autoencoder]\nhidden_units = 60\n[training]\nepochs = 1\nbatch_size = 500\n[grid]\n\"sparsity.weight\" = [{}]\n",
        weights.join(", ")
    );
    complete(&config(&dir, &rest), &out, &[]);
    let page = read(&out, "index.html");
    assert!(page.len() < 8_000_000, "{}", page.len());
    for words in [
        "16 of 30 conditions, at even distances in the order of the config.",
        "The page has room for the first 3 of 60 units of each of 30 models.",
    ] {
        assert!(page.contains(words), "{words}");
    }
}
