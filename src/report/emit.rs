//! Making a report and sending it off: what the policies call.
//!
//! Runs in a forked child in any state. The large buffers are static, because reports are also
//! made on alternate signal stacks and small threads; one thread at a time has them, and
//! another one that comes meanwhile waits for nothing and uses a short form.
//!
//! A process that is to end anyway may be held up a little by a reader that is slow; one that goes
//! on is not. What is written is limited for the whole family ([`super::limit`]).

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use super::buffer::Buffer;
use super::limit::{self, Admitted};
use super::scene::{Room, Scene};
use super::sink::{self, Pace, Target};
use super::{Action, LISTED, Noted, Served, Service, Violation, json, text};
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

/// Where an event goes besides the trace, and what becomes of it.
#[derive(Clone, Copy)]
struct Sending<'a> {
    kind: limit::Kind,
    /// Where it was asked for, unless the family has written too many.
    target: Option<Target<'a>>,
    /// What it tells of others.
    omitted: Admitted,
    pace: Pace,
}

impl<'a> Sending<'a> {
    fn new(
        kind: limit::Kind,
        target: Option<Target<'a>>,
        admitted: Option<Admitted>,
        pace: Pace,
    ) -> Self {
        Self {
            kind,
            target: target.filter(|_| admitted.is_some()),
            omitted: admitted.unwrap_or_default(),
            pace,
        }
    }

    /// Whether there is anybody to be told.
    fn is_wanted(&self, config: &Config) -> bool {
        self.target.is_some() || config.trace().is_some()
    }

    /// How much of a buffer the event may take.
    fn most(&self, buffer: usize) -> usize {
        self.target
            .map_or(buffer, |target| sink::most(target).min(buffer))
    }

    /// Writes the event to where it was asked for, and to the trace.
    fn write(&self, config: &Config, event: &[u8]) {
        if let Some(target) = self.target
            && !sink::event(target, event, self.pace)
        {
            limit::not_written(self.kind, self.omitted);
        }
        if let Some(path) = config.trace() {
            sink::trace(path, event);
        }
    }
}

fn colour(config: &Config) -> bool {
    !config.plain && sink::stderr_is_terminal()
}

