//! Native frames by name: the module, the offset in it, and the symbol where it is known.
//!
//! Looks addresses up in the module table that was made while the process was well; reads no
//! file and asks no loader.

use core::fmt;

use super::frames::Plain;
use super::scene;
use crate::sys::modules::{self, Located};

/// Where the instruction before a return address is.
///
/// The return address itself may already belong to the next function, when the call was the
/// last instruction of its own.
pub fn locate(return_address: usize) -> Option<Located<'static>> {
    modules::locate(return_address.checked_sub(1)?)
}

/// The file name of a path.
pub fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Bytes of a file name that are told: a program may be started under any name.
const NAME: usize = 64;

/// The file name of a module; the loader gives the program itself no path.
fn file_name(path: &'static str) -> &'static str {
    let name = basename(if path.is_empty() {
        scene::argv0()
    } else {
        path
    });
    &name[..name.floor_char_boundary(NAME)]
}

/// The library through which a call came (or the program), by its file name.
pub fn library(caller: usize) -> Option<&'static str> {
    let located = modules::locate_module(caller.checked_sub(1)?)?;
    let is_known = located.path != modules::UNKNOWN;
    Some(file_name(located.path)).filter(|name| is_known && !name.is_empty())
}

/// Whether a file name is a shared library's, not a program's.
pub fn is_shared(name: &str) -> bool {
    name.contains(".so") || name.starts_with("linux-vdso")
}

/// Whether a frame says nothing about the program: the driver's, forkguard's, and those that
/// every program begins with.
pub fn is_noise(frame: &Frame) -> bool {
    const MODULES: [&str; 5] = [
        "libforkguard",
        "libcuda.so",
        "libnvcuvid.so",
        "libc.so",
        "linux-vdso",
    ];
    let symbol = frame.located.and_then(|located| located.symbol);
    symbol == Some("_start")
        || MODULES
            .iter()
            .any(|noise| frame.module().starts_with(noise))
}

/// One frame as the text shows it: `app+0x11a9  main`.
pub struct Frame {
    /// The return address.
    pub address: usize,
    /// Where it is, when that is known.
    pub located: Option<Located<'static>>,
}

impl Frame {
    /// Names a return address.
    pub fn new(address: usize) -> Self {
        Self {
            address,
            located: locate(address),
        }
    }

    /// The module's file name; empty where it is unknown.
    pub fn module(&self) -> &'static str {
        self.located
            .as_ref()
            .map_or("", |located| file_name(located.path))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(located) = &self.located else {
            return write!(f, "{:#x}", self.address);
        };
        // Addresses are printed as debuggers and addr2line count them: the return address.
        let file = Plain(file_name(located.path));
        write!(f, "{file}+{:#x}", located.offset + 1)?;
        if let Some(symbol) = located.symbol {
            write!(f, "  {symbol}")?;
        }
        Ok(())
    }
}
