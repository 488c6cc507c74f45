//! Compiles the stand-in driver and the clients into `OUT_DIR`: `driver/` holds what a machine with a GPU would have
//! in its library path, `clients/` the programs and their libraries.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Programs that need nothing but their own source.
const PLAIN: &[&str] = &[
    "faults",
    "ready",
    "inject",
    "semaphores",
    "nowipe",
    "lookups",
    "host",
    "cuvid",
    "pjrt",
    "leftovers",
    "lasting",
    "random",
    "posix",
    "reloaded",
];
/// Programs that run the shared scenarios, or need another part of them.
const WITH_SCENARIOS: &[&str] = &[
    "absent",
    "roads",
    "forks",
    "atforks",
    "calls",
    "busy",
    "waits",
    "in_place",
    "prefork",
    "entry_threads",
    "reaper",
    "reporting",
    "signalled",
];
/// Libraries that need nothing but their own source.
const LIBRARIES: &[&str] = &["next_two", "lookalikes", "allocator", "early", "interrupts"];

struct Workshop {
    clients: PathBuf,
    /// Holds a directory for each form of the driver.
    drivers: PathBuf,
    sources: PathBuf,
}

impl Workshop {
    fn compile(compiler: &str, output: &Path, arguments: &[&OsStr]) {
        let mut command = Command::new(compiler);
        command.args([
            "-g",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pthread",
            "-rdynamic",
        ]);
        command.args(arguments).arg("-o").arg(output);
        let result = command
            .output()
            .unwrap_or_else(|error| panic!("{compiler} cannot be run: {error}"));
        assert!(
            result.status.success(),
            "{} could not be built:\n{}",
            output.display(),
            String::from_utf8_lossy(&result.stderr)
        );
    }

    fn source(&self, name: &str) -> PathBuf {
        self.sources.join("clients").join(name)
    }

    /// The scenarios and the runtime are the same objects wherever they are linked.
    fn object(&self, name: &str) -> PathBuf {
        let output = self.clients.join(format!("{name}.o"));
        let source = self.source(&format!("{name}.c"));
        Self::compile(
            "gcc",
            &output,
            &["-c".as_ref(), "-fPIC".as_ref(), source.as_ref()],
        );
        output
    }

    fn program(&self, name: &str, source: &str, others: &[&OsStr]) {
        let source = self.source(source);
        let compiler = if source.extension() == Some("cpp".as_ref()) {
            "g++"
        } else {
            "gcc"
        };
        let mut arguments: Vec<&OsStr> = vec![source.as_ref()];
        arguments.extend(others);
        Self::compile(compiler, &self.clients.join(name), &arguments);
    }

    fn library(&self, name: &str, source: &str, others: &[&OsStr]) {
        let file = format!("lib{name}.so");
        let source = self.source(source);
        let soname = format!("-Wl,-soname,{file}");
        let mut arguments: Vec<&OsStr> = vec![
            "-shared".as_ref(),
            "-fPIC".as_ref(),
            soname.as_ref(),
            source.as_ref(),
        ];
        arguments.extend(others);
        Self::compile("gcc", &self.clients.join(&file), &arguments);
    }

    /// A library that stands where NVIDIA's does: bound to itself, its name with a version, and a link without.
    fn driver_library(&self, directory: &str, name: &str, sources: &[&str], others: &[&str]) {
        let directory = self.drivers.join(directory);
        let file = format!("{name}.so.1");
        let soname = format!("-Wl,-soname,{file}");
        let how = [
            "-shared",
            "-fPIC",
            "-fexceptions",
            "-Wl,-Bsymbolic",
            &soname,
        ];
        let home = self.sources.join("driver");
        let sources: Vec<PathBuf> = sources.iter().map(|source| home.join(source)).collect();
        let mut arguments: Vec<&OsStr> = how.iter().chain(others).map(OsStr::new).collect();
        arguments.extend(sources.iter().map(|source| source.as_os_str()));
        Self::compile("gcc", &directory.join(&file), &arguments);
        symlink(&file, directory.join(format!("{name}.so"))).expect("a link beside the driver");
    }
}

