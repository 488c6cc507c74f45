//! `revive`: the forked child gets a driver of its own.
//!
//! Decided at the first use of CUDA, by the thread that comes first; others of the process wait for
//! it. All that could speak against it is looked at before anything is changed. Then, in this
//! order: what is left of the parent's devices is dropped, the libraries' data is put back,
//! `cuInit` is called, and this process is the one that initialised CUDA; the call that came here
//! goes on. How, is in [`crate::revive`].

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_uint};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use forkguard_record::State;

use super::{Call, teardown, violation};
use crate::config;
use crate::gate::{self, Standing};
use crate::lineage;
use crate::python::torch;
use crate::report::buffer::Buffer;
use crate::report::{Kind, Service, native};
use crate::revive::image::{self, Fit, Unfit};
use crate::revive::inherited::{self, Unknown};
use crate::revive::runtime::{self, Registry};
use crate::sys::process_lock::ProcessLock;
use crate::sys::{modules, raw, thread};
use crate::{family, record, siblings};

/// Bytes of the reason kept.
const REASON: usize = 512;

static REVIVING: ProcessLock = ProcessLock::new();
/// The process that was refused, 0 for none; a child that inherits the number is not that process.
static REFUSED_IN: AtomicI32 = AtomicI32::new(0);

struct Reason(UnsafeCell<[u8; REASON]>);

// SAFETY: written by the thread that has `REVIVING`, before it stores the length and `REFUSED_IN`;
// read after both, and never written again in that process.
unsafe impl Sync for Reason {}

static TEXT: Reason = Reason(UnsafeCell::new([0; REASON]));
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Set while this process is between two drivers: from before anything of the parent's is dropped until
/// its own has started. A child that another thread forks meanwhile finds it set, and devices and data
/// that no longer tell how the parent left them.
static BETWEEN: AtomicBool = AtomicBool::new(false);

struct Kept(UnsafeCell<Option<Registry>>);

// SAFETY: written by the thread that has `REVIVING`, before `BETWEEN` is set; read where that is set.
unsafe impl Sync for Kept {}

/// The list of runtimes, as it was found before.
static KEPT: Kept = Kept(UnsafeCell::new(None));

/// Why a process gets no driver of its own.
#[derive(Clone, Copy)]
enum Refusal {
    /// XLA waits for threads.
    Xla,
    /// PyTorch refuses by itself.
    Torch,
    /// The runtime API was started in the parent, by the code at this address.
    Runtime(usize),
    /// The parent had a context.
    Context,
    /// It had something else of the driver's.
    Object,
    /// A library's data cannot be put back.
    Unfit(Unfit),
    /// What was inherited cannot be known.
    Unknown(Unknown),
    /// Nor dropped.
    NotDropped(c_int),
    /// `cuInit` failed here.
    Init(u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Xla => f.write_str(
                "XLA waits for threads that were not copied by the fork, and a driver of its own \
                 would not bring them back",
            ),
            Self::Torch => f.write_str(
                "this version of PyTorch remembers that it was forked, and refuses by itself \
                 whatever the driver would answer; let the parent not use it for CUDA",
            ),
            Self::Runtime(caller) => write!(
                f,
                "{} used CUDA's runtime API in the parent for more than counting devices, and what \
                 that keeps of the driver cannot be put right (its calls would fail with \
                 cudaErrorContextIsDestroyed); let the parent ask about CUDA without it, as \
                 PYTORCH_NVML_BASED_CUDA_CHECK=1 makes PyTorch do, or not at all",
                native::library(caller).unwrap_or("a library")
            ),
            Self::Context => f.write_str(
                "the parent had created a context, and what is the parent's there (memory, \
                 streams, modules) would crash this process if it used it; if no forked process \
                 does, say so with FORKGUARD_REVIVE=foreign-handles-unused",
            ),
            Self::Object => f.write_str(
                "the parent had created something of the driver's (a library, a graph, memory to \
                 be mapped) that would crash this process if it used it; if no forked process \
                 does, say so with FORKGUARD_REVIVE=foreign-handles-unused",
            ),
            Self::Unfit(Unfit::NotSaved) => f.write_str(
                "libcuda's data was not saved before CUDA was initialised: cuInit was called by a \
                 way that forkguard does not see, or there was no memory for the copy",
            ),
            Self::Unfit(Unfit::Moved) => f.write_str(
                "libcuda was unloaded since its data was saved, and is loaded elsewhere or not at \
                 all; let the program keep it loaded",
            ),
            Self::Unfit(Unfit::Changed(library)) => write!(
                f,
                "{library}'s data does not lie as it did when it was saved, or may not be written"
            ),
            Self::Unknown(Unknown::Mappings(errno)) => write!(
                f,
                "what this process inherited of the parent's devices cannot be known: \
                 /proc/self/maps could not be read ({})",
                Errno(errno)
            ),
            Self::Unknown(Unknown::Descriptors(errno)) => write!(
                f,
                "what this process inherited of the parent's devices cannot be known: \
                 /proc/self/fd could not be read ({})",
                Errno(errno)
            ),
            Self::Unknown(Unknown::Nothing) => f.write_str(
                "nothing of /dev/nvidia* was inherited, so this driver (of WSL? of Tegra?) keeps \
                 its devices in a way that forkguard does not know, and what is shared with the \
                 parent cannot be told",
            ),
            Self::Unknown(Unknown::Shared) => f.write_str(
                "this process was made by a system call of its own (clone), and may share its \
                 open files with its parent, whose devices would be closed with it; make it with \
                 fork",
            ),
            Self::NotDropped(errno) => write!(
                f,
                "what this process inherited of the parent's devices could not be dropped ({})",
                Errno(errno)
            ),
            Self::Init(code) => write!(
                f,
                "the driver was put back, and cuInit answered {code}{}",
                CodeName(code)
            ),
        }
    }
}

