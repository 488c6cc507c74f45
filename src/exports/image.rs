//! The exec family: a program that becomes another one has no template any more.
//!
//! The new program would have a child that it never made, and would wait for it. A function with a
//! variable list of arguments (`execl`) is left alone: interpreters, which alone have templates, do
//! not call those.

use core::ffi::{c_char, c_int};

use super::process::missing;
use super::real::Real;
use crate::template;

static EXECVE: Real = Real::new();
static EXECV: Real = Real::new();
static EXECVP: Real = Real::new();
static EXECVPE: Real = Real::new();
static FEXECVE: Real = Real::new();

/// Finds the true functions ahead of time: in the child of a `fork` nothing may call the loader.
pub fn prepare() {
    EXECVE.get(c"execve");
    EXECV.get(c"execv");
    EXECVP.get(c"execvp");
    EXECVPE.get(c"execvpe");
    FEXECVE.get(c"fexecve");
}

macro_rules! exec {
    ($(#[$doc:meta])* $name:ident, $real:ident, $symbol:literal, ($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As the C library's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            type Function = unsafe extern "C" fn($($type),*) -> c_int;
            let Some(address) = $real.get($symbol) else {
                return missing();
            };
            template::leave();
            // SAFETY: the C library's function of this name.
            let real: Function = unsafe { core::mem::transmute(address) };
            // SAFETY: the caller's own arguments.
            unsafe { real($($argument),*) }
        }
    };
}

exec!(
    /// `execve(2)`.
    execve,
    EXECVE,
    c"execve",
    (path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char)
);
exec!(
    /// `execv(3)`.
    execv,
    EXECV,
    c"execv",
    (path: *const c_char, arguments: *const *const c_char)
);
exec!(
    /// `execvp(3)`.
    execvp,
    EXECVP,
    c"execvp",
    (file: *const c_char, arguments: *const *const c_char)
);
exec!(
    /// `execvpe(3)`.
    execvpe,
    EXECVPE,
    c"execvpe",
    (file: *const c_char, arguments: *const *const c_char, environment: *const *const c_char)
);
exec!(
    /// `fexecve(3)`.
    fexecve,
    FEXECVE,
    c"fexecve",
    (file: c_int, arguments: *const *const c_char, environment: *const *const c_char)
);
