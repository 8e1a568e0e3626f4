//! Backend names ⇄ burn devices: which backends there are, which this build has, and how each is opened.
//! ([`ops`](crate::ops) names them too, as it extends each.)
//!
//! A backend that the build lacks, or that finds no hardware, is an error with its cure; nothing is chosen
//! silently in its place.

use burn::tensor::Device;
use thiserror::Error;

use crate::spec::BackendName;

/// An opened backend, ready to compute.
#[derive(Debug, Clone)]
pub struct Backend {
    /// What configs and flags call it.
    pub name: BackendName,
    /// The device, without autodiff.
    pub device: Device,
    /// What it runs on, for a reader: an adapter's name, or the processor.
    pub description: String,
    /// How work is best laid out on it.
    pub kind: Kind,
    /// The largest array that it holds, in bytes, where it says so.
    pub largest_array: Option<u64>,
}

/// How work is best laid out on a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Members are trained apart, on one thread or several each; equal runs give equal bytes.
    Cpu,
    /// All members in one program.
    Gpu,
    /// A GPU's interface over a software renderer on the CPU: correct, and slow.
    SoftwareGpu,
}

/// Why a backend cannot be used.
#[derive(Debug, Error)]
pub enum BackendError {
    /// This build does not have the backend.
    #[error(
        "backend `{name}` is not part of this build\n  hint: build with `cargo run --features {name} -- …`, or use one of: {available}"
    )]
    NotBuilt {
        /// The backend that was asked for.
        name: BackendName,
        /// The names of those that this build has, with commas between.
        available: String,
    },
    /// The backend computes on another machine, and nobody said on which.
    #[error(
        "backend `remote` computes where run.address says, and it says nothing\n  hint: start `layerwise serve` on the other machine, and set run.address = \"machine:3000\""
    )]
    NoAddress,
    /// Nobody computes for others at the address.
    #[error(
        "run.address = \"{address}\": {reason}\n  hint: start `layerwise serve --address {address}` of the same version there, and see that its port can be reached"
    )]
    Unreachable {
        /// The address that was asked for.
        address: String,
        /// Why nothing could be opened there.
        reason: String,
    },
    /// The machine has no adapter or device for the backend.
    #[error("backend `{name}` found no adapter ({reason})\n  hint: {cure}")]
    NoAdapter {
        /// The backend that was asked for.
        name: BackendName,
        /// Why there is none.
        reason: String,
        /// What to do about it.
        cure: &'static str,
    },
}

/// A line of `layerwise backends`.
#[derive(Debug)]
pub struct Offer {
    /// The name of the backend.
    pub name: BackendName,
    /// The opened backend, or why it cannot be used.
    pub result: Result<Backend, BackendError>,
}

