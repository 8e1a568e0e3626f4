//! The parts of a run, each on one core, with the share of the machine's measured matrix-product peak that it reaches.
//!
//! `cargo bench --profile dev --bench parts` measures what `cargo run` runs, and shares its build. Work is counted in the
//! products that a straightforward implementation needs, zeros included: five of the weight's size for a tied
//! autoencoder. Parts that multiply nothing have a time alone.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput};
use layerwise::config::{self, Overrides};
use layerwise::data::{self, Frame, Images, Limits};
use layerwise::experiment::{Examples, rows};
use layerwise::model::{Autoencoder, Classifier, Sparsity};
use layerwise::ops::{self, AdamRates, Largest, Rows};
use layerwise::report::{Grid, PictureShape, Scaling, UnitWeights, figure};
use layerwise::spec::{self, AutoencoderTraining, Model, Plan, TrainedLayers};
use layerwise::train::lanes::take_turns;
use layerwise::train::{ClassifierTrainee, Examples as _, Labelled, Order, Stop, Trainee};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ORDER: Order = Order { seed: 0, stage: 0 };
/// Training images of a measured epoch: twenty batches.
const IMAGES: usize = 2000;

fn main() {
    // In a lane, as in a run: one thread, subnormal numbers flushed.
    take_turns(1, vec![()], |()| {
        all();
        ControlFlow::Break(())
    });
}

fn all() {
    let limits = Limits {
        train: Some(IMAGES),
        test: Some(1000),
    };
    let data = data::load(Path::new("data/mnist"), limits).expect("MNIST comes with the project");
    let device = Device::flex();
    let peak = peak(&device);
    println!("peak of one core: {peak:.0} GFLOP/s (a product of 512×512 matrices)");
    let mut criterion = Criterion::default()
        .with_measurement(ShareOfPeak { peak })
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let examples = Examples::new(&data, &device);

    batches(&mut criterion, &examples.train.images);
    autoencoders(&mut criterion, &data, &device);
    sparse_autoencoders(&mut criterion, &examples.train.images, &device);
    classifiers(&mut criterion, &examples, &device);
    divergence(&mut criterion, &device);
    drawing(&mut criterion);
    criterion.final_summary();
}

fn batches(criterion: &mut Criterion<ShareOfPeak>, images: &Rows) {
    let indices: Vec<u32> = (0..100).map(|at| at * 17 % 2000).collect();
    criterion.bench_function("batch of 100 from bytes", |bencher| {
        bencher.iter(|| black_box(images.select(&indices)));
    });
}

fn autoencoders(criterion: &mut Criterion<ShareOfPeak>, data: &data::Dataset, device: &Device) {
    let (train, test) = (&data.train.images, &data.test.images);
    let setting = figure56();
    let mut group = criterion.benchmark_group("20 steps, 784-h-784");
    for (hidden, members, batch) in [
        (100, 1, 100),
        (100, 3, 100),
        (1000, 1, 100),
        (100, 1, 20),
        (100, 1, 500),
    ] {
        let mut setting = setting.clone();
        setting.autoencoder.hidden_units = hidden;
        setting.training.batch_size = batch;
        let betas = &[0.1, 0.0, 3.0][..members];
        let work = Autoencoder::step_multiply_accumulates(&setting.autoencoder, 784);
        let steps = 20.min(IMAGES / batch);
        let some = Images::of_bytes(
            train.bytes().expect("MNIST is bytes")[..784 * batch * steps].to_vec(),
            Frame::grey(28, 28),
        )
        .expect("whole pictures");
        let some = rows(&some, device);
        let sparsity: Vec<_> = betas
            .iter()
            .map(|&weight| setting.sparsity.with_weight(weight))
            .collect();
        group.throughput(Throughput::Elements(
            2 * work * (members * batch * steps) as u64,
        ));
        let name = format!("h {hidden}, batch {batch}, members {members}, steps {steps}");
        group.bench_function(name, |bencher| {
            let seeds = vec![0; members];
            let mut trainee = Trainee::autoencoders(&setting, &seeds, &sparsity, &some, 0);
            bencher.iter(|| trainee.epoch(&some, ORDER, &(), &Stop::default()));
        });
    }
    group.finish();

    let trainee = {
        let nothing = Tensor::zeros([1, 1, 784], device).into();
        Trainee::autoencoders(&setting, &[0], &[setting.sparsity], &nothing, 0)
    };
    let variation = test.total_variation();
    let test = rows(test, device);
    let mut group = criterion.benchmark_group("figure's member");
    group.throughput(Throughput::Elements(
        2 * 2 * 784 * 100 * test.count() as u64,
    ));
    group.bench_function("evaluation on 1,000 images", |bencher| {
        bencher.iter(|| black_box(trainee.evaluate(&test, variation)));
    });
    group.finish();
    criterion.bench_function("figure's member/state for a checkpoint", |bencher| {
        bencher.iter(|| black_box(trainee.state()));
    });
}

