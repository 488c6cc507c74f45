//! Records as anybody may write them, and lists of mappings, as functions of bytes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use forkguard_record::read::SIZE;
use forkguard_record::{FORK_NATIVE, Forked, Initialised, NATIVE, Owner, Record, SLOTS, State};

use super::super::{json, memory, modules::Modules, table};
use super::{Families, Family, Holder, Identity, Place, Process, Seen, Tree, part, proc, revived};
use crate::fuzz::assert_plain;

/// Bytes of a change: where, and what.
const CHANGE: usize = 4 + 8;
/// A list of mappings of the processes that are looked at.
const MAPS: &str = "\
550000000000-550000001000 r--p 00000000 08:01 11 /srv/my app/train
7f0000000000-7f0000001000 r-xp 00000000 08:01 13 /usr/lib/libcudart.so.13.0.88
";

/// A record with changes in it. The first byte says how much is written in it before, nothing, one
/// child or as many as there is room for; then come the changes, of both copies of it, or, with the
/// upper bit of the place set, of the second one.
pub fn record(bytes: &[u8]) {
    static KINDS: LazyLock<[Vec<u8>; 3]> =
        LazyLock::new(|| [written(0), written(1), written(SLOTS)]);
    let Some((kind, changes)) = bytes.split_first() else {
        return;
    };
    let mut first = KINDS[usize::from(kind % 3)].clone();
    let mut second = first.clone();
    for change in changes.chunks_exact(CHANGE) {
        let (at, with) = change.split_at(4);
        let at = u32::from_le_bytes(at.try_into().unwrap_or_default());
        let place = (at & 0x7fff_ffff) as usize % (SIZE - with.len());
        second[place..place + with.len()].copy_from_slice(with);
        if at >> 31 == 0 {
            first[place..place + with.len()].copy_from_slice(with);
        }
    }
    if changes.len() % CHANGE == 1 {
        second.truncate(changes.len());
    }
    let mut of_family = Family::read(&(first, second));
    if let Ok(family) = &mut of_family {
        family.name(family.addresses().named(&Modules::read(MAPS)));
    }
    show(of_family.map(Rc::new));
}

fn show(family: Result<Rc<Family>, String>) {
    let identity = Identity::default();
    let families: Families = [(identity, family)].into();
    let revived = revived(&families);
    let mut processes = BTreeMap::new();
    let mut parents = std::collections::HashMap::new();
    for pid in [100, 101, 102, 4000] {
        let process = proc::Process {
            pid,
            inner: pid,
            numbers: vec![pid],
            parent: pid - 1,
            uid: 0,
            namespace: Some(7),
            began_ns: 5,
            name: "train".into(),
        };
        let holder = Holder {
            process,
            directory: Some("/srv".into()),
            files: vec![(identity, Place::Open(900))],
        };
        let Some((family, part)) = part(&holder, &families, &revived) else {
            continue;
        };
        parents.insert(pid, holder.process.parent);
        processes.insert(
            pid,
            Process {
                pid,
                inner: pid,
                uid: 0,
                user: "root".into(),
                command: "/srv/my app/train --fast".into(),
                directory: holder.directory,
                family,
                part,
            },
        );
    }
    let seen = Seen {
        tree: Tree::of(&processes, &parents),
        processes,
        denied: 1,
        hidden: true,
    };
    assert_plain(&table::text(&seen));
    let document: serde_json::Value = serde_json::from_str(&json::document(&seen)).expect("JSON");
    assert_eq!(document["processes"].as_array().map(Vec::len), Some(4));
}

/// A list of mappings.
pub fn maps(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let modules = Modules::read(&text);
    for address in [
        0,
        1,
        0x40_0010,
        0x7f00_0000_0010,
        0x7fff_ffff_f000,
        u64::MAX,
    ] {
        let _ = modules.library(address);
        let _ = modules.place(&[address, 0x7f00_0000_0020, u64::MAX, 0]);
    }
    for line in text.lines() {
        let _ = memory::mapping(line);
    }
}

/// A record's bytes, in which so many forks are told of.
fn written(children: usize) -> Vec<u8> {
    // SAFETY: a record of zeros is one of which nothing is written.
    let record: Box<Record> = unsafe { Box::new(std::mem::zeroed()) };
    let me = Owner {
        namespace: 0,
        pid: 100,
    };
    if children > 0 {
        record.begin(&Initialised {
            version: "0.1.0",
            pid: 100,
            tid: 100,
            thread: "MainThread",
            unix_ns: 1,
            boot_ns: 9,
            namespace: 7,
            function: "cuInit",
            caller: 0x7f00_0000_0010,
            policy: "abort",
            place: "/srv/my app/serve.py:9 load_model\n",
            native: [0x5500_0000_0010; NATIVE],
        });
        record.note_context();
    }
    for child in 0..children {
        if let Some(index) = record.claim(me, |_| true) {
            record.describe(
                index,
                &Forked {
                    parent: 100,
                    unix_ns: 2,
                    after_ns: 1,
                    function: "fork",
                    place: "serve.py:27 serve\n",
                    native: [0x5500_0000_0020; FORK_NATIVE],
                },
            );
            record.born(index, me, 101 + child as i32);
            record.set_state(index, State::Warned);
            record.add_violation(Some(index));
        }
    }
    let start = (&raw const *record).cast::<u8>();
    // SAFETY: the record's own bytes, all of numbers; nobody writes to it.
    unsafe { std::slice::from_raw_parts(start, SIZE) }.to_vec()
}
