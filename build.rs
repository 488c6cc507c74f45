//! Links the C library, and the unwinder into the library instead of loading `libgcc_s.so.1` into every
//! process.
//!
//! Loading it costs a small program about as much start-up time as all else the guard does, and
//! the library uses it for one thing: native stacks. A copy of its own also stays clear of the
//! lists of generated code that programs register with the shared one, which are behind a lock.
//!
//! The unwinder is asked for as `gcc_s`, as the standard library of the unit tests asks for it; a
//! folder that is searched first holds the compiler's static `libgcc_eh.a` under that name. Where the
//! compiler has none, the shared library is used.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    if let Some(folder) = unwinder() {
        println!("cargo:rustc-link-search=native={folder}");
    }
    // Without the standard library nobody else names them.
    println!("cargo:rustc-cdylib-link-arg=-lgcc_s");
    println!("cargo:rustc-cdylib-link-arg=-lc");
}

/// A folder in which the static unwinder is.
fn unwinder() -> Option<String> {
    // The archive must be the target's: another machine's compiler has to be named.
    let native = env::var("HOST") == env::var("TARGET");
    let compiler = match env::var("CC") {
        Ok(compiler) => compiler,
        Err(_) if native => "cc".into(),
        Err(_) => return None,
    };
    let answer = Command::new(&compiler)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()?;
    let archive = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    // A compiler that has no such file answers the bare name.
    if !Path::new(&archive).is_absolute() {
        return None;
    }
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::copy(&archive, Path::new(&folder).join("libgcc_s.a")).ok()?;
    Some(folder)
}
