//! Whoever finds a function finds it whole, whichever threads ask for it at once.

use loom::sync::Arc;
use loom::thread;

use super::held_up_thrice;
use crate::functions::{Asked, Functions, Name};

/// One export, and two slots beside it.
type Table = Functions<1, 3, 4, 4>;

/// Where they are.
const EXPORT_AT: usize = 0x10;
const OTHER_AT: usize = 0x20;

const EXPORT: Asked<'static> = Asked {
    name: b"e\0",
    export: Some(0),
    is_export: true,
};
const OTHER: Asked<'static> = Asked {
    name: b"o\0",
    export: None,
    is_export: false,
};

/// Asks for a function, and looks at what there is in the slot that it is given.
fn admitted(table: &Table, target: usize, asked: Asked<'_>, meaning: u16) -> Option<usize> {
    let slot = table.admit(target, |_| true, || asked, || meaning)?;
    assert_eq!(table.target(slot), Some(target));
    assert_eq!(table.meaning(slot, || meaning), meaning);
    match table.name(slot) {
        Name::Export(export) => assert_eq!(Some(export), asked.export),
        Name::Kept(text) => {
            for (place, &byte) in text.iter().zip(asked.name) {
                // SAFETY: the name is whole, and nobody writes it any more.
                assert_eq!(place.with(|place| unsafe { *place }), byte);
            }
        }
        Name::Unknown => panic!("there is room for its name"),
    }
    Some(slot)
}

/// Two threads ask for one function: it has a slot or two, and is found from then on.
#[test]
fn a_function_is_found_whole() {
    held_up_thrice(|| {
        let table = Arc::new(Table::new());
        let other = Arc::clone(&table);
        let asking = thread::spawn(move || admitted(&other, OTHER_AT, OTHER, 5));
        let mine = admitted(&table, OTHER_AT, OTHER, 5);
        let others = asking.join().unwrap();
        assert!(mine.is_some() && others.is_some());
        let found = admitted(&table, OTHER_AT, OTHER, 5);
        assert!(found == mine || found == others);
    });
}

/// An export that a program looks up while another thread comes to it by linking: one slot, its own.
#[test]
fn an_export_has_its_own_slot() {
    held_up_thrice(|| {
        let table = Arc::new(Table::new());
        let other = Arc::clone(&table);
        let calling = thread::spawn(move || other.set_target(0, EXPORT_AT));
        assert_eq!(admitted(&table, EXPORT_AT, EXPORT, 3), Some(0));
        assert_eq!(calling.join().unwrap(), EXPORT_AT);
        assert_eq!(admitted(&table, EXPORT_AT, EXPORT, 3), Some(0));
        assert_eq!(table.count(), 1);
    });
}

/// Of two copies of the driver each has a slot: calls of the one do not go to the other.
#[test]
fn two_functions_of_one_name_have_two_slots() {
    held_up_thrice(|| {
        let table = Arc::new(Table::new());
        let other = Arc::clone(&table);
        let calling = thread::spawn(move || other.set_target(0, 0x30));
        let slot = admitted(&table, EXPORT_AT, EXPORT, 3).unwrap();
        let known = calling.join().unwrap();
        assert_eq!(table.target(0), Some(known));
        assert_eq!(slot == 0, known == EXPORT_AT);
        assert_eq!(table.target(slot), Some(EXPORT_AT));
    });
}

/// The last slot goes to one of two.
#[test]
fn where_none_is_left_none_is_given() {
    held_up_thrice(|| {
        let table = Arc::new(Table::new());
        admitted(&table, OTHER_AT, OTHER, 5).unwrap();
        let asked = |table: &Table, target| table.admit(target, |_| true, || OTHER, || 5);
        let other = Arc::clone(&table);
        let asking = thread::spawn(move || asked(&other, 0x40));
        let mine = asked(&table, 0x50);
        let others = asking.join().unwrap();
        assert!(matches!((mine, others), (Some(2), None) | (None, Some(2))));
    });
}
