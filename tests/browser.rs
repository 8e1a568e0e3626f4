//! `play.html` in a real Chromium, driven through chromedriver (W3C WebDriver): what the page computes from drawn strokes,
//! keys and sliders equals what the program's own models compute. Skipped, with a word, where no browser can be started.

mod common;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use layerwise::apply::{Network, Trained};
use layerwise::burn::tensor::activation::softmax;
use layerwise::burn::tensor::{Device, Tensor, TensorData};
use layerwise::model::numbers;
use layerwise::ops::Rows;
use layerwise::weights::Weights;
use serde_json::{Value, json};

/// What the page and the program may differ by: the page computes in double precision.
const TOLERANCE: f64 = 1e-4;
/// The protocol's name for "this object is an element".
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const END: char = '\u{e010}';
const LEFT: char = '\u{e012}';
const UP: char = '\u{e013}';
const RIGHT: char = '\u{e014}';
const DOWN: char = '\u{e015}';
const DELETE: char = '\u{e017}';

/// A Chromium with one window, until it is dropped.
struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    #[expect(dead_code, reason = "the folder goes when this does")]
    profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// `None`, with a word, where there is none.
    fn start() -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            println!(
                "skipped: there is no chromedriver (Debian: apt-get install chromium chromium-driver)"
            );
            return None;
        };
        let stdout = driver.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port: u16 = lines
            .find_map(|line| {
                line.split_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .expect("chromedriver says its port");
        // Whoever stops reading would stop chromedriver, too.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a temporary folder");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            profile,
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1000,1400",
            &user_data,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments }
        } } });
        let found = browser.ask("", &wanted);
        let Some(session) = found["sessionId"].as_str() else {
            println!(
                "skipped: chromedriver cannot start a browser: {}",
                found["message"]
            );
            return None;
        };
        write!(browser.session, "/{session}").expect("text");
        Some(browser)
    }

    fn ask(&self, command: &str, with: &Value) -> Value {
        let answer = self
            .agent
            .post(format!("{}{command}", self.session))
            .send_json(with);
        let answer: Value = answer
            .expect("chromedriver answers")
            .body_mut()
            .read_json()
            .expect("JSON");
        answer["value"].clone()
    }

    fn done(&self, command: &str, with: &Value) -> Value {
        let value = self.ask(command, with);
        assert!(value.get("error").is_none(), "{command}: {value}");
        value
    }

    fn open(&self, page: &Path) {
        let page = page.canonicalize().expect("it is there");
        self.done(
            "/url",
            &json!({ "url": format!("file://{}", page.display()) }),
        );
    }

    /// What a line of JavaScript gives.
    fn script(&self, script: &str) -> Value {
        self.done("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The page's own numbers, once it has shown what was last done.
    fn shown(&self) -> Value {
        let script = "const done = arguments[0]; \
            requestAnimationFrame(() => requestAnimationFrame(() => done(window.layerwise)));";
        let shown = self.done("/execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(
            self.script("return document.getElementById('failure').textContent"),
            ""
        );
        shown
    }

    fn actions(&self, actions: &Value) {
        self.done("/actions", &json!({ "actions": [actions] }));
    }

    /// Strokes on the pad, each from point to point, in CSS pixels from the pad's middle.
    fn draw(&self, with: &str, strokes: &[&[(i32, i32)]]) {
        let pad = json!({ ELEMENT: self.element("pad") });
        self.script("document.getElementById('pad').scrollIntoView({ block: 'center' })");
        let mut steps = Vec::new();
        for stroke in strokes {
            for (at, (x, y)) in stroke.iter().enumerate() {
                steps.push(
                    json!({ "type": "pointerMove", "duration": 20, "origin": pad, "x": x, "y": y }),
                );
                if at == 0 {
                    steps.push(json!({ "type": "pointerDown", "button": 0 }));
                }
            }
            steps.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        self.actions(&json!({
            "type": "pointer", "id": with, "parameters": { "pointerType": with }, "actions": steps
        }));
    }

    fn element(&self, id: &str) -> String {
        let found = self.done(
            "/element",
            &json!({ "using": "css selector", "value": format!("#{id}") }),
        );
        found[ELEMENT]
            .as_str()
            .expect("it is in the page")
            .to_owned()
    }

    fn click(&self, selector: &str) {
        self.script(&format!("document.querySelector('{selector}').click()"));
    }

    fn press(&self, keys: &[char]) {
        let press = |key: &char| {
            [
                json!({ "type": "keyDown", "value": key }),
                json!({ "type": "keyUp", "value": key }),
            ]
        };
        let steps: Vec<Value> = keys.iter().flat_map(press).collect();
        self.actions(&json!({ "type": "key", "id": "keyboard", "actions": steps }));
    }

    /// Goes on from element to element until one fits, as somebody without a mouse does.
    fn tab_to(&self, selector: &str) {
        for _ in 0..40 {
            self.press(&[TAB]);
            if self.script(&format!(
                "return document.activeElement.matches('{selector}')"
            )) == true
            {
                return;
            }
        }
        panic!("{selector} cannot be reached by keyboard");
    }
}

/// Layers, reconstruction and probabilities of the program's model of this name; `hold` sets a unit of a layer.
fn forward(out: &Path, name: &str, input: &[f32], hold: Option<(usize, usize, f32)>) -> Found {
    let held = |layer: usize, h: Tensor<3>| match hold {
        Some((of, unit, value)) if of == layer => {
            let mut values = numbers(h);
            values[unit] = value;
            tensor(values)
        }
        _ => h,
    };
    let x = Rows::from(tensor(input.to_vec()));
    match Trained::open(out, Some(name))
        .expect("it is of the run")
        .network
    {
        Network::Autoencoder(model) => {
            let code = held(0, model.encode(&x));
            Found {
                layers: vec![numbers(code.clone())],
                reconstruction: Some(numbers(model.decode(code))),
                probabilities: None,
            }
        }
        Network::DeepAutoencoder(_) => unreachable!("there is no page to draw on"),
        Network::Classifier(model) => {
            let (mut below, mut layers) = (x, Vec::new());
            for (at, layer) in model.hidden.iter().enumerate() {
                let h = held(at, layer.forward(&below));
                layers.push(numbers(h.clone()));
                below = h.into();
            }
            Found {
                layers,
                reconstruction: None,
                probabilities: Some(numbers(softmax(model.logits(&below), 2))),
            }
        }
    }
}

/// The page shows what the program computes from the page's input. Gives by how much it differs.
fn agrees(out: &Path, shown: &Value, hold: Option<(usize, usize, f32)>) -> f64 {
    let name = shown["model"].as_str().expect("a name");
    let found = forward(out, name, &floats(&shown["input"]), hold);
    let layers = shown["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), found.layers.len(), "{name}");
    let mut pairs: Vec<(&Value, &Vec<f32>)> = layers.iter().zip(&found.layers).collect();
    for (part, own) in [
        ("reconstruction", &found.reconstruction),
        ("probabilities", &found.probabilities),
    ] {
        assert_eq!(shown[part].is_null(), own.is_none(), "{name}: {part}");
        pairs.extend(own.iter().map(|own| (&shown[part], own)));
    }
    let mut largest = 0.0_f64;
    for (shown, own) in pairs {
        let shown = floats(shown);
        assert_eq!(shown.len(), own.len(), "{name}");
        for (shown, own) in shown.iter().zip(own) {
            largest = largest.max(f64::from(shown - own).abs());
        }
    }
    assert!(
        largest <= TOLERANCE,
        "{name}: the page differs by {largest}"
    );
    largest
}

struct Found {
    layers: Vec<Vec<f32>>,
    reconstruction: Option<Vec<f32>>,
    probabilities: Option<Vec<f32>>,
}

fn tensor(values: Vec<f32>) -> Tensor<3> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [1, 1, count]), &Device::flex())
}

