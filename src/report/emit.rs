//! Making a report and sending it off: what the policies call.
//!
//! Runs in a forked child in any state. The large buffers are static, because reports are also
//! made on alternate signal stacks and small threads; one thread at a time has them, and
//! another one that comes meanwhile waits for nothing and uses a short form.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use super::buffer::Buffer;
use super::scene::{Room, Scene};
use super::sink::{self, Target};
use super::{Action, LISTED, Noted, Served, Violation, json, text};
use crate::config::{self, Config};
use crate::lineage::{self, Moment};
use crate::policy::exec::Rewrite;
use crate::sys::raw::{self, ErrnoGuard};

/// Bytes of the longest text.
const TEXT: usize = 16 * 1024;
/// Bytes of the longest event.
const EVENT: usize = 128 * 1024;
/// Bytes of one line of text.
const LINE: usize = 512;

/// The static buffers.
struct Bench {
    /// Who has them: pid and thread, or 0.
    owner: AtomicU64,
    room: UnsafeCell<Tools>,
}

struct Tools {
    text: [u8; TEXT],
    event: [u8; EVENT],
    scene: Room,
}

// SAFETY: `room` is touched only through a `Claim`, of which there is one at a time.
unsafe impl Sync for Bench {}

static BENCH: Bench = Bench {
    owner: AtomicU64::new(0),
    room: UnsafeCell::new(Tools {
        text: [0; TEXT],
        event: [0; EVENT],
        scene: Room::EMPTY,
    }),
};

/// The static buffers, given back when dropped.
struct Claim {
    tools: *mut Tools,
}

impl Claim {
    /// The buffers, unless another thread of this very process has them.
    fn take() -> Option<Self> {
        let me = u64::from(raw::getpid() as u32) << 32 | u64::from(raw::gettid() as u32);
        let owner = BENCH.owner.load(Ordering::Relaxed);
        // Somebody of another process: a thread of the parent that was reporting when this
        // process was forked. It does not exist here and will never give them back.
        let stale = owner >> 32 != me >> 32;
        if owner != 0 && !stale {
            return None;
        }
        BENCH
            .owner
            .compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Claim {
                tools: BENCH.room.get(),
            })
    }

    fn tools(&mut self) -> &mut Tools {
        // SAFETY: whoever holds the one claim is alone; the borrow ends before it is dropped.
        unsafe { &mut *self.tools }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        BENCH.owner.store(0, Ordering::Release);
    }
}

/// Whether text goes to stderr: not where it was asked to carry events.
fn speaks(config: &Config) -> bool {
    config.report() != Some(Target::Stderr)
}

/// Whether anybody but a trace is told of a violation.
fn is_told(v: &Violation<'_>) -> bool {
    v.action != Action::Watch
}

/// Writes an event to where it was asked for, and to the trace.
fn write(config: &Config, target: Option<Target<'_>>, event: &[u8]) {
    if let Some(target) = target {
        sink::event(target, event);
    }
    if let Some(path) = config.trace() {
        sink::trace(path, event);
    }
}

fn colour(config: &Config) -> bool {
    config.colour && sink::stderr_is_terminal()
}

/// Formats up to one line on the stack and writes it to stderr.
///
/// Not inlined: each copy would add its buffer to the caller's frame, on what may be a very
/// small stack.
#[inline(never)]
fn line(make: impl FnOnce(&mut Buffer<'_>)) {
    let mut room = [0; LINE];
    let mut out = Buffer::new(&mut room);
    make(&mut out);
    sink::to_stderr(out.finish());
}

/// Writes the first line of a violation's report, before anything is looked at that could go
/// wrong. Where a sibling already told it, the line is the whole text.
pub fn first(v: &Violation<'_>) {
    let config = config::get();
    if !speaks(config) || !is_told(v) || v.told_by.is_some() {
        return;
    }
    let _errno = ErrnoGuard::new();
    let scene = Scene {
        colour: colour(config),
        ..Scene::UNKNOWN
    };
    line(|out| text::first_line(out, v, &scene));
}

/// Writes the rest of a violation's report, and its event.
pub fn rest(v: &Violation<'_>) {
    let config = config::get();
    let _errno = ErrnoGuard::new();
    if let Some(mut claim) = Claim::take() {
        let tools = claim.tools();
        let scene = Scene::ask(&mut tools.scene, colour(config));
        if speaks(config) && is_told(v) && v.repeats <= LISTED {
            let mut out = Buffer::new(&mut tools.text);
            if v.told_by.is_some() {
                text::told(&mut out, v, &scene);
            } else {
                text::rest(&mut out, v, &scene);
            }
            sink::to_stderr(out.finish());
        }
        // One report a cause: where the text is kept, the end of the file may be all that is read.
        if let Some(path) = config.text_report()
            && is_told(v)
            && v.told_by.is_none()
        {
            let mut out = Buffer::new(&mut tools.text);
            let plain = Scene {
                colour: false,
                ..scene
            };
            text::violation(&mut out, v, &plain);
            sink::event(Target::Path(path), out.finish());
        }
        let target = config.report().filter(|_| is_told(v));
        if target.is_some() || config.trace().is_some() {
            let mut out = Buffer::new(&mut tools.event);
            json::violation(&mut out, v, &scene);
            write(config, target, out.finish());
        }
    } else {
        rest_in_short(v, config);
    }
}

/// What a thread says while another one has the buffers.
#[cold]
#[inline(never)]
fn rest_in_short(v: &Violation<'_>, config: &Config) {
    if speaks(config) && is_told(v) && v.repeats <= LISTED {
        line(|out| {
            if v.told_by.is_some() {
                text::told(out, v, &Scene::UNKNOWN);
            } else {
                text::short(out, v);
            }
        });
    }
    let target = config.report().filter(|_| is_told(v));
    if target.is_some() || config.trace().is_some() {
        event_in_short(config, target, |out| {
            json::violation_short(out, v, &Scene::UNKNOWN);
        });
    }
}

/// An event that is made on the stack. Not inlined, as `line`.
#[inline(never)]
fn event_in_short(config: &Config, target: Option<Target<'_>>, make: impl FnOnce(&mut Buffer<'_>)) {
    let mut room = [0; 3072];
    let mut out = Buffer::new(&mut room);
    make(&mut out);
    write(config, target, out.finish());
}

