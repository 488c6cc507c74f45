//! The members' side of the record.
//!
//! Runs where CUDA is initialised, and in forked children that may hold any lock for ever: atomics
//! and nothing else. Other members may write anything at any time, so nothing that is read back here
//! decides about more than which slot is taken.

use core::mem::size_of;
use core::sync::atomic::Ordering;

use crate::layout::{LAYOUT, MAGIC, Record, SLOTS, Slot};
use crate::sync::{AtomicU64, fence};
use crate::{Forked, Initialised, Owner, State};

fn put<const LEN: usize>(places: &[AtomicU64; LEN], addresses: &[u64; LEN]) {
    for (place, address) in places.iter().zip(addresses) {
        place.store(*address, Ordering::Relaxed);
    }
}

/// Slots that a child looks at before it goes without one.
const TRIES: u32 = 64;

impl Record {
    /// Says who initialised CUDA, and where. Once, in a record of which nothing is written.
    pub fn begin(&self, by: &Initialised<'_>) {
        let header = &self.header;
        header.layout.store(LAYOUT, Ordering::Relaxed);
        header
            .slot_size
            .store(size_of::<Slot>() as u32, Ordering::Relaxed);
        header.slots.store(SLOTS as u32, Ordering::Relaxed);
        header.pid.store(by.pid, Ordering::Relaxed);
        header.tid.store(by.tid, Ordering::Relaxed);
        header.unix_ns.store(by.unix_ns, Ordering::Relaxed);
        header.boot_ns.store(by.boot_ns, Ordering::Relaxed);
        header.namespace.store(by.namespace, Ordering::Relaxed);
        header.version.put(by.version);
        header.thread.put(by.thread);
        header.caller.store(by.caller, Ordering::Relaxed);
        put(&header.native, &by.native);
        header.function.put(by.function);
        header.policy.put(by.policy);
        header.place.put(by.place);
        header.magic.store(MAGIC, Ordering::Release);
    }

    /// A context was created.
    pub fn note_context(&self) {
        self.header.context.store(1, Ordering::Relaxed);
    }

    /// A slot for a child of this process, which is about to be forked, if there is one. `is_alive` is
    /// asked about processes of this one's pid namespace only.
    ///
    /// The slots are given out in turn. The slot of a process of another namespace is left alone,
    /// for nobody here can tell whether that is gone.
    pub fn claim(&self, me: Owner, is_alive: impl Fn(i32) -> bool) -> Option<usize> {
        for _ in 0..TRIES {
            let next = self.header.next.fetch_add(1, Ordering::Relaxed);
            let index = next as usize % SLOTS;
            let slot = &self.slot[index];
            let owner = slot.owner.load(Ordering::Acquire);
            let other = owner as u32 as i32;
            let free = owner == 0 || owner >> 32 == u64::from(me.namespace) && !is_alive(other);
            if free
                && slot
                    .owner
                    .compare_exchange(owner, me.word(), Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                return Some(index);
            }
        }
        None
    }

    /// Says in the slot `index`, which was claimed just now, where the fork is.
    pub fn describe(&self, index: usize, fork: &Forked<'_>) {
        let Some(slot) = self.slot.get(index) else {
            return;
        };
        // The one before may have been killed in the middle of this.
        let writing = (slot.sequence.load(Ordering::Relaxed) | 1).wrapping_add(2);
        slot.sequence.store(writing, Ordering::Relaxed);
        fence(Ordering::Release);
        slot.state.store(State::Unused.code(), Ordering::Relaxed);
        slot.violations.store(0, Ordering::Relaxed);
        slot.pid.store(0, Ordering::Relaxed);
        slot.outer.store(0, Ordering::Relaxed);
        slot.before_ns.store(0, Ordering::Relaxed);
        slot.parent.store(fork.parent, Ordering::Relaxed);
        slot.unix_ns.store(fork.unix_ns, Ordering::Relaxed);
        slot.after_ns.store(fork.after_ns, Ordering::Relaxed);
        put(&slot.native, &fork.native);
        slot.function.put(fork.function);
        slot.place.put(fork.place);
        slot.sequence
            .store(writing.wrapping_add(1), Ordering::Release);
    }

    /// In the child, which is `pid` to itself: the slot that `parent` claimed is this process's.
    pub fn born(&self, index: usize, parent: Owner, pid: i32) {
        if let Some(slot) = self.slot.get(index) {
            slot.pid.store(pid, Ordering::Release);
            let me = Owner { pid, ..parent };
            // Its parent may have been quicker, and knows its number where both are of two
            // namespaces.
            let _ = slot.owner.compare_exchange(
                parent.word(),
                me.word(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
        }
    }

    /// In the parent `me`, to which the child is `child`, and which began before `before_ns`.
    pub fn made(&self, index: usize, me: Owner, child: i32, before_ns: u64) {
        let Some(slot) = self.slot.get(index) else {
            return;
        };
        let known = Owner { pid: child, ..me };
        let was = |owner: Owner| {
            slot.owner
                .compare_exchange(
                    owner.word(),
                    known.word(),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                )
                .is_ok()
        };
        // The child may have been quicker. Its number is asked for only then: before, it may say it
        // at any moment. Where there is none, another process has given the slot back.
        let is_still_its = was(me) || {
            let pid = slot.pid.load(Ordering::Acquire);
            pid != 0 && was(Owner { pid, ..me })
        };
        // It may be gone already, and another process have its slot.
        if is_still_its {
            slot.outer.store(child, Ordering::Relaxed);
            slot.before_ns.store(before_ns, Ordering::Relaxed);
        }
    }

    /// There was no fork: the slot is nobody's.
    pub fn give_back(&self, index: usize, me: Owner) {
        if let Some(slot) = self.slot.get(index) {
            let _ = slot
                .owner
                .compare_exchange(me.word(), 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Whether the child of the slot `index`, which is the calling process, has another number to its
    /// parent than to itself.
    pub fn is_elsewhere(&self, index: usize) -> bool {
        self.slot.get(index).is_some_and(|slot| {
            let outer = slot.outer.load(Ordering::Relaxed);
            outer != 0 && outer != slot.pid.load(Ordering::Relaxed)
        })
    }

    /// What the child of the slot `index` did.
    pub fn set_state(&self, index: usize, state: State) {
        if let Some(slot) = self.slot.get(index) {
            slot.state.store(state.code(), Ordering::Release);
        }
    }

    /// One more violation, by the child of this slot, if it has one.
    pub fn add_violation(&self, index: Option<usize>) {
        self.header.violations.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = index.and_then(|index| self.slot.get(index)) {
            slot.violations.fetch_add(1, Ordering::Relaxed);
        }
    }
}
