//! From a call in a forked process to its report.
//!
//! The order is what matters. First what can be had without any risk: who, when, the Python stack
//! (read in place), whether a sibling already told this cause; and the report's first line is
//! written. Then, with an alarm set where the process is to end anyway, the native stack, the
//! names, the rest.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use forkguard_protocol::tellers::{Entry, Telling, Told};
use forkguard_record::State;

use super::{Call, exec, revive};
use crate::gate::slots;
use crate::lineage::{self, FORKS_GIVEN, Fork, Moment};
use crate::record;
use crate::report::limit::{self, Admitted};
use crate::report::{Action, Kind, Served, Service, Violation, emit};
use crate::siblings;
use crate::stack::{native, python, spare};
use crate::sys::raw;

/// Seconds for the rest of the report before the process is ended without it.
const PATIENCE: u32 = 5;

struct Used(UnsafeCell<Moment>);

// SAFETY: written only by the thread that has the `Claim`.
unsafe impl Sync for Used {}

static USED: Used = Used(UnsafeCell::new(Moment::EMPTY));

/// That this thread reports, and nobody else in its process; given back when dropped. In a page that
/// the kernel clears: who was reporting in the parent at the fork does not in the child.
struct Claim(&'static AtomicU32);

/// Who reports already.
enum Reporting {
    /// This very thread, which a signal's handler interrupts.
    Here,
    /// Another one.
    Elsewhere,
}

impl Claim {
    fn take() -> Result<Self, Reporting> {
        let word = slots::reporting_word();
        let me = raw::gettid() as u32;
        match word.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Self(word)),
            Err(who) if who == me => Err(Reporting::Here),
            Err(_) => Err(Reporting::Elsewhere),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Reports the call. Returns when the report is out; a thread that comes while another reports,
/// under a policy that ends the process, waits for that end.
pub fn report(call: &Call, action: Action, policy: &str) {
    let claim = match Claim::take() {
        Ok(claim) => claim,
        Err(Reporting::Elsewhere) if matches!(action, Action::Abort(_)) => loop {
            // SAFETY: waits for a signal; the reporting thread ends the process.
            unsafe { libc::pause() };
        },
        Err(_) => return,
    };
    // SAFETY: this thread has the claim.
    let used = unsafe { &mut *USED.0.get() };
    record::violation(match action {
        Action::Abort(_) => State::Ending,
        Action::Warn | Action::Watch => State::Warned,
    });
    // SAFETY: this thread has the claim.
    unsafe { spare::with_room(|| tell(used, call, action, policy)) };
    drop(claim);
}

/// Tells, where that is asked for, what is done about this process's use of CUDA besides reporting
/// it. `serve` does it, between the moment that is told and the telling.
pub fn serve(call: &Call, serve: impl FnOnce() -> Service) -> Service {
    if !emit::tells_of_service() {
        return serve();
    }
    let Ok(claim) = Claim::take() else {
        return serve();
    };
    // SAFETY: this thread has the claim.
    let used = unsafe { &mut *USED.0.get() };
    let noted = &mut *used;
    // SAFETY: this thread has the claim.
    unsafe {
        spare::with_room(|| {
            note(noted, call);
            if native::is_safe() {
                native::capture(&mut noted.stack);
            }
        });
    }
    let (forks, count) = line();
    let (initialised, context) = (lineage::initialisation(), lineage::has_context());
    let service = serve();
    let served = Served {
        service,
        initialised,
        context,
        forks: &forks[..count],
        used,
    };
    // SAFETY: as above.
    unsafe { spare::with_room(|| emit::served(&served)) };
    drop(claim);
    service
}

/// Who and when, and the Python stack, which is read in place.
fn note(used: &mut Moment, call: &Call) {
    used.stack.native_len = 0;
    python::capture(&mut used.stack.python);
    used.stamp(call.name, call.caller);
}

/// The forks that led here.
fn line() -> ([&'static Fork; FORKS_GIVEN], usize) {
    let mut found: [Option<&'static Fork>; FORKS_GIVEN] = [None; FORKS_GIVEN];
    let count = lineage::forks(&mut found);
    let mut forks: [&Fork; FORKS_GIVEN] = [lineage::nowhere(); FORKS_GIVEN];
    for (place, fork) in forks.iter_mut().zip(found.iter().flatten()) {
        *place = fork;
    }
    (forks, count)
}

fn tell(used: &mut Moment, call: &Call, action: Action, policy: &str) {
    note(used, call);
    let (forks, count) = line();
    let telling = siblings::tell(cause(used, call), used.pid);
    let told = match telling {
        Telling::First(_) => None,
        Telling::Repeated(told) => Some(told),
    };

    // Where the causes are more than are remembered, each counts as told before.
    let is_first = matches!(telling, Telling::First(Some(_)));
    let admitted = if action == Action::Watch {
        Some(Admitted::default())
    } else {
        limit::admit(limit::Kind::Violation, is_first)
    };
    let about = About {
        call,
        action,
        policy,
        forks: &forks[..count],
        told,
        admitted,
    };

    emit::first(&about.violation(used));
    let ends = matches!(action, Action::Abort(_));
    let alarm = ends.then(|| Alarm::set(action, telling));
    if native::is_safe() || ends {
        native::capture(&mut used.stack);
    }
    emit::rest(&about.violation(used));
    if let Telling::First(Some(entry)) = telling {
        siblings::done(entry);
    }
    #[cfg(not(any(test, fuzzing)))]
    crate::exports::debug::forkguard_violation();
    drop(alarm);
}

/// What is known before the native stack is taken.
struct About<'a> {
    call: &'a Call<'a>,
    action: Action,
    policy: &'a str,
    forks: &'a [&'a Fork],
    told: Option<Told>,
    admitted: Option<Admitted>,
}

impl About<'_> {
    fn violation<'a>(&'a self, used: &'a Moment) -> Violation<'a> {
        Violation {
            action: self.action,
            policy: self.policy,
            kind: self.call.kind,
            initialised: lineage::initialisation(),
            initialising: lineage::is_initialising(),
            context: lineage::has_context(),
            forks: self.forks,
            used,
            told_by: self.told.map(|told| told.by),
            repeats: self.told.map_or(0, |told| told.repeats),
            admitted: self.admitted,
            refusal: exec::refusal(),
            not_revived: revive::refusal(),
        }
    }
}

/// What two processes have in common when they die of one cause: the line that used CUDA.
fn cause(used: &Moment, call: &Call) -> u64 {
    used.cause(&[match call.kind {
        Kind::DriverCall => 1,
        Kind::TorchRefusal => 2,
        Kind::XlaCall => 3,
    }])
}

/// Ends the process if the rest of the report takes too long: something it needs is held by a
/// thread that does not exist here.
struct Alarm;

/// One more than the exit code to end with; 0 for none.
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);
/// What this process tells for its family; null for nothing.
static TELLS: AtomicPtr<Entry> = AtomicPtr::new(core::ptr::null_mut());

