//! The parts of a run, each on one core, with the share of the machine's measured matrix-product peak that it reaches.
//!
//! `cargo bench --profile dev --bench parts` measures what `cargo run` runs, and shares its build. Work is counted in the
//! products that a straightforward implementation needs, zeros included: five of the weight's size for a tied
//! autoencoder. Parts that multiply nothing have a time alone.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};
use layerwise::config::{self, Overrides};
use layerwise::data::{self, Frame, Images, Limits};
use layerwise::experiment::{Examples, rows};
use layerwise::model::{Autoencoder, Classifier, Sparsity};
use layerwise::ops::Rows;
use layerwise::report::{Grid, PictureShape, Scaling, UnitWeights, figure};
use layerwise::spec::{self, AutoencoderTraining, Model, Plan, TrainedLayers};
use layerwise::train::lanes::{Turn, take_turns};
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
        Turn::Done(())
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
        Model::Classifier(_) => unreachable!("the figure is of autoencoders"),
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