/// Opens a backend by name; `remote` has an address in its place, [`open_at`].
///
/// # Errors
///
/// Returns [`BackendError`] if this build lacks the backend, or the machine offers it no adapter.
pub fn open(name: BackendName) -> Result<Backend, BackendError> {
    match name {
        #[cfg(feature = "flex")]
        BackendName::Flex => Ok(on_cpu(name, Device::flex())),
        #[cfg(feature = "ndarray")]
        BackendName::Ndarray => {
            // burn deprecates this backend in favour of flex; it stays selectable here for comparison.
            #[expect(deprecated)]
            let device = Device::ndarray();
            Ok(on_cpu(name, device))
        }
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => graphics::open(name, burn::tensor::wgpu::WgpuBackend::Auto),
        #[cfg(feature = "vulkan")]
        BackendName::Vulkan => graphics::open(name, burn::tensor::wgpu::WgpuBackend::Vulkan),
        #[cfg(feature = "metal")]
        BackendName::Metal => graphics::open(name, burn::tensor::wgpu::WgpuBackend::Metal),
        #[cfg(feature = "cuda")]
        BackendName::Cuda => cuda::open(),
        #[cfg(feature = "remote")]
        BackendName::Remote => Err(BackendError::NoAddress),
        #[allow(
            unreachable_patterns,
            reason = "a build with every feature reaches all names above"
        )]
        _ => Err(BackendError::NotBuilt {
            name,
            available: built()
                .iter()
                .map(|name| name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Opens what computes for others at an address.
///
/// # Errors
///
/// Returns [`BackendError`] if this build cannot, or nobody answers there.
pub fn open_at(address: &str) -> Result<Backend, BackendError> {
    #[cfg(feature = "remote")]
    return remote::open(address);
    #[cfg(not(feature = "remote"))]
    {
        let _ = address;
        open(BackendName::Remote)
    }
}

/// The backends that this build has.
#[must_use]
pub fn built() -> Vec<BackendName> {
    BackendName::ALL
        .into_iter()
        .filter(|name| match name {
            BackendName::Flex => cfg!(feature = "flex"),
            BackendName::Ndarray => cfg!(feature = "ndarray"),
            BackendName::Wgpu => cfg!(feature = "wgpu"),
            BackendName::Cuda => cfg!(feature = "cuda"),
            BackendName::Vulkan => cfg!(feature = "vulkan"),
            BackendName::Metal => cfg!(feature = "metal"),
            BackendName::Remote => cfg!(feature = "remote"),
        })
        .collect()
}

/// Every backend there is, opened where possible.
#[must_use]
pub fn offers() -> Vec<Offer> {
    BackendName::ALL
        .into_iter()
        .map(|name| Offer {
            name,
            result: open(name),
        })
        .collect()
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
fn on_cpu(name: BackendName, device: Device) -> Backend {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Backend {
        name,
        device,
        description: format!("CPU, {cores} cores"),
        kind: Kind::Cpu,
        largest_array: None,
    }
}

#[cfg(feature = "wgpu")]
mod graphics {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use burn::tensor::Device;
    use burn::tensor::wgpu::{WgpuBackend, wgpu};

    use super::{Backend, BackendError, Kind};
    use crate::spec::BackendName;

    const NO_VULKAN: &str = "install a GPU driver with Vulkan, Metal or DirectX 12 support; without a GPU, Mesa's software \
     Vulkan also works, slowly (Debian and Ubuntu: `apt-get install mesa-vulkan-drivers libvulkan1`), \
     but `--backend flex` is faster there";

    /// A runtime can be set up only once in a process, so an opened backend is kept.
    static OPENED: Mutex<Option<HashMap<&'static str, Backend>>> = Mutex::new(None);

    pub fn open(name: BackendName, api: WgpuBackend) -> Result<Backend, BackendError> {
        let mut opened = OPENED
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let opened = opened.get_or_insert_default();
        if let Some(backend) = opened.get(name.as_str()) {
            return Ok(backend.clone());
        }
        let options = match api {
            WgpuBackend::Auto => Device::wgpu_options(),
            api => Device::wgpu_options().graphics_api(api),
        };
        let (device, setup) =
            options
                .init_with_setup()
                .map_err(|error| BackendError::NoAdapter {
                    name,
                    reason: error.to_string(),
                    cure: NO_VULKAN,
                })?;
        let adapter = setup.adapter.get_info();
        if adapter.backend == wgpu::Backend::Gl {
            // OpenGL is what wgpu falls back to; compute kernels hang there (seen with Mesa's llvmpipe).
            return Err(BackendError::NoAdapter {
                name,
                reason: format!("only OpenGL is offered, by {}", adapter.name),
                cure: NO_VULKAN,
            });
        }
        let kind = match adapter.device_type {
            wgpu::DeviceType::Cpu => Kind::SoftwareGpu,
            _ => Kind::Gpu,
        };
        let limits = setup.device.limits();
        let backend = Backend {
            name,
            device,
            description: format!("{} ({:?})", adapter.name, adapter.backend),
            kind,
            largest_array: Some(
                limits
                    .max_buffer_size
                    .min(limits.max_storage_buffer_binding_size),
            ),
        };
        opened.insert(name.as_str(), backend.clone());
        Ok(backend)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use burn::tensor::{Device, DeviceType};

    use super::{Backend, BackendError, Kind};
    use crate::spec::BackendName;

    pub fn open() -> Result<Backend, BackendError> {
        // Without a driver the enumeration itself may panic; that is no adapter, too.
        let devices = std::panic::catch_unwind(|| Device::enumerate(DeviceType::Cuda).into_vec())
            .unwrap_or_default();
        let device = devices
            .into_iter()
            .next()
            .ok_or_else(|| BackendError::NoAdapter {
                name: BackendName::Cuda,
                reason: "the CUDA driver reports no device".to_owned(),
                cure: "install NVIDIA's driver and the CUDA libraries, or use `--backend wgpu`",
            })?;
        let description = device.identity().map_or_else(
            || "CUDA device 0".to_owned(),
            |identity| identity.name.clone(),
        );
        Ok(Backend {
            name: BackendName::Cuda,
            device,
            description,
            kind: Kind::Gpu,
            largest_array: None,
        })
    }
}

#[cfg(feature = "remote")]
pub mod remote {
    //! Another process's backend, over the network.

    use std::net::TcpListener;

    use burn::remote::RemoteHost;
    use burn::server::{RemoteServer, ServeError, WebSocketTransport};
    use burn::tensor::Device;

    use super::{Backend, BackendError, Kind};
    use crate::spec::BackendName;

    pub(super) fn open(address: &str) -> Result<Backend, BackendError> {
        let host = RemoteHost::websocket(&format!("ws://{address}"));
        let device =
            Device::remote_options(&host)
                .init()
                .map_err(|error| BackendError::Unreachable {
                    address: address.to_owned(),
                    reason: error.to_string(),
                })?;
        Ok(Backend {
            name: BackendName::Remote,
            device,
            description: format!("another process, at {address}"),
            kind: Kind::Gpu,
            largest_array: None,
        })
    }

    /// Computes with `backend` for others that come to `listener`, until the process is asked to stop.
    ///
    /// # Errors
    ///
    /// Returns what keeps burn from serving there.
    pub fn serve(backend: &Backend, listener: TcpListener) -> Result<(), ServeError> {
        let server = RemoteServer::new([backend.device.clone()]);
        server.serve(WebSocketTransport::from_listener(listener))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_cpu_backend_opens_by_its_name() {
        for name in built() {
            if matches!(name, BackendName::Flex | BackendName::Ndarray) {
                let backend = open(name).expect("a CPU is always there");
                assert_eq!((backend.name, backend.kind), (name, Kind::Cpu));
            }
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_backend_that_was_not_built_is_named_with_its_feature() {
        let error = open(BackendName::Cuda)
            .expect_err("built without cuda")
            .to_string();
        assert!(
            error.contains("backend `cuda` is not part of this build"),
            "{error}"
        );
        assert!(error.contains("--features cuda"), "{error}");
        assert!(error.contains("flex"), "{error}");
    }
}
