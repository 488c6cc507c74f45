//! What the gate answers in the driver's place.
//!
//! Numbers of `CUresult` (cuda.h). Bindings for the whole driver know them too; they are made for
//! programs, bring the standard library, and here are the witness only.

/// `CUDA_ERROR_DEINITIALIZED`: the driver is being taken down.
pub const DEINITIALIZED: u32 = 4;
/// `CUDA_ERROR_STUB_LIBRARY`: there is no driver, only something to link with.
pub const STUB_LIBRARY: u32 = 34;
/// `CUDA_ERROR_NO_DEVICE`: a machine without one.
pub const NO_DEVICE: u32 = 100;
/// `CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND`: a driver that has no such function.
pub const SHARED_OBJECT_SYMBOL_NOT_FOUND: u32 = 302;

#[cfg(test)]
mod tests {
    use super::*;
    use cudarc::driver::sys::CUresult;

    #[test]
    fn they_are_the_drivers() {
        for (here, there) in [
            (DEINITIALIZED, CUresult::CUDA_ERROR_DEINITIALIZED),
            (STUB_LIBRARY, CUresult::CUDA_ERROR_STUB_LIBRARY),
            (NO_DEVICE, CUresult::CUDA_ERROR_NO_DEVICE),
            (
                SHARED_OBJECT_SYMBOL_NOT_FOUND,
                CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND,
            ),
        ] {
            assert_eq!(here, there as u32, "{there:?}");
        }
    }
}
