//! A function of the C library behind an export, found once.

use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::lookup;

/// A function of the C library that this one stands before.
pub struct Real(AtomicUsize);

impl Real {
    /// Not looked for yet.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Its address, where it was found already.
    pub fn known(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&address| address != 0)
    }

    /// Its address. The first time, calls the loader.
    pub fn get(&self, name: &CStr) -> Option<usize> {
        if let Some(known) = self.known() {
            return Some(known);
        }
        let found = lookup::next(name)?;
        self.0.store(found, Ordering::Relaxed);
        Some(found)
    }
}