impl Alarm {
    fn set(action: Action, telling: Telling<'static>) -> Self {
        if let Telling::First(Some(entry)) = telling {
            TELLS.store((&raw const *entry).cast_mut(), Ordering::Relaxed);
        }
        if let Action::Abort(Some(code)) = action {
            EXIT_CODE.store(i32::from(code) + 1, Ordering::Relaxed);
        }
        // SAFETY: a zeroed `sigaction` with a handler of the plain kind; the handler only makes
        // async-signal-safe calls. The process is about to end: nothing is to be put back.
        unsafe {
            let mut act: libc::sigaction = core::mem::zeroed();
            act.sa_sigaction = on_alarm as *const () as usize;
            libc::sigaction(libc::SIGALRM, &raw const act, core::ptr::null_mut());
            let mut only: libc::sigset_t = core::mem::zeroed();
            libc::sigemptyset(&raw mut only);
            libc::sigaddset(&raw mut only, libc::SIGALRM);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, core::ptr::null_mut());
            libc::alarm(PATIENCE);
        }
        Self
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: takes any number.
        unsafe { libc::alarm(0) };
    }
}

extern "C" fn on_alarm(_signal: c_int) {
    let code = EXIT_CODE.load(Ordering::Relaxed);
    emit::notice(format_args!(
        "the rest of this report could not be produced within {PATIENCE} s (a lock is held by a \
         thread that this forked process does not have); ending pid {}",
        raw::getpid(),
    ));
    // Others would not get further.
    // SAFETY: null, or an entry of a page that is never unmapped.
    if let Some(entry) = unsafe { TELLS.load(Ordering::Relaxed).as_ref() } {
        siblings::done(entry);
    }
    if code > 0 {
        raw::exit_now(code - 1);
    }
    // SAFETY: restores the default, so that the signal ends the process whatever handlers it has.
    unsafe {
        libc::signal(libc::SIGABRT, libc::SIG_DFL);
        libc::abort();
    }
}
