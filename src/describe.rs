//! What the guard says of itself when it is asked: `forkguard doctor`, in a process of its own that
//! has the library preloaded, shows what would hold in any other.
//!
//! One JSON object: `version`; `pid`; `off`, whether nothing is intercepted; `policy`, the chain as
//! far as it can be asked; `settings`, each with `name`, `value`, `source` (`default`,
//! `environment`, or a file and its line) and `locked` (the environment cannot override it);
//! `cleared_by`, who clears the table in a forked child: `kernel`, or `fork`, and then a raw `clone`
//! is not seen; `functions`, how many of the driver's this process has obtained; `initialised`,
//! whether CUDA was, here or before the fork that made this process.

use crate::config;
use crate::gate::slots;
use crate::lineage;
use crate::report::buffer::Buffer;
use crate::report::json::quote;
use crate::sys::raw;

/// Bytes of the longest string: a path, with the word before it that says what it is for.
const TEXT: usize = 4096 + 16;

/// Writes it. Allocates nothing and takes no lock.
pub fn put(out: &mut Buffer<'_>) {
    let config = config::get();
    out.put(format_args!(
        "{{\"version\":\"{}\",\"pid\":{},\"off\":{},\"policy\":[",
        env!("CARGO_PKG_VERSION"),
        raw::getpid(),
        config.is_off(),
    ));
    for (i, policy) in config.chain().iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        out.put(format_args!("{comma}\"{}\"", policy.name()));
    }
    out.put_str("],\"settings\":[");
    for (i, setting) in config.settings().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        out.put(format_args!(
            "{comma}{{\"name\":\"{}\",\"value\":",
            setting.name
        ));
        quote(out, format_args!("{setting}"), TEXT);
        out.put_str(",\"source\":");
        quote(out, format_args!("{}", setting.source()), TEXT);
        out.put(format_args!(",\"locked\":{}}}", setting.is_locked()));
    }
    let cleared_by = if slots::kernel_clears() {
        "kernel"
    } else {
        "fork"
    };
    out.put(format_args!(
        "],\"cleared_by\":\"{cleared_by}\",\"functions\":{},\"initialised\":{}}}",
        slots::guarded(),
        !lineage::is_clean(),
    ));
}
