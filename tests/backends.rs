//! Backends agree: from the same host-drawn weights, ndarray and wgpu follow flex through whole runs of the program.
//!
//! Each run is a process of its own, as a GPU's runtime can be set up only once in one. Where there is no
//! adapter, the wgpu test checks instead that the error says so and what to do.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{idx, layerwise, weights, written};

/// The largest difference of a parameter after 40 steps of Adam, as a share of the largest one. Seen: below 1e-5
/// for ndarray and for wgpu on Mesa's software Vulkan.
const TOLERANCE: f32 = 1e-3;

/// 40 steps of three members with β = 0, 0.1 and 3.
const FIGURE: &str = r#"
experiment = "autoencoder"
[data]
train_images = 2000
test_images = 200
[autoencoder]
hidden_units = 32
[grid]
"sparsity.weight" = [0, 0.1, 3]
[training]
batch_size = 50
epochs = 1
"#;

/// Two layers, each pretrained for 5 steps of Adam, and 5 steps of SGD on the whole, for two seeds at once. Pictures
/// and layers are small, as what takes time on a GPU without a GPU is the compiling of kernels.
fn pretrained(data: &Path) -> String {
    write_data(data);
    format!(
        r#"
experiment = "classifier"
[run]
seeds = [0, 1]
[data]
dir = '{}'
[network]
weight = {{ normal_variance = "1/fan_in" }}
[training]
epochs = 1
[pretraining]
epochs = 1
[conditions.D]
network.hidden_units = [16, 16]
pretraining.layers = "all"
"#,
        data.display()
    )
}

/// 500 and 250 pictures of 8×8 pixels in 10 classes, as IDX files: stripes that tell the class, and noise.
fn write_data(folder: &Path) {
    std::fs::create_dir_all(folder).expect("room");
    for (name, images) in [("train", 500_u32), ("t10k", 250)] {
        let pixels = (0..images * 64).map(|at| {
            let (class, pixel) = (at / 64 % 10, at % 64);
            let noise = at.wrapping_mul(2_654_435_761) >> 27;
            (noise + if pixel % 10 == class { 200 } else { 0 }) as u8
        });
        let pixels: Vec<u8> = pixels.collect();
        let labels: Vec<u8> = (0..images).map(|image| (image % 10) as u8).collect();
        let write = |kind: &str, bytes: Vec<u8>| {
            std::fs::write(folder.join(format!("{name}-{kind}-ubyte")), bytes).expect("room");
        };
        write("images-idx3", idx(&[images, 8, 8], &pixels));
        write("labels-idx1", idx(&[images], &labels));
    }
}

fn run(config: &Path, backend: &str, out: &Path) -> Output {
    layerwise()
        .arg(config)
        .args(["--quiet", "--backend", backend, "--out"])
        .arg(out)
        // Kernels need not be the fastest here, and trying them all takes minutes without a GPU.
        .env("CUBECL_AUTOTUNE_LEVEL", "minimal")
        .output()
        .expect("the program starts")
}

/// Runs `config` on flex and on `backend` and compares every parameter; gives back the error text if the backend
/// cannot run.
fn compare(config: &str, backend: &str) -> Result<f32, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = written(&folder.path().join("run"), config);
    let (flex, other) = (folder.path().join("flex"), folder.path().join(backend));
    assert!(run(&path, "flex", &flex).status.success());
    let output = run(&path, backend, &other);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(1) {
        return Err(stderr);
    }
    assert!(output.status.success(), "{stderr}");
    let (flex, other) = (weights(&flex), weights(&other));
    assert!(
        flex.iter()
            .map(|(name, _)| name)
            .eq(other.iter().map(|(name, _)| name))
    );
    let mut most = 0.0_f32;
    for ((name, flex), (_, other)) in flex.iter().zip(other.iter()) {
        assert_eq!(flex.shape, other.shape, "{name}");
        // Drawn on the host, whatever the backend.
        if name.contains("/initial/") {
            assert_eq!(flex.values, other.values, "{name}");
            continue;
        }
        let largest = flex
            .values
            .iter()
            .fold(0.0_f32, |most, w| most.max(w.abs()));
        let pairs = flex.values.iter().zip(&other.values);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        most = most.max(difference / largest);
    }
    println!("{backend} differs from flex by {most:e} of the largest number of a parameter");
    Ok(most)
}

#[test]
fn ndarray_agrees_with_flex() {
    let data = tempfile::tempdir().expect("a temporary folder");
    for config in [FIGURE, &pretrained(data.path())] {
        let difference = compare(config, "ndarray").expect("a CPU is always there");
        assert!(difference < TOLERANCE, "{difference}");
    }
}

