//! From bytes to tensors: a batch of pictures as f32 in [0, 1], made when it is needed.

use burn::tensor::{Device, Tensor, TensorData};

use super::Images;

/// The pictures at `indices` as one batch that every member sees.
///
/// # Shapes
///
/// - output: `[1, batch, pixel]`, each pixel its byte over 255
///
/// # Panics
///
/// Panics if an index is not below `images.count()`.
#[must_use]
pub fn batch(images: &Images, indices: &[u32], device: &Device) -> Tensor<3> {
    let pixels = images.pixels_per_image();
    let mut values = Vec::with_capacity(indices.len() * pixels);
    for &index in indices {
        values.extend(
            images
                .image(index as usize)
                .iter()
                .map(|&byte| f32::from(byte) / 255.0),
        );
    }
    let shape = [1, indices.len(), pixels];
    Tensor::from_data(TensorData::new(values, shape), device)
}
