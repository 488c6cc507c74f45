//! The driver: which library programs get, what version it is, and its devices. Nothing is
//! initialised.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Findings;
use super::finding::Finding;
use super::machine::Guard;
use crate::inside::{self, Question};

const SUBJECT: &str = "driver";

/// What a process found that loaded it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Driver {
    Missing {
        missing: String,
    },
    Loaded {
        path: Option<String>,
        version: i32,
        code: i32,
    },
}

/// The driver that programs get here.
pub fn look(guard: Option<&Guard>) -> Findings {
    let mut found = Vec::new();
    if let Some(guard) = guard {
        match inside::ask(&guard.library, Question::Driver, |_| {}) {
            Ok(answered) => found.push(loaded(answered.answer)),
            Err(unanswered) => found.push(Finding::problem(
                SUBJECT,
                format!("libcuda.so.1 cannot be loaded: {}", unanswered.why),
                "see to the driver's installation first: programs cannot load it either",
            )),
        }
    }
    found.extend(devices());
    found
}

fn loaded(driver: Driver) -> Finding {
    match driver {
        Driver::Missing { missing } => Finding::warning(
            SUBJECT,
            missing,
            "without a driver programs here have no CUDA, and the guard has nothing to do; in a \
             container, start it with its GPUs (docker run --gpus all)",
        ),
        Driver::Loaded {
            path,
            version,
            code,
        } => {
            let path = path.unwrap_or_else(|| "libcuda.so.1".to_owned());
            let kernel = fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
            let module = module_version(&kernel);
            let module = module.map_or(String::new(), |module| format!(", kernel module {module}"));
            if path.contains("/stubs/") {
                return Finding::problem(
                    SUBJECT,
                    format!("{path} is the toolkit's stub, to link with and not to run"),
                    "take the folder of stubs out of LD_LIBRARY_PATH",
                );
            }
            if code != 0 {
                return Finding::problem(
                    SUBJECT,
                    format!("{path}{module} does not tell its version (code {code})"),
                    "see to the driver's installation first",
                );
            }
            let (major, minor) = (version / 1000, version % 1000 / 10);
            Finding::ok(SUBJECT, format!("{path}, CUDA {major}.{minor}{module}"))
        }
    }
}

/// The version in the first line: the first word that is numbers and dots.
fn module_version(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    line.split_whitespace().find(|word| {
        word.contains('.')
            && word
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit())
    })
}

fn devices() -> Option<Finding> {
    const SUBJECT: &str = "devices";
    const REVIVE: &str =
        "under revive, have exec or cpu behind it: FORKGUARD_POLICY=revive,exec,cpu";
    let there = |path: &str| Path::new(path).exists();
    if there("/dev/dxg") {
        return Some(Finding::warning(
            SUBJECT,
            "this is WSL (/dev/dxg): revive refuses here, where the driver's devices are not \
             /dev/nvidia*",
            REVIVE,
        ));
    }
    if there("/dev/nvhost-ctrl") || there("/etc/nv_tegra_release") {
        return Some(Finding::warning(
            SUBJECT,
            "this is Tegra: revive refuses here, where the driver's devices are not /dev/nvidia*",
            REVIVE,
        ));
    }
    let names = fs::read_dir("/dev").ok()?;
    let count = names
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("nvidia"));
            number.is_some_and(|digits| digits.parse::<u32>().is_ok())
        })
        .count();
    if count == 0 {
        return None;
    }
    let control = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/nvidiactl");
    Some(match control {
        Ok(_) => Finding::ok(SUBJECT, format!("{count} in /dev/nvidia*")),
        Err(error) => Finding::problem(
            SUBJECT,
            format!(
                "{count} in /dev/nvidia*, and /dev/nvidiactl cannot be opened: {}",
                crate::trouble::reason(&error)
            ),
            "give this user, or this container, the devices",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_version_is_found_in_either_form() {
        for (text, version) in [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.04  Fri Oct\nGCC version: 12.2.0",
                Some("580.159.04"),
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release",
                Some("570.86.15"),
            ),
            ("", None),
        ] {
            assert_eq!(module_version(text), version);
        }
    }
}
