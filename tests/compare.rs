//! Hundreds of models side by side: a page that stays small and says how they are spread, and a line for each in the table.

mod common;

use common::{complete, folder, read, transcript};

/// Ten conditions, forty seeds.
const MANY: &str = r#"
experiment = "autoencoder"
[run]
seeds = "0..40"
[data]
train_images = 100
test_images = 50
[training]
epochs = 1
batch_size = 50
[grid]
"sparsity.weight" = [0, 0.1, 0.3, 1, 3]
"autoencoder.hidden_units" = [3, 5]
"#;

#[test]
fn four_hundred_models_fit_on_a_page() {
    let (parent, out) = folder();
    complete(MANY, &out, &[]);
    let to = parent.path().join("compared");
    let (run, to_text) = (out.display().to_string(), to.display().to_string());
    let (code, _, stderr) = transcript(&["compare", &run, "--out", &to_text]);
    assert_eq!(code, 0, "{stderr}");
    let table = read(&to, "compare.csv");
    assert_eq!(table.lines().count(), 401);
    let page = read(&to, "compare.html");
    assert!(page.len() < 500_000, "{}", page.len());
    assert!(page.contains("<table class=\"sorted\">"));
    // A row for each condition in the table and in every figure, and no row for each model.
    let name = "β = 3, hidden units = 5";
    let figures = page.matches("<svg").count();
    assert!(figures > 3, "{figures}");
    assert_eq!(page.matches(name).count(), 1 + figures);
    // And the run's own page.
    assert!(read(&out, "index.html").len() < 8_000_000);
}
