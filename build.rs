//! How the library is linked: by itself, with an unwinder of its own, and into few segments, each of
//! which is a mapping in every process and is copied by every fork.
//!
//! Loading `libgcc_s.so.1` costs a small program about as much start-up time as all else the guard does, and
//! the library uses it for one thing: native stacks. A copy of its own also stays clear of the
//! lists of generated code that programs register with the shared one, which are behind a lock.
//!
//! The unwinder is asked for as `gcc_s`, as the standard library of the unit tests asks for it; a
//! folder that is searched first holds the compiler's static `libgcc_eh.a` under that name. Where the
//! compiler has none, the shared library is used.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What lies where; says itself what it is for.
const LAYOUT: &str = "src/layout.ld";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    if let Some(folder) = unwinder() {
        println!("cargo:rustc-link-search=native={folder}");
    }
    for argument in [
        // Without the standard library nobody else names them.
        "-lgcc_s",
        "-lc",
        // What a compiler adds to each library for C++ and for code that is unloaded: nothing here is
        // either, and its one word would be a page and a mapping more in every process and fork.
        "-nostartfiles",
        "-Wl,-z,nodelete",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    // Constants beside the code, as linkers did for long. Each linker has its own word for it.
    let one_segment = [
        "-Wl,--no-rosegment,-z,separate-loadable-segments",
        "-Wl,-z,noseparate-code",
    ];
    if let Some(argument) = one_segment.into_iter().find(|word| is_taken(word)) {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    println!("cargo:rerun-if-changed={LAYOUT}");
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join(LAYOUT);
    let layout = format!("-Wl,-T,{}", layout.display());
    if is_taken(&layout) {
        println!("cargo:rustc-cdylib-link-arg={layout}");
    }
}

/// Whether the linker that the library will be linked by takes this argument: asked of it, because it
/// may be any, by rustc's choice or the user's.
fn is_taken(argument: &str) -> bool {
    // With the sections that the layout stands before and after.
    const NOTHING: &str = "#![no_std]\n\
        #[unsafe(no_mangle)] pub static mut SOMETHING: u64 = 0;\n\
        #[unsafe(no_mangle)] pub extern \"C\" fn something() {}\n\
        #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n";
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let source = Path::new(&folder).join("nothing.rs");
    let variable = |name| env::var(name).unwrap_or_default();
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--crate-type=cdylib", "--edition=2024", "-Cpanic=abort"])
        .args(["--target", &variable("TARGET"), "--out-dir", &folder])
        .arg(format!("-Clink-arg={argument}"))
        .args(
            variable("CARGO_ENCODED_RUSTFLAGS")
                .split('\x1f')
                .filter(|flag| !flag.is_empty()),
        );
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    fs::write(&source, NOTHING)
        .and_then(|()| rustc.arg(&source).output())
        .is_ok_and(|done| done.status.success() && done.stderr.is_empty())
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