fn floats(values: &Value) -> Vec<f32> {
    let values = values.as_array().expect("numbers");
    values
        .iter()
        .map(|value| value.as_f64().expect("a number") as f32)
        .collect()
}

/// Rows and columns from the first to the last that hold ink, and the row and column of the centre of mass.
fn box_and_centre(input: &[f32]) -> ([usize; 2], [usize; 2]) {
    let along = |of: &dyn Fn(usize) -> usize| {
        let inked = || (0..784).filter(|&at| input[at] > 0.0);
        let size = inked().map(of).max().expect("ink") - inked().map(of).min().expect("ink") + 1;
        let mass: f32 = input.iter().sum();
        let centre: f32 = (0..784)
            .map(|at| input[at] * (of(at) as f32 + 0.5))
            .sum::<f32>()
            / mass;
        (size, centre as usize)
    };
    let ((height, row), (width, column)) = (along(&|at| at / 28), along(&|at| at % 28));
    ([height, width], [row, column])
}

/// A four, or what passes for one.
const FOUR: [&[(i32, i32)]; 2] = [
    &[(-20, -60), (-45, 0), (30, 0)],
    &[(15, -50), (10, 20), (5, 70)],
];

#[test]
fn autoencoders_of_every_kind_see_in_the_browser_what_they_see_in_the_program() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (_parent, out) = common::folder();
    common::complete(
        "experiment = \"autoencoder\"\n\
         [data]\ntrain_images = 600\ntest_images = 60\n\
         [autoencoder]\nhidden_units = 30\n[training]\nepochs = 3\n\
         [conditions.ramp]\n\
         [conditions.prelu]\nautoencoder.activation = \"prelu\"\n\
         [conditions.leaky]\nautoencoder.activation = { leaky_relu = { slope = 0.1 } }\n\
         [conditions.sigmoid]\nautoencoder.activation = \"sigmoid\"\nautoencoder.decoder = \"untied\"\n\
         autoencoder.decoder_activation = \"sigmoid\"\nautoencoder.reconstruction = \"cross_entropy\"\n\
         [conditions.tanh]\nautoencoder.activation = \"tanh\"\nautoencoder.decoder = \"untied\"\n\
         [conditions.linear]\nautoencoder.activation = \"identity\"\n\
         [conditions.topk]\nsparsity = { kind = \"topk\", k = 5 }\nautoencoder.subtract_decoder_bias = true\n\
         autoencoder.decoder_bias = \"data_mean\"\n\
         [conditions.batch]\nsparsity = { kind = \"batch_topk\", k = 5 }\nautoencoder.decoder = \"untied\"\n\
         [conditions.jump]\nsparsity = { kind = \"jump_relu\", threshold = 0.3 }\n",
        &out,
        &[],
    );
    assert!(common::read(&out, "index.html").contains("<a href=\"play.html\">"));
    browser.open(&out.join("play.html"));

    // The page begins with a test image, as it is in its file.
    let test = layerwise::data::load(
        "data/mnist".as_ref(),
        layerwise::data::Limits {
            train: Some(1),
            test: Some(1),
        },
    );
    let own = test.expect("MNIST").test.images.row(0);
    let shown = browser.shown();
    assert_eq!(floats(&shown["input"]), own);
    let mut largest = agrees(&out, &shown, None);

    // Strokes with mouse, finger and pen.
    let mut inputs = Vec::new();
    for pointer in ["mouse", "touch", "pen"] {
        browser.click("#clear");
        browser.draw(pointer, &FOUR);
        let shown = browser.shown();
        assert!(shown["image"].is_null());
        inputs.push(floats(&shown["input"]));
        largest = largest.max(agrees(&out, &shown, None));
    }
    assert_eq!(
        inputs[0], inputs[1],
        "what is drawn does not depend on what draws"
    );
    assert_eq!(inputs[0], inputs[2]);
    let (size, centre) = box_and_centre(&inputs[0]);
    assert_eq!((size[0], centre), (20, [14, 14]), "MNIST's own preparation");
    assert!(
        inputs[0]
            .iter()
            .all(|value| (value * 255.0).fract() < 1e-3 || (value * 255.0).fract() > 0.999)
    );

    // The same drawing elsewhere, by a whole number of the pad's pixels.
    browser.click("#clear");
    let moved = FOUR.map(|stroke| {
        stroke
            .iter()
            .map(|(x, y)| (x - 75, y - 75))
            .collect::<Vec<_>>()
    });
    browser.draw("mouse", &[&moved[0], &moved[1]]);
    let moved = floats(&browser.shown()["input"]);
    let change: f32 = inputs[0]
        .iter()
        .zip(&moved)
        .map(|(one, other)| (one - other).abs())
        .sum();
    assert!(
        change < 0.01 * inputs[0].iter().sum::<f32>(),
        "{change} of ink moved"
    );

    // Every kind of model, with a unit held.
    for (at, member) in Trained::members(&out).expect("a run").iter().enumerate() {
        browser.script(&format!(
            "const select = document.getElementById('model'); select.value = {at}; \
             select.dispatchEvent(new Event('change'))"
        ));
        let shown = browser.shown();
        assert_eq!(shown["model"], member.label);
        largest = largest.max(agrees(&out, &shown, None));
        browser.click(".units button:nth-child(2)");
        browser.script(
            "const slider = document.getElementById('unit-slider'); slider.value = slider.max / 2; \
             slider.dispatchEvent(new Event('input'))",
        );
        let turned = browser.shown();
        let held = &turned["held"][0][0];
        let unit = held[0].as_u64().expect("a unit") as usize;
        let value = held[1].as_f64().expect("its value") as f32;
        largest = largest.max(agrees(&out, &turned, Some((0, unit, value))));
        assert_ne!(turned["reconstruction"], shown["reconstruction"]);
        browser.click("#reset");
        assert_eq!(browser.shown()["reconstruction"], shown["reconstruction"]);
    }
    println!("autoencoders: the page and the program differ by {largest:.1e} at most");
}

