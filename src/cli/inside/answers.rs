//! The other side of [`super::ask`]: runs with the guard's library preloaded.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::Question;
use crate::trouble::{Ended, Trouble, print};

/// Bytes of the longest description.
const DESCRIPTION: usize = 32 * 1024;

/// Prints the answer.
pub fn answer(question: Question) -> Ended {
    match question {
        Question::Describe => describe(),
        Question::Driver => driver(),
        Question::SelfTest => self_test(),
    }
}

fn describe() -> Ended {
    // SAFETY: the name ends with a NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"forkguard_describe".as_ptr()) };
    if found.is_null() {
        return Err(Trouble::new(1, "the guard's library is not loaded here"));
    }
    // SAFETY: a function of this name is the guard's, of this type (src/exports/describe.rs).
    let describe = unsafe {
        std::mem::transmute::<*mut c_void, extern "C" fn(*mut c_char, usize) -> usize>(found)
    };
    let mut room = vec![0u8; DESCRIPTION];
    let len = describe(room.as_mut_ptr().cast(), room.len());
    print(&String::from_utf8_lossy(&room[..len.min(DESCRIPTION)]))
}

/// Loads the driver's library as programs do, and asks for its version, which initialises nothing.
fn driver() -> Ended {
    // SAFETY: the name ends with a NUL; what the library's constructors do, they do to a process
    // that is there for it.
    let library = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW) };
    if library.is_null() {
        // SAFETY: dlerror gives a C string of this thread's, or none.
        let why = unsafe { text(libc::dlerror()) };
        let why = serde_json::json!({ "missing": why });
        return print(&why.to_string());
    }
    // SAFETY: the library stays loaded; the name ends with a NUL.
    let found = unsafe { libc::dlsym(library, c"cuDriverGetVersion".as_ptr()) };
    let mut version: c_int = 0;
    let code = if found.is_null() {
        -1
    } else {
        // SAFETY: this function's type, in every version of the driver.
        let ask = unsafe {
            std::mem::transmute::<*mut c_void, extern "C" fn(*mut c_int) -> c_int>(found)
        };
        ask(&raw mut version)
    };
    let answer = serde_json::json!({ "path": path(), "version": version, "code": code });
    print(&answer.to_string())
}

/// Initialises CUDA, forks, and calls the driver in the child, whose end is told.
fn self_test() -> Ended {
    let trouble = |why: &str| Trouble::new(1, why);
    // SAFETY: the name ends with a NUL; it is the stand-in's, which its caller puts in the way.
    let library = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW) };
    if library.is_null() {
        return Err(trouble("the stand-in for the driver cannot be loaded"));
    }
    // SAFETY: the library stays loaded; the name ends with a NUL.
    let found = unsafe { libc::dlsym(library, c"cuInit".as_ptr()) };
    if found.is_null() {
        return Err(trouble("the stand-in for the driver has no cuInit"));
    }
    // SAFETY: the type of cuInit.
    let init = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(u32) -> u32>(found) };
    if init(0) != 0 {
        return Err(trouble("the stand-in for the driver cannot be initialised"));
    }
    // SAFETY: this process has one thread; the child makes one call, by no lock of this process's,
    // and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = init(0);
        // SAFETY: ends the child without this process's exit handlers.
        unsafe { libc::_exit(i32::try_from(code).unwrap_or(1).min(100)) };
    }
    let mut status = 0;
    // SAFETY: a place for the answer, which is ours.
    if child < 0 || unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        return Err(trouble("no child could be made"));
    }
    print(&serde_json::json!({ "status": status }).to_string())
}

/// Where the driver's library was loaded from.
fn path() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut paths = maps.lines().filter_map(|line| line.split_once('/'));
    paths.find_map(|(_, path)| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with("libcuda.so").then(|| format!("/{path}"))
    })
}

/// # Safety
/// A C string, or null.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: says the caller.
    unsafe { CStr::from_ptr(string) }
        .to_string_lossy()
        .into_owned()
}