/// Formats up to one line on the stack and writes it to stderr.
///
/// Not inlined: each copy would add its buffer to the caller's frame, on what may be a very
/// small stack.
#[inline(never)]
fn line(pace: Pace, make: impl FnOnce(&mut Buffer<'_>)) {
    let mut room = [0; LINE];
    let mut out = Buffer::new(&mut room);
    make(&mut out);
    sink::to_stderr(out.finish_printable(), pace);
}

/// How much a violation may hold up its process.
fn pace_of(v: &Violation<'_>) -> Pace {
    if v.ends() { Pace::Ends } else { Pace::GoesOn }
}

/// Whether a violation is told as text: of one cause, by so many processes, and of causes without
/// end, no more than events.
fn is_listed(v: &Violation<'_>) -> bool {
    match v.told_by {
        Some(_) => v.repeats <= LISTED,
        None => v.admitted.is_some(),
    }
}

/// Writes the first line of a violation's report, before anything is looked at that could go
/// wrong. Where a sibling already told it, the line is the whole text.
pub fn first(v: &Violation<'_>) {
    let config = config::get();
    if !speaks(config) || !is_told(v) || v.told_by.is_some() || !is_listed(v) {
        return;
    }
    let _errno = ErrnoGuard::new();
    let scene = Scene {
        colour: colour(config),
        ..Scene::UNKNOWN
    };
    line(pace_of(v), |out| text::first_line(out, v, &scene));
}

/// Writes the rest of a violation's report, and its event.
pub fn rest(v: &Violation<'_>) {
    let config = config::get();
    let _errno = ErrnoGuard::new();
    let speaks = speaks(config) && is_told(v) && is_listed(v);
    let pace = pace_of(v);
    let target = config.report().filter(|_| is_told(v));
    let sending = Sending::new(limit::Kind::Violation, target, v.admitted, pace);
    if let Some(mut claim) = Claim::take() {
        let tools = claim.tools();
        let mut scene = Scene::ask(&mut tools.scene, colour(config));
        scene.omitted = sending.omitted;
        if speaks {
            let mut out = Buffer::new(&mut tools.text);
            if v.told_by.is_some() {
                text::told(&mut out, v, &scene);
            } else {
                text::rest(&mut out, v, &scene);
            }
            sink::to_stderr(out.finish_printable(), pace);
        }
        // One report a cause: where the text is kept, the end of the file may be all that is read.
        if let Some(path) = config.text_report()
            && is_told(v)
            && v.told_by.is_none()
            && is_listed(v)
        {
            let mut out = Buffer::new(&mut tools.text);
            let plain = Scene {
                colour: false,
                ..scene
            };
            // As an event has one, for where what stands before is no whole line.
            out.put_str("\n");
            text::violation(&mut out, v, &plain);
            sink::copy_of_text(path, out.finish_printable(), pace);
        }
        if sending.is_wanted(config) {
            let mut out = Buffer::new(&mut tools.event[..sending.most(EVENT)]);
            json::violation(&mut out, v, &scene);
            sending.write(config, out.finish());
        }
        return;
    }
    if speaks {
        told_in_short(v);
    }
    if sending.is_wanted(config) {
        event_in_short(config, sending, |out, scene| {
            json::violation_short(out, v, scene);
        });
    }
}

/// What a thread says while another one has the buffers.
#[cold]
#[inline(never)]
fn told_in_short(v: &Violation<'_>) {
    line(pace_of(v), |out| {
        if v.told_by.is_some() {
            text::told(out, v, &Scene::UNKNOWN);
        } else {
            text::short(out, v);
        }
    });
}

/// An event that is made on the stack. Not inlined, as `line`.
#[inline(never)]
fn event_in_short(
    config: &Config,
    sending: Sending<'_>,
    make: impl FnOnce(&mut Buffer<'_>, &Scene<'_>),
) {
    let mut room = [0; 3072];
    let mut out = Buffer::new(&mut room);
    let scene = Scene {
        omitted: sending.omitted,
        ..Scene::UNKNOWN
    };
    make(&mut out, &scene);
    sending.write(config, out.finish());
}

/// Tells of the first initialisation: the event where events are asked for, the line where
/// `FORKGUARD_VERBOSE` asks for it.
pub fn initialised(at: &Moment) {
    let config = config::get();
    let policy = config.policy().name();
    let made = tell(
        limit::Kind::Initialised,
        || true,
        |out, scene| text::initialised(out, at, scene),
        |out, scene| json::initialised(out, at, policy, scene),
    );
    if made {
        return;
    }
    let _errno = ErrnoGuard::new();
    if config.verbose >= 1 && speaks(config) {
        line(Pace::GoesOn, |out| {
            text::initialised(out, at, &Scene::UNKNOWN);
        });
    }
    let kind = limit::Kind::Initialised;
    let admitted = Some(Admitted::default());
    let sending = Sending::new(kind, events_wanted(config), admitted, Pace::GoesOn);
    if sending.is_wanted(config) {
        event_in_short(config, sending, |out, scene| {
            json::initialised_short(out, at, policy, scene);
        });
    }
}

/// Tells a trace, and nobody else.
pub fn noted(noted: Noted, at: &Moment) {
    let config = config::get();
    let _errno = ErrnoGuard::new();
    let policy = config.policy().name();
    let initialised = lineage::initialisation();
    // The limit is for what is written elsewhere.
    let sending = Sending::new(limit::Kind::Initialised, None, None, Pace::GoesOn);
    if let Some(mut claim) = Claim::take() {
        let tools = claim.tools();
        let scene = Scene::ask(&mut tools.scene, false);
        let mut out = Buffer::new(&mut tools.event);
        json::noted(&mut out, noted, at, initialised, policy, &scene);
        sending.write(config, out.finish());
    } else {
        event_in_short(config, sending, |out, scene| {
            json::noted_short(out, noted, at, initialised, policy, scene);
        });
    }
}

/// Tells of what is no violation, to whom it is to be told: a line by `say`, an event by `make`.
/// Answers false where another thread has the buffers.
fn tell(
    kind: limit::Kind,
    is_first: impl FnOnce() -> bool,
    say: impl FnOnce(&mut Buffer<'_>, &Scene<'_>),
    make: impl FnOnce(&mut Buffer<'_>, &Scene<'_>),
) -> bool {
    let config = config::get();
    let said = config.verbose >= 1 && speaks(config);
    let target = events_wanted(config);
    if !said && target.is_none() && config.trace().is_none() {
        return true;
    }
    let _errno = ErrnoGuard::new();
    let Some(mut claim) = Claim::take() else {
        return false;
    };
    let tools = claim.tools();
    let admitted = if said || target.is_some() {
        limit::admit(kind, is_first())
    } else {
        None
    };
    let sending = Sending::new(kind, target, admitted, Pace::GoesOn);
    let mut scene = Scene::ask(&mut tools.scene, colour(config));
    scene.omitted = sending.omitted;
    if said && admitted.is_some() {
        let mut out = Buffer::new(&mut tools.text);
        say(&mut out, &scene);
        sink::to_stderr(out.finish_printable(), Pace::GoesOn);
    }
    if sending.is_wanted(config) {
        let mut out = Buffer::new(&mut tools.event[..sending.most(EVENT)]);
        make(&mut out, &scene);
        sending.write(config, out.finish());
    }
    true
}

/// Tells of a forked process that used CUDA and goes on.
pub fn served(served: &Served<'_>) {
    let (kind, name) = match served.service {
        Service::Absent => (limit::Kind::Absent, &b"cpu"[..]),
        Service::Revived { .. } => (limit::Kind::Revived, &b"revived"[..]),
        Service::NotRevived => (limit::Kind::Refused, &b"not revived"[..]),
    };
    tell(
        kind,
        || limit::is_first(served.used.cause(name)),
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
    // Of forks that are refused at one place, each reason is a cause of its own.
    let (kind, name) = match rewrite.child {
        Some(_) => (limit::Kind::Rewritten, &b"rewritten"[..]),
        None => (limit::Kind::Refused, rewrite.reason.as_bytes()),
    };
    tell(
        kind,
        || limit::is_first(at.cause(name)),
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
    line(Pace::GoesOn, |out| {
        text::first_use(out, raw::getpid(), function, caller);
    });
}

/// Says one thing that the user should know and that is no violation, on stderr.
pub fn notice(message: fmt::Arguments<'_>) {
    let _errno = ErrnoGuard::new();
    line(Pace::GoesOn, |out| {
        out.put(format_args!("forkguard: {message}\n"));
    });
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
