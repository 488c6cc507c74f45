//! What was written is read back; what was not, or not wholly, is not.

use std::sync::atomic::Ordering;

use super::read::{Child, SIZE};
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

fn forked(pid: i32) -> Forked<'static> {
    Forked {
        pid,
        namespace: 0,
        parent: 41,
        unix_ns: 3,
        after_ns: 4,
        before_ns: 5,
        function: "fork",
        place: "app.py:9 main\n",
        native: [0x7f01, 0x7f02, 0, 0, 0, 0, 0, 0],
    }
}

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
    let index = record.claim(50, 0, everybody).unwrap();
    record.describe(index, &forked(50));
    record.add_violation(Some(index));
    record.add_violation(None);
    record.set_state(index, State::Warned);
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap();
    assert_eq!(seen.initialised(), BY);
    assert!(seen.has_context() && !seen.is_changing());
    assert_eq!(seen.violations(), 2);
    let child = Child {
        forked: forked(50),
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
    record.describe(0, &forked(50));
    record.describe(
        0,
        &Forked {
            place: "a.py:1",
            ..forked(51)
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
        let index = record.claim(pid, 0, everybody).unwrap();
        assert_eq!(index, pid as usize - 1);
    }
    assert_eq!(record.claim(1000, 0, everybody), None);
    // One of them, wherever the turn stands, and nobody else's.
    let seventh_lives_not = |pid| pid != 7;
    let given = (0..SLOTS).find_map(|_| record.claim(1000, 0, seventh_lives_not));
    assert_eq!(given, Some(6));
    // Of another namespace it cannot be told.
    assert_eq!(record.claim(1001, 9, nobody), None);
    assert!(record.claim(1002, 0, nobody).is_some());
}

#[test]
fn a_process_takes_its_own_number_over() {
    let record = begun();
    let index = record.claim(50, 0, everybody).unwrap();
    record.header.next.store(index as u32, Ordering::Relaxed);
    assert_eq!(record.claim(50, 0, everybody), Some(index));
}

#[test]
fn a_slot_that_is_being_written_is_not_read() {
    let record = begun();
    let index = record.claim(50, 0, everybody).unwrap();
    let before = bytes(&record);
    let seen = Snapshot::new(&before, &before).unwrap();
    assert!(seen.is_changing(), "claimed, and nothing said of it");
    assert_eq!(seen.children().count(), 0);

    record.describe(index, &forked(50));
    let after = bytes(&record);
    let seen = Snapshot::new(&before, &after).unwrap();
    assert!(seen.is_changing());
    assert_eq!(seen.children().count(), 0);

    // Torn: the number is that of the end, and the fields are not.
    let mut torn = after.clone();
    let place = torn.windows(6).rposition(|bytes| bytes == b"app.py");
    torn[place.unwrap()] = b'?';
    for (first, second) in [(&torn, &after), (&after, &torn)] {
        let seen = Snapshot::new(first, second).unwrap();
        assert_eq!(seen.children().count(), 0);
    }

    // The writer was killed in the middle; whoever gets the slot next says it whole.
    record.slot[index].sequence.fetch_add(1, Ordering::Relaxed);
    let killed = bytes(&record);
    let seen = Snapshot::new(&killed, &killed).unwrap();
    assert_eq!(seen.children().count(), 0);
    record.describe(index, &forked(51));
    let bytes = bytes(&record);
    let seen = Snapshot::new(&bytes, &bytes).unwrap();
    assert_eq!(seen.children().next().unwrap().forked, forked(51));
}

#[test]
fn what_is_no_record_is_told() {
    let refused = |bytes: &[u8]| Snapshot::new(bytes, bytes).err();
    assert_eq!(refused(&[]), Some(Unreadable::Short));
    assert_eq!(refused(&bytes(&empty())), Some(Unreadable::Unfinished));
    assert_eq!(refused(&vec![0xff; SIZE]), Some(Unreadable::Foreign));
    let good = bytes(&begun());
    for len in [1, 8, 12, 64, SIZE - 1] {
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
        let index = record.claim(pid, 0, everybody).unwrap();
        record.describe(index, &forked(pid));
    }
    let good = bytes(&record);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..50 {
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