/// The driver and its other libraries.
fn build_drivers(shop: &Workshop) {
    let cuda = ["driver.c", "devices.c", "lookup.c", "others.c"];
    let versions = shop.sources.join("driver").join("versions.map");
    let versions = format!("-Wl,--version-script={}", versions.display());
    shop.driver_library("driver", "libcuda", &cuda, &[]);
    shop.driver_library("driver", "libnvcuvid", &["nvcuvid.c"], &[]);
    shop.driver_library("driver", "libnvidia-encode", &["encode.c"], &[]);
    // Its thread-local variables come by the newer of the two ways, where the compiler has the choice.
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let descriptors = if arch == "x86_64" { "gnu2" } else { "desc" };
    let descriptors = format!("-mtls-dialect={descriptors}");
    shop.driver_library(
        "driver",
        "libnvidia-opticalflow",
        &["opticalflow.c"],
        &[&descriptors],
    );
    shop.driver_library("driver_versioned", "libcuda", &cuda, &[&versions]);
}

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let sources =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let shop = Workshop {
        clients: out.join("clients"),
        drivers: out.clone(),
        sources,
    };
    let driver = out.join("driver");
    for directory in [&shop.clients, &driver, &out.join("driver_versioned")] {
        if directory.exists() {
            fs::remove_dir_all(directory).expect("the last build's directory can be removed");
        }
        fs::create_dir_all(directory).expect("a directory for the build");
    }
    for part in ["driver", "clients", "../include"] {
        println!(
            "cargo::rerun-if-changed={}",
            shop.sources.join(part).display()
        );
    }

    build_drivers(&shop);

    // Nothing is found at run time but through LD_LIBRARY_PATH, as on a user's machine.
    let mut driver_path = std::ffi::OsString::from("-L");
    driver_path.push(&driver);
    let mut clients_path = std::ffi::OsString::from("-L");
    clients_path.push(&shop.clients);
    let driver = [driver_path.as_os_str(), "-lcuda".as_ref()];

    let scenarios = shop.object("scenarios");
    let runtime = shop.object("libcudart_like");
    for name in PLAIN {
        shop.program(name, &format!("{name}.c"), &[]);
    }
    for name in WITH_SCENARIOS {
        shop.program(name, &format!("{name}.c"), &[scenarios.as_ref()]);
    }
    for name in ["revive", "revive_at_once"] {
        shop.program(
            name,
            &format!("{name}.c"),
            &[scenarios.as_ref(), runtime.as_ref()],
        );
    }
    shop.program("throws", "throws.cpp", &[]);
    shop.program("entries", "entries.cpp", &[scenarios.as_ref()]);
    shop.program("pystack_embed", "pystack_embed.c", &["-rdynamic".as_ref()]);
    for name in LIBRARIES {
        shop.library(name, &format!("lib{name}.c"), &[]);
    }
    let no_drop: &OsStr = "-Wl,--no-as-needed".as_ref();
    shop.library(
        "next_one",
        "libnext_one.c",
        &[no_drop, clients_path.as_ref(), "-lnext_two".as_ref()],
    );
    // The same plugin under the name of one for CUDA, and of one for something else.
    shop.library("xla_cuda_like", "libxla_like.c", &[]);
    shop.library("xla_other_like", "libxla_like.c", &[]);
    // The file's name is all that is asked of it.
    shop.library("nvidia-ml", "libnvidia_ml_like.c", &[]);
    shop.library("interposer", "libinterposer.c", &[]);
    shop.library("plugin_small", "libplugin.c", &["-DROOM=200".as_ref()]);
    shop.library("plugin_large", "libplugin.c", &["-DROOM=400".as_ref()]);
    shop.library(
        "linked",
        "liblinked.c",
        &[scenarios.as_ref(), driver[0], driver[1]],
    );
    shop.library("cudart_like", "libcudart_like.c", &[scenarios.as_ref()]);
    shop.program(
        "linked",
        "linked.c",
        &[scenarios.as_ref(), driver[0], driver[1]],
    );
    shop.program(
        "cudart_static",
        "cudart.c",
        &[runtime.as_ref(), scenarios.as_ref()],
    );
    shop.program(
        "cudart_shared",
        "cudart.c",
        &[
            scenarios.as_ref(),
            clients_path.as_ref(),
            "-lcudart_like".as_ref(),
        ],
    );
    shop.program(
        "interposed",
        "interposed.c",
        &[
            no_drop,
            clients_path.as_ref(),
            "-linterposer".as_ref(),
            driver[0],
            driver[1],
        ],
    );
}