#[test]
fn a_classifier_can_be_drawn_for_and_turned_by_keys_alone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (_parent, out) = common::folder();
    common::complete(
        "experiment = \"classifier\"\n[run]\nseeds = [0]\n\
         [data]\ntrain_images = 2000\ntest_images = 100\n\
         [training]\nepochs = 3\n[pretraining]\nepochs = 2\n\
         [conditions.deep]\nnetwork.hidden_units = [40, 30]\npretraining.layers = \"all\"\n\
         [conditions.softmax]\nnetwork.hidden_units = []\n",
        &out,
        &[],
    );
    browser.open(&out.join("play.html"));
    let mut largest = agrees(&out, &browser.shown(), None);

    // A seven: to the right, and down to the left.
    browser.tab_to("#pad");
    let seven = [
        vec![UP; 6],
        vec![LEFT; 5],
        vec![' '],
        vec![RIGHT; 10],
        [DOWN, DOWN, LEFT].repeat(6),
        vec![' '],
    ];
    browser.press(&seven.concat());
    let shown = browser.shown();
    assert!(shown["image"].is_null());
    largest = largest.max(agrees(&out, &shown, None));
    assert_eq!(shown["layers"].as_array().map(Vec::len), Some(2));
    let (size, centre) = box_and_centre(&floats(&shown["input"]));
    assert_eq!((size[0], centre), (20, [14, 14]));
    let named = browser.script("return document.querySelector('.classes .best').textContent");
    let probabilities = floats(&shown["probabilities"]);
    let best = (0..10)
        .max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))
        .expect("ten");
    let share = 100.0 * probabilities[best];
    assert_eq!(named, format!("{best}{share:.1} %"));

    // A unit of the second layer, to the end of its slider.
    browser.tab_to("#layers details:nth-child(2) .units button");
    browser.press(&[RIGHT, ENTER, END]);
    let turned = browser.shown();
    assert_eq!(
        turned["layers"][0], shown["layers"][0],
        "what is below does not change"
    );
    let held = &turned["held"][1][0];
    let (unit, value) = (
        held[0].as_u64().expect("a unit") as usize,
        held[1].as_f64().expect("a value") as f32,
    );
    largest = largest.max(agrees(&out, &turned, Some((1, unit, value))));
    assert_ne!(turned["probabilities"], shown["probabilities"]);
    browser.tab_to("#reset");
    browser.press(&[ENTER]);
    assert_eq!(browser.shown()["probabilities"], shown["probabilities"]);

    // A test image, by keys too; and an empty pad.
    browser.tab_to("#pad");
    browser.tab_to("#examples button");
    browser.press(&[RIGHT, RIGHT, ENTER]);
    let shown = browser.shown();
    assert_eq!(shown["image"], 2);
    largest = largest.max(agrees(&out, &shown, None));
    browser.script("document.getElementById('pad').focus()");
    browser.press(&[DELETE]);
    let shown = browser.shown();
    assert!(floats(&shown["input"]).iter().all(|&value| value == 0.0));
    largest = largest.max(agrees(&out, &shown, None));
    println!("classifiers: the page and the program differ by {largest:.1e} at most");
}

