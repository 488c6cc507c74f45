//! Which CPython an interpreter is.

use core::ffi::{CStr, c_char, c_ulong};

use crate::sys::elf;

/// The newest minor version whose layout is known (`layout.rs`). `forkguard doctor` has the same number.
pub const NEWEST: u32 = 15;

/// The minor version of this process's interpreter, which the loader has relocated; `None` for anything that is no
/// CPython 3.
pub fn minor() -> Option<u32> {
    if let Some(at) = elf::find_in_python(c"Py_Version") {
        // SAFETY: `const unsigned long Py_Version`, there from 3.11 on.
        return minor_of_number(unsafe { *(at as *const c_ulong) });
    }
    let get_version = elf::find_in_python(c"Py_GetVersion")?;
    // SAFETY: `const char *Py_GetVersion(void)` needs no GIL and no initialised interpreter, and answers a text that is
    // never freed; the interpreter is relocated, says the caller.
    let version = unsafe {
        let get_version =
            core::mem::transmute::<usize, unsafe extern "C" fn() -> *const c_char>(get_version);
        CStr::from_ptr(get_version())
    };
    minor_of_text(version.to_bytes())
}

/// Of `Py_Version`: 0x030e04f0 is 3.14.4.
pub fn minor_of_number(version: c_ulong) -> Option<u32> {
    (version >> 24 == 3).then_some((version >> 16 & 0xff) as u32)
}

/// Of what `Py_GetVersion` says; `None` for another implementation that answers by this name.
fn minor_of_text(version: &[u8]) -> Option<u32> {
    let other = [b"PyPy".as_slice(), b"Graal"];
    if other
        .iter()
        .any(|name| version.windows(name.len()).any(|part| part == *name))
    {
        return None;
    }
    let digits = version.strip_prefix(b"3.")?;
    let len = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    core::str::from_utf8(&digits[..len]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(minor_of_text(b"3.8.18 (default) \n[GCC 12.2.0]"), Some(8));
        assert_eq!(minor_of_text(b"3.14.0rc1+ free-threading build"), Some(14));
        assert_eq!(minor_of_text(b"2.7.18"), None);
        assert_eq!(
            minor_of_text(b"3.10.14 (75b3de9, ...) [PyPy 7.3.16 with GCC]"),
            None
        );
        assert_eq!(minor_of_text(b"3.x"), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(minor_of_number(0x030e_04f0), Some(14));
        assert_eq!(minor_of_number(0x0400_00a1), None);
    }
}
