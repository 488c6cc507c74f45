//! A few words of memory for each thread, reachable without the loader.
//!
//! A preloaded library's `thread_local!` is reached through `__tls_get_addr`, which may allocate
//! and lock when libraries were loaded since. This block is part of the static TLS block
//! (initial-exec model), so that reading it is one instruction in any thread, signal handler or
//! forked child.

use core::cell::Cell;

use super::raw;

/// What a thread is doing.
#[repr(C)]
pub struct Thread {
    /// The true address of the special function (`cuInit`, …) that the gate lets through now.
    pub special: Cell<usize>,
    /// How deep this thread is inside a real `cuInit`: forks made there are the driver's own.
    pub in_driver: Cell<u32>,
    /// One more than the index of the fork record this thread has claimed, 0 for none.
    pub forking: Cell<u32>,
    /// Set while this thread starts a fresh process: forks made there are the guard's own.
    pub rewriting: Cell<u32>,
    /// The pid that this thread's next `fork` answers: a fresh process already started; 0 for none.
    pub started: Cell<i32>,
    /// One more than the slot of the reason why this thread's fork stays a fork, 0 for none.
    pub refusal: Cell<u32>,
    /// One more than the descriptor of what the next fresh process is to read, 0 for none.
    pub payload: Cell<u32>,
    /// The same of the directory that it is to be in.
    pub directory: Cell<u32>,
    /// The process in which this thread saves the driver's data or puts it back, 0 for none.
    reviving: Cell<i32>,
    /// The semaphore that this thread created last: a hash of its name, and its address.
    pub semaphore_name: Cell<u64>,
    /// See above; 0 for none.
    pub semaphore: Cell<usize>,
    /// The stack of the function that created it, and when.
    pub semaphore_frame: Cell<usize>,
    /// See above, nanoseconds of `CLOCK_MONOTONIC`.
    pub semaphore_time: Cell<u64>,
    /// For which entry of the program this thread's next `fork` is made: the address of its name,
    /// 0 for none.
    pub entry_name: Cell<usize>,
    /// The entry's data: its address.
    pub entry_data: Cell<usize>,
    /// … and its length.
    pub entry_len: Cell<usize>,
}

const _: () = assert!(
    size_of::<Thread>() == 96,
    "the size named in the assembly below"
);

core::arch::global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".p2align 4",
    ".globl forkguard_thread",
    ".hidden forkguard_thread",
    ".type forkguard_thread, @tls_object",
    ".size forkguard_thread, 96",
    "forkguard_thread:",
    ".zero 96",
    ".popsection",
);

/// That a thread saves the driver's data or puts it back, until dropped.
pub struct Reviving<'a>(&'a Thread);

impl Thread {
    /// Notes that this thread saves the driver's data or puts it back. `None` where it is at it: this is
    /// a signal's handler, in the middle of it. In a child that such a handler forks nobody is at it.
    pub fn begin_reviving(&self) -> Option<Reviving<'_>> {
        let here = raw::getpid();
        (self.reviving.replace(here) != here).then(|| Reviving(self))
    }
}

impl Drop for Reviving<'_> {
    fn drop(&mut self) {
        self.0.reviving.set(0);
    }
}

/// The calling thread's block.
pub fn current() -> &'static Thread {
    let block: *const Thread;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the thread pointer and the block's offset from the GOT; no memory is written.
    unsafe {
        core::arch::asm!(
            "mov {block}, qword ptr fs:[0]",
            "add {block}, qword ptr [rip + forkguard_thread@GOTTPOFF]",
            block = out(reg) block,
            options(nostack, readonly),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads the thread pointer and the block's offset from the GOT; no memory is written.
    unsafe {
        core::arch::asm!(
            "adrp {offset}, :gottprel:forkguard_thread",
            "ldr {offset}, [{offset}, :gottprel_lo12:forkguard_thread]",
            "mrs {block}, tpidr_el0",
            "add {block}, {block}, {offset}",
            offset = out(reg) _,
            block = out(reg) block,
            options(nostack, readonly),
        );
    }
    // SAFETY: the block is zeroed memory of this size in this thread's static TLS; all-zero is a
    // valid `Thread`; only this thread (and signal handlers on it) touch it, through `Cell`s.
    unsafe { &*block }
}

/// The address of the calling thread's control block, which glibc places at the top of the
/// stacks it makes; for the first thread it lies elsewhere.
pub fn control_block() -> usize {
    let address: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the thread pointer only.
    unsafe {
        core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) address, options(nostack, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads the thread pointer only.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) address, options(nostack, nomem));
    }
    address
}