/// Pictures of any size that lie in files of numbers, on white paper, without labels; and behind transforms.
#[test]
fn drawings_become_pictures_of_any_frame_and_go_through_the_run_s_transforms() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (_parent, out) = common::folder();
    // Dark marks on light ground, from −1 to 3.
    let numbers = (0..40 * 12 * 9_u32).map(|at| {
        if at * at % 108 == 49 {
            -1.0_f32
        } else {
            3.0 - 0.001 * (at % 7) as f32
        }
    });
    let data = out.with_file_name("floats");
    std::fs::create_dir_all(&data).expect("room");
    let header = [0xd03_u32, 40, 12, 9]
        .into_iter()
        .flat_map(u32::to_be_bytes);
    let file: Vec<u8> = header.chain(numbers.flat_map(f32::to_be_bytes)).collect();
    for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"] {
        std::fs::write(data.join(name), &file).expect("room");
    }
    let config = |transforms: &str| {
        format!(
            "experiment = \"autoencoder\"\n[data]\ndir = \"floats\"\n{transforms}\
             [autoencoder]\nhidden_units = 8\n[training]\nepochs = 2\nbatch_size = 10\n"
        )
    };
    common::complete(&config(""), &out, &[]);
    browser.open(&out.join("play.html"));
    let shown = browser.shown();
    assert_eq!(floats(&shown["input"]).len(), 12 * 9);
    let mut largest = agrees(&out, &shown, None);
    browser.draw("mouse", &[&[(-60, 0), (60, 0)]]);
    let shown = browser.shown();
    let input = floats(&shown["input"]);
    assert_eq!(shown["drawing"], shown["input"]);
    assert!(
        (input[0] - 3.0).abs() < 1e-6,
        "paper is as light as it gets: {}",
        input[0]
    );
    assert!(
        input[5 * 9 + 4] < 2.0 && input[6 * 9 + 4] < 2.0,
        "ink lies across the middle"
    );
    largest = largest.max(agrees(&out, &shown, None));

    let out = out.with_file_name("transformed");
    let transforms = "transforms = [{ scale = { factor = 2.0, offset = -0.5 } }, { standardise = { over = \"features\" } }, \
        \"remove_row_mean\", \"unit_length\", { whiten = { method = \"zca\", epsilon = 0.1 } }, \
        { squash = { deviations = 3, low = 0.1, high = 0.9 } }]\n";
    common::complete(&config(transforms), &out, &[]);
    let arrays = common::bytes(&out, "transforms.safetensors");
    let arrays = Weights::from_safetensors(&arrays).expect("the run's own");
    let transforms = layerwise::data::Transforms::from_weights(&arrays).expect("the run's own");
    browser.open(&out.join("play.html"));
    browser.draw("mouse", &[&[(-60, -30), (60, 40)]]);
    let shown = browser.shown();
    let input = floats(&shown["input"]);
    let own = transforms.apply(floats(&shown["drawing"]), input.len());
    let apart = input
        .iter()
        .zip(&own)
        .map(|(page, own)| (page - own).abs())
        .fold(0.0, f32::max);
    assert!(
        f64::from(apart) < TOLERANCE,
        "the page's transforms differ by {apart}"
    );
    largest = largest.max(agrees(&out, &shown, None));
    println!(
        "other frames: the page and the program differ by {largest:.1e} at most, transforms by {apart:.1e}"
    );
}