/// An error of the operating system, by its number: the C library's texts are not to be had here.
struct Errno(c_int);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            libc::ENOENT => f.write_str("it is not there: mount /proc"),
            libc::EACCES | libc::EPERM => f.write_str("not permitted"),
            libc::EMFILE | libc::ENFILE => f.write_str("too many open files"),
            libc::ENOMEM => f.write_str("no memory"),
            errno => write!(f, "error {errno}"),
        }
    }
}

/// What the driver calls one of its codes, in parentheses.
struct CodeName(u32);

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        type ErrorName = unsafe extern "C" fn(u32, *mut *const c_char) -> u32;
        let Some(address) = image::function(c"cuGetErrorName") else {
            return Ok(());
        };
        // SAFETY: libcuda's function of that name, which works whatever state the driver is in.
        let error_name: ErrorName = unsafe { core::mem::transmute(address) };
        let mut name = core::ptr::null();
        // SAFETY: any code, and a place for the answer, which is a constant text or null.
        let text = unsafe {
            error_name(self.0, &raw mut name);
            if name.is_null() {
                return Ok(());
            }
            CStr::from_ptr(name)
        };
        write!(f, " ({})", text.to_str().unwrap_or("?"))
    }
}

/// In a process that forks, or in its child: whether it is known already that a child cannot be
/// served.
pub fn would_refuse() -> bool {
    let unknown = || lineage::runtime_api().is_some() && registry().is_none();
    !image::is_saved() || of_the_parent().is_some() || unknown()
}

/// The list of runtimes that the parent's driver has.
fn registry() -> Option<Registry> {
    if BETWEEN.load(Ordering::Acquire) {
        // SAFETY: written before it was set, and not while it is.
        return unsafe { *KEPT.0.get() };
    }
    Registry::find()
}

/// From here on nothing tells any more how the parent left its devices, and this list of its driver's.
fn begin(registry: Option<Registry>) {
    if BETWEEN.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: this thread has the lock, and nobody reads before it is set.
    unsafe { *KEPT.0.get() = registry };
    BETWEEN.store(true, Ordering::Release);
}

/// What the parent did that cannot be undone.
fn of_the_parent() -> Option<Refusal> {
    if let Some(caller) = lineage::runtime_api()
        && (lineage::has_context() || lineage::has_object())
    {
        // Of a driver that was more than asked a runtime keeps more than can be found.
        return Some(Refusal::Runtime(caller));
    }
    if config::get().foreign_handles_unused {
        return None;
    }
    if lineage::has_context() {
        return Some(Refusal::Context);
    }
    lineage::has_object().then_some(Refusal::Object)
}

/// Gives this process a driver of its own. False where that cannot be done.
pub fn act(call: &Call<'_>) -> bool {
    settle(|| decide(call))
}

/// A runtime asks the driver for its private tables, which it does right before it initialises it:
/// whether this process has a driver of its own now. Where it gets none, that is no violation yet.
pub fn for_runtime(call: &Call<'_>) -> bool {
    let config = config::get();
    // Asked when no other thread is at it: a driver that is being put back would be refused.
    let act = || !would_refuse() && decide(call);
    config.revives() && config.in_place().is_none() && settle(act)
}

