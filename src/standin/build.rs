//! Makes the table of the driver's names from the list in `scripts/data`, and has the library call
//! itself `libcuda.so.1`.

use std::path::Path;
use std::{env, fs};

/// Functions that are written out in `lib.rs`.
const WRITTEN: [&str; 9] = [
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuGetExportTable",
    "cuGetProcAddress",
    "cuGetProcAddress_v2",
    "cuInit",
];

fn main() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/data/libcuda.names");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", list.display());
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    // Its own functions are its own, also where a program has others of these names (the guard).
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");

    let names = fs::read_to_string(&list).expect("the list of names can be read");
    let mut names: Vec<&str> = names.lines().filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    let others: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !WRITTEN.contains(name))
        .collect();
    let source = format!(
        "answered! {{\n{}\n}}\ntable! {{\n{}\n}}\n",
        others.join("\n"),
        names.join("\n")
    );
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("names.rs"), source).expect("OUT_DIR can be written to");
}
