//! The lines of what is no violation, which `FORKGUARD_VERBOSE` asks for: one a thing that happened.

use super::steps::native_frames;
use super::words::{Call, ImportIs};
use crate::lineage::Moment;
use crate::policy::exec::Rewrite;
use crate::policy::revive;
use crate::report::buffer::Buffer;
use crate::report::frames::{self, Beside, Folded, Location, Plain};
use crate::report::scene::Scene;
use crate::report::{Served, Service, native};

/// The first initialisation, for `FORKGUARD_VERBOSE=1`.
pub fn initialised(out: &mut Buffer<'_>, at: &Moment, scene: &Scene<'_>) {
    out.put(format_args!(
        "forkguard: pid {} initialised CUDA ({})",
        at.pid,
        Call(at)
    ));
    let python = &at.stack.python;
    if let Some(seen) = frames::fold(python, Beside::Called) {
        out.put_str(" at ");
        pair(out, &seen, scene);
    } else if let Some(frame) = native_frames(at).next() {
        out.put(format_args!(" at {frame}"));
    }
    if let Some(import) = frames::import(python) {
        out.put(format_args!(", in {}", ImportIs { import, scene }));
    }
    out.put_str("\n");
}

/// A fork that became a fresh process, or did not, for `FORKGUARD_VERBOSE=1`.
pub fn rewritten(out: &mut Buffer<'_>, rewrite: &Rewrite<'_>, at: &Moment) {
    let process = Plain(rewrite.process);
    if rewrite.replaced.is_some() {
        let (pid, function) = (at.pid, at.function());
        match rewrite.child {
            Some(_) => out.put(format_args!(
                "forkguard: pid {pid} used CUDA in a forked process ({function}); FORKGUARD_EXEC \
                 runs in its place: {process}\n"
            )),
            None => out.put(format_args!(
                "forkguard: pid {pid}: FORKGUARD_EXEC does not run in its place: {}\n",
                rewrite.reason
            )),
        }
        return;
    }
    match rewrite.child {
        Some(child) => out.put(format_args!(
            "forkguard: pid {}: the fork of {process} is a fresh process, pid {child} \
             (by {}, {} KB carried, {} ms)\n",
            at.pid,
            rewrite.way,
            rewrite.payload.div_ceil(1024),
            rewrite.took_us / 1000
        )),
        None => out.put(format_args!(
            "forkguard: pid {}: the fork of {process} stays a fork: {}\n",
            at.pid, rewrite.reason
        )),
    }
    if rewrite.child.is_some() && !rewrite.reason.is_empty() {
        out.put(format_args!("forkguard: {}\n", rewrite.reason));
    }
}

/// A forked process that used CUDA and goes on, for `FORKGUARD_VERBOSE=1`.
pub fn served(out: &mut Buffer<'_>, served: &Served<'_>, scene: &Scene<'_>) {
    let used = served.used;
    out.put(format_args!(
        "forkguard: pid {} used CUDA in a forked process ({}",
        used.pid,
        used.function()
    ));
    if let Some(seen) = frames::fold(&used.stack.python, Beside::Called) {
        out.put_str(" at ");
        pair(out, &seen, scene);
    }
    match served.service {
        Service::Absent => out.put_str("): CUDA is absent in it (policy cpu)\n"),
        Service::Revived { took_us, driver_us } => out.put(format_args!(
            "): it has a driver of its own now (policy revive, {}.{} ms, of which {}.{} ms are \
             the driver's)\n",
            (took_us + driver_us) / 1000,
            (took_us + driver_us) % 1000 / 100,
            driver_us / 1000,
            driver_us % 1000 / 100,
        )),
        Service::NotRevived => out.put(format_args!(
            "): it gets no driver of its own (policy revive): {}\n",
            revive::refusal().unwrap_or("no reason is known")
        )),
    }
}

/// The first use of a driver function in this process, for `FORKGUARD_VERBOSE=2`.
pub fn first_use(out: &mut Buffer<'_>, pid: i32, function: &str, caller: usize) {
    out.put(format_args!("forkguard: pid {pid} uses {function}"));
    if let Some(library) = native::library(caller) {
        out.put(format_args!(", through {}", Plain(library)));
    }
    out.put_str("\n");
}

fn pair(out: &mut Buffer<'_>, seen: &Folded<'_>, scene: &Scene<'_>) {
    let at = Location {
        frame: seen.line,
        cwd: scene.cwd,
    };
    out.put(format_args!("{at} {}", Plain(seen.line.function)));
}
