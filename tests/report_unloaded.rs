//! A module that initialised CUDA and is unloaded by the time of the report, with nothing or with something else in its
//! place, does no harm: the report is made, and the module is not taken for what lies there. Fails when the guard reads
//! what is not mapped any more, or tells the name or the build id of something else; or a text of the program's that came
//! to lie where the module's name was.

use forkguard_testkit::Program;

/// A library whose constructor initialises CUDA; its forked child unloads it, and may fill the place with what would lead
/// whoever follows it astray, or the memory that had its name.
const PROGRAM: &str = "
import _ctypes, ctypes, os, sys
library = ctypes.CDLL('libearly.so')
c = ctypes.CDLL(None)
if os.fork() == 0:
    lines = [line.split() for line in open('/proc/self/maps') if line.rstrip().endswith('/libearly.so')]
    start, end = int(lines[0][0].split('-')[0], 16), int(lines[-1][0].split('-')[1], 16)
    text = b'/a secret'.ljust(len(lines[0][-1]), b'!')
    _ctypes.dlclose(library._handle)
    assert 'libearly.so' not in open('/proc/self/maps').read()
    if sys.argv[1] in ('named', 'again'):
        for _ in range(100):
            c.strdup(text)
    if sys.argv[1] == 'again':
        ctypes.CDLL('libearly.so')
        assert any(line.startswith(f'{start:x}-') and line.endswith('/libearly.so\\n') for line in open('/proc/self/maps'))
    if sys.argv[1] == 'filled':
        c.mmap.restype = ctypes.c_void_p
        c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
        place = c.mmap(start, end - start, 3, 0x32, -1, 0)
        assert place == start
        ctypes.memset(place, 0x41, end - start)
        ctypes.memmove(place, open(sys.executable, 'rb').read(4096), 4096)
    ctypes.CDLL('libcuda.so.1').cuInit(0)
    os._exit(3)
print(os.wait()[1])
";

#[test]
fn nothing_and_something_else_in_its_place() {
    let python = forkguard_testkit::interpreter();
    for place in ["empty", "filled", "named", "again"] {
        let program = Program::at(&python)
            .args(["-c", PROGRAM, place])
            .with_events();
        let outcome = program.run();
        outcome.assert_stdout(&["6"]).assert_reports("cuInit");
        assert!(!outcome.stderr.contains("a secret"), "{}", outcome.story());
        let violations = outcome.events_named("violation");
        let [event] = violations.as_slice() else {
            panic!("{}", outcome.story())
        };
        // While it was loaded, it was told.
        let before = outcome.events_named("initialised")[0]["modules"].to_string();
        assert!(before.contains("libearly.so"), "{before}");
        assert!(!event.to_string().contains("a secret"), "{event}");
        let modules = event["modules"].as_array().expect("an array");
        for module in modules {
            let is_early = module["module"]
                .as_str()
                .is_some_and(|path| path.contains("libearly"));
            assert!(!is_early || module["build_id"].is_null(), "{module}");
        }
        let known = modules
            .iter()
            .filter(|module| module["build_id"].is_string());
        assert!(known.count() >= 2, "{event}");
    }
}
