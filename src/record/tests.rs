//! What was written is read back; what was not, or not wholly, is not.

use std::sync::atomic::Ordering;

use super::layout::Slot;
use super::read::{Child, LEAST, SIZE};
use super::*;

const BY: Initialised<'static> = Initialised {
    version: "0.1.0",
    pid: 41,
    tid: 42,
    thread: "loader",
    unix_ns: 1,
    boot_ns: 2,
    namespace: 4_026_531_836,
    function: "cuInit",
    caller: 0x7f00,
    policy: "exec,abort",
    place: "app.py:3 load\ntorch/cuda/__init__.py:174 is_available\n",
    native: [7; NATIVE],
};

fn forked(number: u64) -> Forked<'static> {
    Forked {
        parent: 41,
        unix_ns: number,
        after_ns: 4,
        function: "fork",
        place: "app.py:9 main\n",
        native: [0x7f01, 0x7f02, 0, 0, 0, 0, 0, 0],
    }
}

const PARENT: Owner = Owner {
    namespace: 0,
    pid: 41,
};

fn empty() -> Box<Record> {
    // SAFETY: all fields are atomics, for which zero is a value.
    unsafe { Box::new_zeroed().assume_init() }
}

fn begun() -> Box<Record> {
    let record = empty();
    record.begin(&BY);
    record
}

fn bytes(record: &Record) -> Vec<u8> {
    // SAFETY: the record's own bytes, all initialised; nobody writes meanwhile.
    unsafe { std::slice::from_raw_parts((&raw const *record).cast::<u8>(), SIZE) }.to_vec()
}

fn everybody(_: i32) -> bool {
    true
}

fn nobody(_: i32) -> bool {
    false
}

#[test]
fn what_was_written_is_read() {
    let record = begun();
    record.note_context();
    let index = record.claim(PARENT, everybody).unwrap();
    record.describe(index, &forked(1));
    record.born(index, PARENT, 50);
    record.made(index, PARENT, 50, 6);
    record.add_violation(Some(index));
    record.add_violation(None);
    record.set_state(index, State::Warned);
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap();
    assert_eq!(seen.initialised(), BY);
    assert!(seen.has_context() && !seen.is_changing());
    assert_eq!(seen.violations(), 2);
    let child = Child {
        pid: 50,
        outer: 50,
        before_ns: 6,
        forked: forked(1),
        state: State::Warned,
        violations: 1,
    };
    assert_eq!(seen.children().collect::<Vec<_>>(), [child]);
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let record = empty();
    let long = "é".repeat(2000);
    record.begin(&Initialised {
        place: &long,
        thread: &long,
        ..BY
    });
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap().initialised();
    assert_eq!(seen.place, "é".repeat(579));
    assert_eq!(seen.thread, "é".repeat(7));
}

#[test]
fn a_shorter_text_in_a_used_slot_ends_where_it_ends() {
    let record = begun();
    record.describe(0, &forked(1));
    record.describe(
        0,
        &Forked {
            place: "a.py:1",
            ..forked(2)
        },
    );
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap();
    assert_eq!(seen.children().next().unwrap().forked.place, "a.py:1");
}

#[test]
fn slots_of_the_dead_are_given_again_and_those_of_the_living_not() {
    let record = begun();
    for pid in 1..=SLOTS as i32 {
        let index = record.claim(PARENT, everybody).unwrap();
        assert_eq!(index, pid as usize - 1);
        record.born(index, PARENT, pid);
    }
    assert_eq!(record.claim(PARENT, everybody), None);
    // One of them, wherever the turn stands, and nobody else's.
    let seventh_lives_not = |pid| pid != 7;
    let given = (0..SLOTS).find_map(|_| record.claim(PARENT, seventh_lives_not));
    assert_eq!(given, Some(6));
    // Of another namespace it cannot be told.
    let elsewhere = Owner {
        namespace: 9,
        ..PARENT
    };
    assert_eq!(record.claim(elsewhere, nobody), None);
    assert!(record.claim(PARENT, nobody).is_some());
}

/// Who knows the child first is not known, and in what order what they say comes.
#[test]
fn a_slot_is_its_childs_whoever_says_so_first() {
    let record = begun();
    let owner = |index: usize| record.slot[index].owner.load(Ordering::Relaxed);
    let first = record.claim(PARENT, everybody).unwrap();
    record.born(first, PARENT, 50);
    record.made(first, PARENT, 50, 6);
    let second = record.claim(PARENT, everybody).unwrap();
    record.made(second, PARENT, 51, 6);
    record.born(second, PARENT, 51);
    assert_eq!((owner(first), owner(second)), (50, 51));
    assert!(!record.is_elsewhere(first) && !record.is_elsewhere(second));

    // Of a pid namespace of its own; its parent tells whether it lives.
    let third = record.claim(PARENT, everybody).unwrap();
    record.born(third, PARENT, 1);
    record.made(third, PARENT, 52, 6);
    let fourth = record.claim(PARENT, everybody).unwrap();
    record.made(fourth, PARENT, 53, 6);
    record.born(fourth, PARENT, 1);
    assert_eq!((owner(third), owner(fourth)), (52, 53));
    assert!(record.is_elsewhere(third) && record.is_elsewhere(fourth));

    // There was no fork.
    let fifth = record.claim(PARENT, everybody).unwrap();
    record.give_back(fifth, PARENT);
    assert_eq!(owner(fifth), 0);

    // It has ended, and another one has its slot, before its parent says anything.
    record.slot[first].owner.store(77, Ordering::Relaxed);
    record.made(first, PARENT, 50, 9);
    assert_eq!(owner(first), 77);
    assert_eq!(record.slot[first].before_ns.load(Ordering::Relaxed), 6);
}