/// Tells of the first initialisation: the event where events are asked for, the line where
/// `FORKGUARD_VERBOSE` asks for it.
pub fn initialised(at: &Moment) {
    let config = config::get();
    let said = config.verbose >= 1;
    let event = events_wanted(config);
    let said = said && speaks(config);
    if !said && event.is_none() && config.trace().is_none() {
        return;
    }
    let _errno = ErrnoGuard::new();
    if let Some(mut claim) = Claim::take() {
        let tools = claim.tools();
        let scene = Scene::ask(&mut tools.scene, colour(config));
        if said {
            let mut out = Buffer::new(&mut tools.text);
            text::initialised(&mut out, at, &scene);
            sink::to_stderr(out.finish());
        }
        if event.is_some() || config.trace().is_some() {
            let mut out = Buffer::new(&mut tools.event);
            json::initialised(&mut out, at, config.policy().name(), &scene);
            write(config, event, out.finish());
        }
        return;
    }
    if said {
        line(|out| text::initialised(out, at, &Scene::UNKNOWN));
    }
    if event.is_some() || config.trace().is_some() {
        let policy = config.policy().name();
        event_in_short(config, event, |out| {
            json::initialised_short(out, at, policy, &Scene::UNKNOWN);
        });
    }
}

/// Tells a trace, and nobody else.
pub fn noted(noted: Noted, at: &Moment) {
    let config = config::get();
    let _errno = ErrnoGuard::new();
    let policy = config.policy().name();
    let initialised = lineage::initialisation();
    if let Some(mut claim) = Claim::take() {
        let tools = claim.tools();
        let scene = Scene::ask(&mut tools.scene, false);
        let mut out = Buffer::new(&mut tools.event);
        json::noted(&mut out, noted, at, initialised, policy, &scene);
        write(config, None, out.finish());
    } else {
        event_in_short(config, None, |out| {
            json::noted_short(out, noted, at, initialised, policy, &Scene::UNKNOWN);
        });
    }
}

/// Tells of what is no violation, to whom it is to be told: a line by `say`, an event by `make`.
fn tell(
    say: impl FnOnce(&mut Buffer<'_>, &Scene<'_>),
    make: impl FnOnce(&mut Buffer<'_>, &Scene<'_>),
) {
    let config = config::get();
    let _errno = ErrnoGuard::new();
    let Some(mut claim) = Claim::take() else {
        return;
    };
    let tools = claim.tools();
    let scene = Scene::ask(&mut tools.scene, colour(config));
    if config.verbose >= 1 && speaks(config) {
        let mut out = Buffer::new(&mut tools.text);
        say(&mut out, &scene);
        sink::to_stderr(out.finish());
    }
    let target = events_wanted(config);
    if target.is_some() || config.trace().is_some() {
        let mut out = Buffer::new(&mut tools.event);
        make(&mut out, &scene);
        write(config, target, out.finish());
    }
}

/// Tells of a forked process that used CUDA and goes on.
pub fn served(served: &Served<'_>) {
    tell(
        |out, scene| text::served(out, served, scene),
        |out, scene| json::served(out, served, scene),
    );
}

/// Whether anybody is to be told of what is no violation: forks rewritten and refused, processes
/// served.
pub fn tells_of_service() -> bool {
    let config = config::get();
    config.verbose >= 1 || events_wanted(config).is_some() || config.trace().is_some()
}

/// On stderr, silence is the rule; a file that was asked for is told everything.
fn events_wanted(config: &Config) -> Option<Target<'_>> {
    config
        .report()
        .filter(|target| config.verbose >= 1 || *target != Target::Stderr)
}

/// Tells what became of a fork under `exec`.
pub fn rewritten(rewrite: &Rewrite<'_>, at: &Moment) {
    tell(
        |out, _| text::rewritten(out, rewrite, at),
        |out, scene| json::rewritten(out, rewrite, at, lineage::initialisation(), scene),
    );
}

/// Tells of the first use of a driver function in this process, for `FORKGUARD_VERBOSE=2`.
pub fn first_use(function: &str, caller: usize) {
    let config = config::get();
    if config.verbose < 2 || !speaks(config) {
        return;
    }
    let _errno = ErrnoGuard::new();
    line(|out| text::first_use(out, raw::getpid(), function, caller));
}

/// Says one thing that the user should know and that is no violation, on stderr.
pub fn notice(message: fmt::Arguments<'_>) {
    let _errno = ErrnoGuard::new();
    line(|out| out.put(format_args!("forkguard: {message}\n")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffers_have_one_owner_who_may_be_dead() {
        let claim = Claim::take().unwrap();
        assert!(Claim::take().is_none());
        drop(claim);
        assert!(Claim::take().is_some());
        // As a forked child finds them: a thread of the parent was reporting at the fork.
        let parent = u64::from(raw::getpid() as u32 + 1) << 32 | 7;
        BENCH.owner.store(parent, Ordering::Relaxed);
        assert!(Claim::take().is_some());
        assert_eq!(BENCH.owner.load(Ordering::Relaxed), 0);
    }
}