#[test]
fn wgpu_agrees_with_flex_on_pretraining_or_says_that_there_is_no_adapter() {
    let data = tempfile::tempdir().expect("a temporary folder");
    assert_wgpu_agrees(&pretrained(data.path()));
}

/// A longer form of the same, on demand: `cargo test -- --ignored`.
#[test]
#[ignore = "takes most of a minute without a GPU"]
fn wgpu_agrees_with_flex_on_the_figure() {
    assert_wgpu_agrees(FIGURE);
}

fn assert_wgpu_agrees(config: &str) {
    match compare(config, "wgpu") {
        Ok(difference) => assert!(difference < TOLERANCE, "{difference}"),
        Err(message) => {
            println!("no adapter here: the agreement of wgpu was NOT tested:\n{message}");
            assert!(
                message.contains("error: backend `wgpu` found no adapter ("),
                "{message}"
            );
            assert!(message.contains("hint: install a GPU driver"), "{message}");
        }
    }
}

/// Where Vulkan's drivers are hidden, wgpu may still offer OpenGL, on which kernels hang: that is no adapter.
#[test]
#[cfg(target_os = "linux")]
fn without_a_vulkan_driver_the_error_names_the_cure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_layerwise"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["configs/figure56-quick.toml", "--backend", "wgpu", "--out"])
        .arg(folder.path().join("run"))
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: backend `wgpu` found no adapter ("),
        "{stderr}"
    );
    assert!(stderr.contains("hint: install a GPU driver"), "{stderr}");
    assert!(!folder.path().join("run").exists(), "nothing is written");
}

/// Another process that computes; only in a build with `remote`: `cargo test --features remote --test backends`.
#[cfg(feature = "remote")]
mod remote {
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Child, Stdio};

    use super::{FIGURE, TOLERANCE, compare, layerwise, pretrained, run, written};

    /// `layerwise serve` on a free port, until it is dropped.
    struct Server {
        process: Child,
        address: String,
    }

    impl Server {
        fn start() -> Self {
            let mut process = layerwise()
                .args(["serve", "--address", "127.0.0.1:0"])
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            let stderr = process.stderr.take().expect("it is piped");
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let address = lines
                .find_map(|line| {
                    Some(
                        line.split_once("run.address = \"")?
                            .1
                            .split('"')
                            .next()?
                            .to_owned(),
                    )
                })
                .expect("it says where it listens");
            std::thread::spawn(move || lines.for_each(drop));
            Self { process, address }
        }

        fn config(&self, config: &str) -> String {
            let address = format!("[run]\naddress = \"{}\"\n", self.address);
            if config.contains("[run]\n") {
                config.replacen("[run]\n", &address, 1)
            } else {
                config.replacen("[data]\n", &format!("{address}[data]\n"), 1)
            }
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    #[test]
    fn another_process_agrees_with_flex() {
        let server = Server::start();
        let data = tempfile::tempdir().expect("a temporary folder");
        for config in [FIGURE, &pretrained(data.path())] {
            let difference = compare(&server.config(config), "remote").expect("it is there");
            assert!(difference < TOLERANCE, "{difference}");
        }
    }

    /// Killed, when the run has come to its first epoch, and started again elsewhere.
    #[test]
    fn a_run_whose_server_is_lost_ends_with_an_error_and_goes_on_with_another() {
        let server = Server::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("run");
        let long = FIGURE.replace("epochs = 1", "epochs = 40");
        let path = written(&out, &server.config(&long));
        let run = |path: &Path| {
            let mut run = layerwise();
            run.arg(path)
                .args(["--plain", "--backend", "remote", "--continue", "--out"]);
            run.arg(&out).stdout(Stdio::piped()).stderr(Stdio::piped());
            run
        };
        let mut process = run(&path).spawn().expect("the program starts");
        let stdout = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("epoch  1/40")));
        drop(server);
        std::thread::spawn(move || lines.for_each(drop));
        let output = process.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("error: the backend stopped computing: "),
            "{stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");

        let another = Server::start();
        let path = written(&out, &another.config(&long));
        let output = run(&path).output().expect("the program starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn where_nobody_computes_for_others_the_error_says_what_to_start() {
        let server = Server::start();
        let config = server.config(FIGURE);
        drop(server);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("run");
        let output = run(&written(&out, &config), "remote", &out);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("layerwise serve --address 127.0.0.1:"),
            "{stderr}"
        );
        assert!(!out.exists(), "nothing is written");
    }
}
