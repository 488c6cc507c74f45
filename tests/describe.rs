//! What the library says of itself when it is asked is whole, or nothing.
//!
//! Would fail if a description were cut, if one were written beyond the room that it was given, or if it did not tell
//! what is in force and how far the process has come.

use forkguard_testkit::{Program, driver_dir, tempfile};
use serde_json::Value;

/// Asks with more and more room, and says the first answer, before and after `cuInit`.
const ASKS: &str = "
import ctypes
describe = ctypes.CDLL(None).forkguard_describe
describe.restype = ctypes.c_size_t
describe.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
def told():
    for size in range(0, 65536, 16):
        room = ctypes.create_string_buffer(b'#' * (size + 8), size + 8)
        length = describe(room, size)
        assert room.raw[size:] == b'#' * 8, size
        if length:
            return room.raw[:length].decode()
assert describe(None, 100) == 0
print(told())
driver = ctypes.CDLL('DRIVER/libcuda.so.1')
driver.cuInit(0)
print(told())
";

fn python() -> String {
    let named = std::env::var("FORKGUARD_TEST_PYTHON");
    named.unwrap_or_else(|_| "python3".to_owned())
}

#[test]
fn is_whole_and_tells_what_is_in_force() {
    let driver = driver_dir().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("\"y\"\\z").display().to_string();
    let outcome = Program::at(python())
        .args(["-c", &ASKS.replace("DRIVER", &driver)])
        .policy("exec,cpu")
        .env("FORKGUARD_REPORT", &file)
        .env("FORKGUARD_IGNORE", "cuMemAlloc,cuMemFree")
        .run();
    outcome.assert_silent();
    let told: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    let [before, after] = &told[..] else {
        panic!("{}", outcome.story());
    };
    assert_eq!(before["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(before["policy"], serde_json::json!(["exec", "cpu"]));
    assert_eq!(before["off"], false);
    assert_eq!(
        (&before["functions"], &before["initialised"]),
        (&0.into(), &false.into())
    );
    assert_eq!(
        (&after["functions"], &after["initialised"]),
        (&1.into(), &true.into())
    );
    let setting = |name: &str| {
        let mut all = before["settings"].as_array().expect("settings").iter();
        all.find(|setting| setting["name"] == name)
            .expect(name)
            .clone()
    };
    let report = setting("FORKGUARD_REPORT");
    assert_eq!(report["value"], file.as_str());
    assert_eq!(report["source"], "environment");
    assert_eq!(setting("FORKGUARD_IGNORE")["value"], "cuMemAlloc,cuMemFree");
    assert_eq!(setting("FORKGUARD_VERBOSE")["source"], "default");
    assert_eq!(setting("FORKGUARD_VERBOSE")["locked"], false);
}
