//! Training: one step, one epoch, and the sharing out of epochs over processor cores.
//!
//! This room knows models and data, not configs, figures or experiments. What happens while it works is told
//! to an [`Observer`]; what comes out of an epoch is plain numbers.

mod autoencoder;
mod classifier;
mod corruption;
mod dead;
mod deep;
mod full_batch;
mod kept;
pub mod lanes;
mod lbfgs;
mod observe;
mod optimizer;
pub mod pretraining;
mod probe;
mod revive;
mod state;
mod training;

pub use autoencoder::{
    ACTIVE_ABOVE, Autoencoding, EVALUATION_BATCH, Evaluation, Trainee, encode_all, untrained,
};
pub use classifier::{Classification, ClassifierTrainee, Labelled, LayerProbe, Score};
pub use corruption::disturbed;
pub use deep::{DeepEvaluation, DeepTrainee, Reconstructing};
pub use full_batch::FULL_BATCH_PART;
pub use kept::Kept;
pub use observe::{Event, MemberObserver, Observer, Reading, Record, Stop};
pub use optimizer::Optimizer;
pub use revive::SilenceCounts;
pub use state::State;
pub use training::{Examples, Learner, Order, Place, Training};