/// Whether this process has a driver of its own, which `decide` gives it where that is not settled
/// yet; other threads of it wait for that.
fn settle(decide: impl FnOnce() -> bool) -> bool {
    let here = thread::current();
    let Some(reviving) = here.begin_reviving() else {
        // A signal handler, in the middle of it: the driver answers as far as it has come.
        return true;
    };
    // What `cuInit` forks is the driver's own.
    here.in_driver.set(here.in_driver.get() + 1);
    let held = REVIVING.take();
    let revived = match gate::standing() {
        Standing::Own => true,
        Standing::Forked if REFUSED_IN.load(Ordering::Acquire) == raw::getpid() => false,
        Standing::Forked => decide(),
    };
    drop(held);
    here.in_driver.set(here.in_driver.get() - 1);
    drop(reviving);
    revived
}

fn decide(call: &Call<'_>) -> bool {
    let served = violation::serve(call, || match revive(call) {
        Ok(service) => service,
        Err(refusal) => {
            keep(&refusal);
            Service::NotRevived
        }
    });
    if served == Service::NotRevived {
        return false;
    }
    record::served(State::Revived);
    lineage::restart(call.name, call.caller);
    siblings::restart();
    family::restart();
    modules::refresh();
    teardown::prepare();
    record::begin(lineage::initialisation());
    gate::stand_alone();
    true
}

fn keep(refusal: &Refusal) {
    // SAFETY: this thread has the lock, and nobody reads before the number is stored.
    let mut out = Buffer::new(unsafe { &mut *TEXT.0.get() });
    out.put(format_args!("{refusal}"));
    LENGTH.store(out.end(), Ordering::Relaxed);
    REFUSED_IN.store(raw::getpid(), Ordering::Release);
}

/// Why this process got no driver of its own, where that was tried.
pub fn refusal() -> Option<&'static str> {
    if REFUSED_IN.load(Ordering::Acquire) != raw::getpid() {
        return None;
    }
    // SAFETY: written before the number was stored, and not since.
    let text = unsafe { &(&*TEXT.0.get())[..LENGTH.load(Ordering::Relaxed)] };
    core::str::from_utf8(text).ok()
}

fn revive(call: &Call<'_>) -> Result<Service, Refusal> {
    let began = raw::clock_ns(libc::CLOCK_MONOTONIC);
    match call.kind {
        Kind::XlaCall => return Err(Refusal::Xla),
        Kind::TorchRefusal if !torch::can_forget_fork() => return Err(Refusal::Torch),
        Kind::TorchRefusal | Kind::DriverCall => {}
    }
    if let Some(refusal) = of_the_parent() {
        return Err(refusal);
    }
    let runtime = lineage::runtime_api();
    let registry = runtime.and_then(|_| registry());
    if let (Some(caller), None) = (runtime, registry) {
        return Err(Refusal::Runtime(caller));
    }
    let fit = image::check().map_err(Refusal::Unfit)?;
    // Who was about to open them may not have come to it.
    let may_have_none = lineage::is_initialising() || BETWEEN.load(Ordering::Relaxed);
    // SAFETY: this thread has the lock.
    let inherited = unsafe { inherited::check(may_have_none) }.map_err(Refusal::Unknown)?;
    begin(registry);
    // SAFETY: as above; in this process every call of CUDA was refused so far, and the parent's
    // handles are not used here: there are none, or the user says so.
    unsafe { inherited.drop_all() }.map_err(Refusal::NotDropped)?;
    // SAFETY: just dropped.
    unsafe { fit.put_back() };
    let driver = raw::clock_ns(libc::CLOCK_MONOTONIC);
    let result = initialise(&fit);
    let ended = raw::clock_ns(libc::CLOCK_MONOTONIC);
    inherited::note_after();
    if result != 0 {
        return Err(Refusal::Init(result));
    }
    runtime::driver_started();
    if let (Some(caller), Some(registry)) = (runtime, registry)
        && !registry.take_over()
    {
        return Err(Refusal::Runtime(caller));
    }
    BETWEEN.store(false, Ordering::Release);
    let noted = raw::clock_ns(libc::CLOCK_MONOTONIC) - ended;
    Ok(Service::Revived {
        took_us: (driver - began + noted) / 1000,
        driver_us: (ended - driver) / 1000,
    })
}

fn initialise(fit: &Fit) -> u32 {
    // SAFETY: libcuda's `cuInit`, in a driver that was never initialised.
    let init: unsafe extern "C" fn(c_uint) -> u32 = unsafe { core::mem::transmute(fit.init()) };
    // SAFETY: its only argument must be 0.
    unsafe { init(0) }
}
