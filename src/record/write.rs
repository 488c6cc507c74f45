//! The members' side of the record.
//!
//! Runs where CUDA is initialised, and in forked children that may hold any lock for ever: atomics
//! and nothing else. Other members may write anything at any time, so nothing that is read back here
//! decides about more than which slot is taken.

use core::mem::size_of;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::layout::{LAYOUT, MAGIC, Record, SLOTS, Slot};
use crate::{Forked, Initialised, State};

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

    /// A slot for the forked child `pid` of the pid namespace that its family knows as `namespace`,
    /// if there is one. `is_alive` is asked about processes of that namespace only.
    ///
    /// The slots are given out in turn. The slot of a process of another namespace is left alone,
    /// for nobody here can tell whether that is gone.
    pub fn claim(&self, pid: i32, namespace: u32, is_alive: impl Fn(i32) -> bool) -> Option<usize> {
        let me = u64::from(namespace) << 32 | u64::from(pid as u32);
        for _ in 0..TRIES {
            let next = self.header.next.fetch_add(1, Ordering::Relaxed);
            let index = next as usize % SLOTS;
            let slot = &self.slot[index];
            let owner = slot.owner.load(Ordering::Acquire);
            let other = owner as u32 as i32;
            let free = owner == 0
                || owner >> 32 == u64::from(namespace) && (other == pid || !is_alive(other));
            if free
                && slot
                    .owner
                    .compare_exchange(owner, me, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                return Some(index);
            }
        }
        None
    }

    /// Says of the child that claimed the slot `index` where it was forked.
    pub fn describe(&self, index: usize, child: &Forked<'_>) {
        let Some(slot) = self.slot.get(index) else {
            return;
        };
        // The one before may have been killed in the middle of this.
        let writing = (slot.sequence.load(Ordering::Relaxed) | 1).wrapping_add(2);
        slot.sequence.store(writing, Ordering::Relaxed);
        fence(Ordering::Release);
        slot.state.store(State::Unused.code(), Ordering::Relaxed);
        slot.violations.store(0, Ordering::Relaxed);
        slot.pid.store(child.pid, Ordering::Relaxed);
        slot.namespace.store(child.namespace, Ordering::Relaxed);
        slot.parent.store(child.parent, Ordering::Relaxed);
        slot.unix_ns.store(child.unix_ns, Ordering::Relaxed);
        slot.after_ns.store(child.after_ns, Ordering::Relaxed);
        slot.before_ns.store(child.before_ns, Ordering::Relaxed);
        put(&slot.native, &child.native);
        slot.function.put(child.function);
        slot.place.put(child.place);
        slot.sequence
            .store(writing.wrapping_add(1), Ordering::Release);
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
