//! Where the code is that ends the interpreter.

use crate::sys::elf;
use crate::sys::memory::Reader;

/// The address range of `Py_FinalizeEx`, or of what it jumps to.
pub fn range(_memory: &mut Reader) -> Option<(usize, usize)> {
    let (start, size) = elf::find_anywhere_sized(c"Py_FinalizeEx")?;
    Some((start, start + size))
}