/// Steps of autoencoders that keep 32 units of an image, and what such a step consists of. A share of the peak above 100 %
/// says what leaving out zeros saves.
fn sparse_autoencoders(criterion: &mut Criterion<ShareOfPeak>, images: &Rows, device: &Device) {
    const K: usize = 32;
    const BATCH: usize = 1000;
    let bytes = images.part(0, BATCH);
    // Nothing in them is 0.
    let dense: Rows = (bytes.numbers() - 0.3).into();
    for units in [4096, 16_384] {
        let mut setting = figure56();
        setting.sparsity = spec::Sparsity::TopK { k: K };
        setting.training.batch_size = BATCH;
        setting.autoencoder.hidden_units = units;
        setting.autoencoder.decoder = spec::Decoder::Untied {
            weight: None,
            unit_norm: true,
            transposed_start: true,
        };
        let work = Autoencoder::step_multiply_accumulates(&setting.autoencoder, 784);
        let mut group = criterion.benchmark_group(format!("step, 784-{units}-784, {K} stay"));
        group.throughput(Throughput::Elements(2 * work * BATCH as u64));
        for (name, x) in [("bytes", &bytes), ("numbers", &dense)] {
            let mut trainee = Trainee::autoencoders(&setting, &[0], &[setting.sparsity], x, 0);
            group.bench_function(name, |bencher| {
                bencher.iter(|| trainee.epoch(x, ORDER, &(), &Stop::default()));
            });
        }
        group.finish();
    }

    let tensor = |shape: [usize; 3]| {
        let number = |at: usize| (at * 7919 % 10_007) as f32 / 5000.0 - 1.0;
        let values = (0..shape.iter().product()).map(number).collect();
        Tensor::<3>::from_data(TensorData::new(values, shape), device)
    };
    let [weight, back] = [[1, 784, 4096], [1, 4096, 784]].map(tensor);
    let [bias, decoder_bias] = [[1, 1, 4096], [1, 1, 784]].map(tensor);
    let z = tensor([1, BATCH, 4096]);
    let mut group = criterion.benchmark_group(format!("784-4096-784, {K} stay"));
    for (name, x) in [("bytes", &bytes), ("numbers", &dense)] {
        group.bench_function(format!("encoder, {name}"), |bencher| {
            bencher.iter(|| ops::ramp(x, weight.clone(), bias.clone()));
        });
        group.bench_function(format!("encoder's gradients, {name}"), |bencher| {
            let [weight, bias] = [&weight, &bias].map(tracked);
            let of_code = ops::keep_largest(z.clone(), Largest::OfImage(K));
            bencher.iter_batched(
                || (ops::affine(x, weight.clone(), bias.clone()) * of_code.clone()).sum(),
                |sum| sum.backward(),
                BatchSize::PerIteration,
            );
        });
    }
    for largest in [Largest::OfImage(K), Largest::OfBatch(K)] {
        group.bench_function(format!("{largest:?}"), |bencher| {
            bencher.iter(|| ops::keep_largest(z.clone(), largest));
        });
    }
    let h = ops::keep_largest(z.clone(), Largest::OfImage(K));
    group.bench_function("decoder and error", |bencher| {
        let [back, bias] = [&back, &decoder_bias].map(Tensor::clone);
        bencher
            .iter(|| ops::squared_error_of_sparse(h.clone(), back.clone(), bias.clone(), &dense));
    });
    group.bench_function("decoder's gradients", |bencher| {
        let [h, back, bias] = [&h, &back, &decoder_bias].map(tracked);
        bencher.iter_batched(
            || ops::squared_error_of_sparse(h.clone(), back.clone(), bias.clone(), &dense),
            |error| error.backward(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("Adam, one of two weights", |bencher| {
        let rates = AdamRates {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        };
        let mut kept = [back.clone() * 1.0, back.zeros_like(), back.zeros_like()];
        let mut time = 0;
        bencher.iter(|| {
            time += 1;
            let taken =
                std::mem::replace(&mut kept, [0; 3].map(|_| Tensor::zeros([1, 1, 1], device)));
            kept = ops::adam(taken, back.clone(), rates.at(time, 1e-3));
        });
    });
    group.bench_function("rows of norm 1 and a gradient across them", |bencher| {
        bencher.iter_batched(
            || [&back, &back].map(|tensor| tensor.clone() * 1.0),
            |[gradient, weight]| {
                let gradient = ops::tangential(gradient, weight.clone());
                (gradient, ops::unit_rows(weight))
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// A leaf of a graph.
fn tracked(tensor: &Tensor<3>) -> Tensor<3> {
    Tensor::from_inner(tensor.clone()).require_grad()
}

fn classifiers(criterion: &mut Criterion<ShareOfPeak>, examples: &Examples, device: &Device) {
    let (train, test): (&Labelled, &Labelled) = (&examples.train, &examples.test);
    let mut group = criterion.benchmark_group("20 steps, classifier");
    let plan = plan("configs/pretraining.toml");
    for name in ["A", "B", "C", "C 1/fan_in"] {
        let condition = plan
            .condition(name)
            .and_then(|condition| condition.classifier());
        let condition = condition.expect("a condition of the config");
        let work = Classifier::step_multiply_accumulates(
            &condition.classifier,
            784,
            10,
            TrainedLayers::All,
        );
        let fresh = || {
            let model = Classifier::new(&condition.classifier, 784, 10, &[0], device);
            ClassifierTrainee::classifiers(model, &condition.training, TrainedLayers::All, work)
        };
        group.throughput(Throughput::Elements(2 * work * IMAGES as u64));
        group.bench_function(name, |bencher| {
            let mut trainee = fresh();
            bencher.iter(|| trainee.epoch(train, ORDER, &(), &Stop::default()));
        });
        let trainee = fresh();
        group.throughput(Throughput::Elements(2 * work / 3 * test.count() as u64));
        group.bench_function(format!("{name}, test on 1,000 images"), |bencher| {
            bencher.iter(|| black_box(trainee.score(test)));
        });
    }
    group.finish();
}

fn divergence(criterion: &mut Criterion<ShareOfPeak>, device: &Device) {
    let setting = figure56();
    let mut sparsity = Sparsity::new(&[setting.sparsity], 100, device);
    let spec = &setting.autoencoder;
    let model = Autoencoder::new(spec, &setting.sparsity, 784, 0, &[0], device);
    let code = model.code_of_batch(&Tensor::full([1, 100, 784], 0.1, device).into());
    criterion.bench_function("KL term of 100 units, value and slope", |bencher| {
        bencher.iter(|| black_box(sparsity.term(&code, &model)));
    });
}

fn drawing(criterion: &mut Criterion<ShareOfPeak>) {
    let weights: Vec<f32> = (0..78_400).map(|at| ((at * 7919) % 1000) as f32).collect();
    criterion.bench_function("grid of 100 units as PNG", |bencher| {
        bencher.iter(|| {
            let grid = Grid {
                title: "β = 0.1".to_owned(),
                caption: String::new(),
                weights: UnitWeights {
                    weights: &weights,
                    units: 100,
                    picture: PictureShape {
                        height: 28,
                        width: 28,
                        channels: 1,
                    },
                },
                marked: Vec::new(),
            };
            black_box(figure(&[grid], Scaling::PerTile)).expect("a picture")
        });
    });
}

fn plan(file: &str) -> Plan {
    let config = config::load(Path::new(file), &Overrides::default());
    config.expect("the project's own configs hold").plan
}

/// β = 0.1.
fn figure56() -> AutoencoderTraining {
    let plan = plan("configs/figure56.toml");
    match &plan.conditions[1].model {
        Model::Autoencoder(training) => training.clone(),
        _ => unreachable!("the figure is of autoencoders"),
    }
}

/// GFLOP/s of a product of 512×512 matrices on this thread: the best of many.
fn peak(device: &Device) -> f64 {
    const SIZE: usize = 512;
    let a = Tensor::<2>::ones([SIZE, SIZE], device);
    let seconds = (0..300)
        .map(|_| {
            let start = Instant::now();
            black_box(a.clone().matmul(a.clone()));
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    2.0 * (SIZE * SIZE * SIZE) as f64 / seconds * 1e-9
}

/// Wall-clock time, told as a share of the peak where work was counted.
struct ShareOfPeak {
    /// GFLOP/s.
    peak: f64,
}

impl Measurement for ShareOfPeak {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        Instant::now()
    }
    fn end(&self, start: Instant) -> Duration {
        start.elapsed()
    }
    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }
    fn zero(&self) -> Duration {
        Duration::ZERO
    }
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for ShareOfPeak {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }
    fn scale_throughputs(&self, _: f64, work: &Throughput, values: &mut [f64]) -> &'static str {
        let Throughput::Elements(operations) = work else {
            return "?";
        };
        for nanoseconds in values {
            *nanoseconds = *operations as f64 / *nanoseconds / self.peak * 100.0;
        }
        "% of peak"
    }
    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
