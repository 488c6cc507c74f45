//! An event names the modules of its native frames, each once and with the build id of the file, and a frame's offset is
//! where the file's own symbol table has the code. Fails when a reader of the event would take another file for the one
//! that ran, or look up the wrong place in the right one.

use forkguard_testkit::Program;
use object::{Object, ObjectSymbol};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// The bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn members(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn modules_have_the_build_ids_of_their_files() {
    let outcome = Program::client("roads")
        .args(["dlsym", "child-use"])
        .with_events()
        .run();
    outcome.assert_reports("cuDeviceGetCount");
    let events = outcome.events();
    assert_eq!(
        events
            .iter()
            .map(|event| &event["event"])
            .collect::<Vec<_>>(),
        ["initialised", "violation"]
    );
    let (mut ids, mut symbols) = (0, 0);
    for event in &events {
        let modules: BTreeMap<&str, &Value> = members(&event["modules"])
            .iter()
            .map(|module| {
                (
                    module["module"].as_str().expect("a path"),
                    &module["build_id"],
                )
            })
            .collect();
        assert_eq!(
            modules.len(),
            members(&event["modules"]).len(),
            "each once: {event}"
        );

        for (path, told) in &modules {
            // The vdso has no file.
            let Ok(bytes) = fs::read(path) else { continue };
            let file = object::File::parse(&*bytes).expect("an ELF file");
            let id = file.build_id().expect("its notes can be read");
            assert_eq!(
                told.as_str().map(bytes_of),
                id.map(<[u8]>::to_vec),
                "{path}"
            );
            ids += usize::from(id.is_some());
        }

        for moment in ["initialised", "forked", "used"] {
            for frame in members(&event[moment]["native"]) {
                let path = frame["module"]
                    .as_str()
                    .expect("all of this program's code has a file");
                assert!(
                    modules.contains_key(path),
                    "{path} is not among the modules: {event}"
                );
                symbols += usize::from(is_where_it_says(path, frame));
            }
        }
    }
    assert!(
        ids >= 4 && symbols >= 6,
        "{ids} build ids, {symbols} symbols\n{}",
        outcome.story()
    );
}

/// Whether the frame has a symbol that its file exports; fails where the offset is not in it.
fn is_where_it_says(path: &str, frame: &Value) -> bool {
    let (Some(name), Ok(bytes)) = (frame["symbol"].as_str(), fs::read(path)) else {
        return false;
    };
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let Some(symbol) = file
        .dynamic_symbols()
        .find(|symbol| symbol.name() == Ok(name))
    else {
        return false;
    };
    // The instruction before the one that the call returns to.
    let call = frame["offset"].as_u64().expect("a number") - 1;
    assert!(
        symbol.size() == 0 || (symbol.address()..symbol.address() + symbol.size()).contains(&call),
        "{call:#x} is not in {name} of {path}"
    );
    true
}