#[test]
fn runs_side_by_side_are_sorted_by_click_and_by_key() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (parent, out) = common::folder();
    common::complete(
        "experiment = \"autoencoder\"\n[run]\nseeds = [0, 1]\n\
         [data]\ntrain_images = 500\ntest_images = 100\n\
         [training]\nepochs = 1\n[autoencoder]\nhidden_units = 10\n\
         [grid]\n\"sparsity.weight\" = [0, 3, 0.1]\n",
        &out,
        &[],
    );
    let to = parent.path().join("compared").display().to_string();
    let (code, _, stderr) =
        common::transcript(&["compare", &out.display().to_string(), "--out", &to]);
    assert_eq!(code, 0, "{stderr}");
    browser.open(&parent.path().join("compared/compare.html"));
    let head = "const head = [...document.querySelectorAll(\"table.sorted th[scope='col']\")]\
                .find((head) => head.textContent.startsWith(\"sparsity term\"));";
    let numbers = || -> Vec<f64> {
        let script = format!(
            "{head} const rows = [...document.querySelector(\"table.sorted\").tBodies[0].rows]; \
             return rows.map((row) => parseFloat(row.cells[head.cellIndex].textContent));"
        );
        let numbers = browser.script(&script);
        let numbers = numbers.as_array().expect("a column").iter();
        numbers
            .map(|number| number.as_f64().expect("a number"))
            .collect()
    };
    let as_written = numbers();
    assert_eq!(as_written.len(), 3);
    let mut sorted = as_written.clone();
    sorted.sort_by(f64::total_cmp);
    let backwards: Vec<f64> = sorted.iter().copied().rev().collect();
    browser.script(&format!("{head} head.querySelector(\"button\").click()"));
    assert_eq!(numbers(), sorted);
    browser.script(&format!("{head} head.querySelector(\"button\").focus()"));
    browser.press(&['\u{e007}']);
    assert_eq!(numbers(), backwards);
    let told = browser.script(&format!("{head} return head.getAttribute(\"aria-sort\")"));
    assert_eq!(told, "descending");
}
