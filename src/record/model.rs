//! What members of a family may do at once, in every order that the machine allows, by loom: the
//! protocols of [`write`](mod@super::write) themselves, not a copy of them.
//!
//! The reader is somebody else's process, which copies the bytes by a system call. It is modelled by
//! loads without any order among them, and a fence between the first copy and the second, which the
//! end of a system call is.

use std::mem::offset_of;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use loom::sync::Arc;
use loom::thread;

use super::layout::{Header, SLOTS_AT, Slot, Text};
use super::read::SIZE;
use super::sync::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, fence};
use super::*;

impl<const ROOM: usize> Text<ROOM> {
    fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicU8::new(0)))
    }
}

fn words<const LEN: usize>() -> [AtomicU64; LEN] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

fn empty() -> Arc<Record> {
    Arc::new(Record {
        header: Header {
            magic: AtomicU64::new(0),
            layout: AtomicU32::new(0),
            slot_size: AtomicU32::new(0),
            slots: AtomicU32::new(0),
            context: AtomicU32::new(0),
            violations: AtomicU32::new(0),
            next: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            tid: AtomicI32::new(0),
            unix_ns: AtomicU64::new(0),
            boot_ns: AtomicU64::new(0),
            namespace: AtomicU64::new(0),
            caller: AtomicU64::new(0),
            native: words(),
            version: Text::empty(),
            thread: Text::empty(),
            function: Text::empty(),
            policy: Text::empty(),
            place: Text::empty(),
        },
        slot: std::array::from_fn(|_| Slot {
            owner: AtomicU64::new(0),
            state: AtomicU32::new(0),
            violations: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            outer: AtomicI32::new(0),
            before_ns: AtomicU64::new(0),
            sequence: AtomicU32::new(0),
            parent: AtomicI32::new(0),
            unix_ns: AtomicU64::new(0),
            after_ns: AtomicU64::new(0),
            native: words(),
            function: Text::empty(),
            place: Text::empty(),
        }),
    })
}

/// Two copies, as a reader makes them, by what `copy` loads.
fn copies(copy: impl Fn(&mut [u8])) -> (Vec<u8>, Vec<u8>) {
    let (mut first, mut second) = (vec![0; SIZE], vec![0; SIZE]);
    copy(&mut first);
    fence(Acquire);
    copy(&mut second);
    (first, second)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn by(pid: i32) -> Initialised<'static> {
    Initialised {
        pid,
        unix_ns: 7,
        caller: 8,
        ..Initialised::default()
    }
}

fn forked(number: i32) -> Forked<'static> {
    Forked {
        parent: number,
        after_ns: number as u64,
        unix_ns: number as u64,
        ..Forked::default()
    }
}

fn owner(pid: i32) -> Owner {
    Owner { namespace: 0, pid }
}

/// Whoever finds the mark finds all that was said before it.
#[test]
fn a_record_is_whole_or_is_not_finished() {
    loom::model(|| {
        let record = empty();
        let writer = Arc::clone(&record);
        let writing = thread::spawn(move || writer.begin(&by(41)));
        let header = &record.header;
        let (first, second) = copies(|bytes| {
            let mut put = |at, value: &[u8]| put(bytes, at, value);
            put(
                offset_of!(Header, caller),
                &header.caller.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Header, pid),
                &header.pid.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Header, layout),
                &header.layout.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Header, slot_size),
                &(size_of::<Slot>() as u32).to_ne_bytes(),
            );
            put(offset_of!(Header, slots), &(SLOTS as u32).to_ne_bytes());
            put(
                offset_of!(Header, magic),
                &header.magic.load(Relaxed).to_ne_bytes(),
            );
        });
        match Snapshot::new(&first, &second) {
            Ok(seen) => {
                let seen = seen.initialised();
                assert_eq!((seen.pid, seen.caller), (41, 8));
            }
            // The mark may come into the first copy before what it stands for does.
            Err(why) => assert!(matches!(
                why,
                Unreadable::Unfinished | Unreadable::Layout(0)
            )),
        }
        writing.join().unwrap();
    });
}

/// A slot that is given to another child while somebody reads tells of the one or the other.
#[test]
fn a_slot_tells_of_one_fork_at_a_time() {
    loom::model(|| {
        let record = empty();
        let index = record.claim(owner(41), |_| true).unwrap();
        record.describe(index, &forked(1));
        let writer = Arc::clone(&record);
        let writing = thread::spawn(move || writer.describe(index, &forked(2)));
        let slot = &record.slot[index];
        let at = SLOTS_AT + index * size_of::<Slot>();
        let (first, second) = copies(|bytes| {
            let mut put = |field, value: &[u8]| put(bytes, at + field, value);
            put(
                offset_of!(Slot, sequence),
                &slot.sequence.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Slot, parent),
                &slot.parent.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Slot, after_ns),
                &slot.after_ns.load(Relaxed).to_ne_bytes(),
            );
            put(
                offset_of!(Slot, unix_ns),
                &slot.unix_ns.load(Relaxed).to_ne_bytes(),
            );
        });
        if let Some(child) = read::slot_of(&first, &second, index) {
            let Forked {
                parent,
                after_ns,
                unix_ns,
                ..
            } = child.forked;
            assert!(parent == 1 || parent == 2);
            assert_eq!((after_ns, unix_ns), (parent as u64, parent as u64));
        }
        writing.join().unwrap();
    });
}

/// Of a slot whose process is gone one claimant gets hold, whoever else wants it.
#[test]
fn a_slot_has_one_owner() {
    loom::model(|| {
        let record = empty();
        // Both are those of processes that are gone.
        for pid in [1, 2] {
            record.claim(owner(pid), |_| true).unwrap();
        }
        let is_alive = |pid: i32| pid > 2;
        let other = Arc::clone(&record);
        let others = thread::spawn(move || other.claim(owner(50), is_alive));
        let mine = record.claim(owner(41), is_alive);
        let others = others.join().unwrap();
        assert!(mine.is_some() && others.is_some() && mine != others);
    });
}

/// Parent and child say the child's number in any order: the slot is the child's.
#[test]
fn a_child_gets_its_slot_in_any_order() {
    loom::model(|| {
        let record = empty();
        let index = record.claim(owner(41), |_| true).unwrap();
        record.describe(index, &forked(1));
        let of_child = Arc::clone(&record);
        let child = thread::spawn(move || of_child.born(index, owner(41), 60));
        record.made(index, owner(41), 60, 5);
        child.join().unwrap();
        let slot = &record.slot[index];
        assert_eq!(slot.owner.load(Relaxed), 60);
        assert_eq!((slot.pid.load(Relaxed), slot.outer.load(Relaxed)), (60, 60));
    });
}