#[test]
fn a_slot_that_is_being_written_is_not_read() {
    let record = begun();
    let index = record.claim(PARENT, everybody).unwrap();
    let before = bytes(&record);
    let seen = Snapshot::new(&before, &before).unwrap();
    assert!(seen.is_changing(), "claimed, and nothing said of it");
    assert_eq!(seen.children().count(), 0);

    record.describe(index, &forked(1));
    let after = bytes(&record);
    let seen = Snapshot::new(&before, &after).unwrap();
    assert!(seen.is_changing());
    assert_eq!(seen.children().count(), 0);

    // Torn: the number is that of the end, and the fields are not.
    let mut torn = after.clone();
    // The header tells of the same file.
    let mut slots = torn[LEAST..].windows(6);
    let place = slots.position(|bytes| bytes == b"app.py").unwrap();
    torn[LEAST + place] = b'?';
    for (first, second) in [(&torn, &after), (&after, &torn)] {
        let seen = Snapshot::new(first, second).unwrap();
        assert_eq!(seen.children().count(), 0);
    }

    // The writer was killed in the middle; whoever gets the slot next says it whole.
    record.slot[index].sequence.fetch_add(1, Ordering::Relaxed);
    let killed = bytes(&record);
    let seen = Snapshot::new(&killed, &killed).unwrap();
    assert_eq!(seen.children().count(), 0);
    record.describe(index, &forked(2));
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap();
    assert_eq!(seen.children().next().unwrap().forked, forked(2));
}

#[test]
fn what_is_no_record_is_told() {
    let refused = |bytes: &[u8]| Snapshot::new(bytes, bytes).err();
    assert_eq!(refused(&[]), Some(Unreadable::Short));
    assert_eq!(refused(&bytes(&empty())), Some(Unreadable::Unfinished));
    assert_eq!(refused(&vec![0xff; SIZE]), Some(Unreadable::Foreign));
    let good = bytes(&begun());
    for len in [1, 8, 12, 64, LEAST - 1] {
        assert_eq!(refused(&good[..len]), Some(Unreadable::Short), "{len}");
    }
    let mut other = good.clone();
    other[8..12].copy_from_slice(&7_u32.to_ne_bytes());
    assert_eq!(refused(&other), Some(Unreadable::Layout(7)));
    let mut other = good.clone();
    other[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(refused(&other), Some(Unreadable::Foreign));
    let mut other = good.clone();
    other[40] ^= 1;
    assert_eq!(
        Snapshot::new(&good, &other).err(),
        Some(Unreadable::Unfinished)
    );
}

/// Every byte behind the header's fixed part changed, in any way: no panic, and texts are text.
#[test]
fn garbage_is_read_without_harm() {
    let record = begun();
    for pid in 1..=SLOTS as i32 {
        let index = record.claim(PARENT, everybody).unwrap();
        record.describe(index, &forked(1));
        record.born(index, PARENT, pid);
    }
    let good = bytes(&record);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..if cfg!(miri) { 5 } else { 50 } {
        let mut bad = good.clone();
        for byte in &mut bad[20..] {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            *byte = (state >> 56) as u8;
        }
        let seen = Snapshot::new(&bad, &bad).unwrap();
        assert!(seen.initialised().place.len() <= layout::PLACE);
        assert!(seen.children().count() <= SLOTS);
    }
}

/// Of a family with few children the slots that nobody has written are not read.
#[test]
fn a_record_may_be_read_in_part() {
    let record = begun();
    let empty = bytes(&record);
    let seen = Snapshot::new(&empty[..LEAST], &empty[..LEAST]).unwrap();
    assert_eq!(seen.children().count(), 0);
    assert!(!seen.is_changing());
    let index = record.claim(PARENT, everybody).unwrap();
    record.describe(index, &forked(2));
    let one = bytes(&record);
    let end = LEAST + size_of::<Slot>();
    let seen = Snapshot::new(&one[..end], &one[..end]).unwrap();
    assert_eq!(seen.children().count(), 1);
    // The child came between the two looks: another one will see it whole.
    let seen = Snapshot::new(&empty[..LEAST], &one[..end]).unwrap();
    assert_eq!(seen.children().count(), 0);
    assert!(seen.is_changing());
}

/// A parent that learns its child's number late, when the child is gone and somebody else had its slot
/// and gave it back, does not get it again.
#[test]
fn a_slot_that_is_nobodys_stays_so() {
    let record = begun();
    let index = record.claim(PARENT, everybody).unwrap();
    record.describe(index, &forked(1));
    record.give_back(index, PARENT);
    record.made(index, PARENT, 50, 6);
    assert_eq!(record.slot[index].owner.load(Ordering::Relaxed), 0);
    assert_eq!(record.slot[index].outer.load(Ordering::Relaxed), 0);
}
