//! Started with descriptors 0, 1 and 2 closed, a program's own files get those numbers: the guard acts, and writes
//! nothing into them. Fails when "standard error" is taken to be whatever has the number 2.

use forkguard_testkit::Program;
use forkguard_testkit::tempfile::tempdir;
use std::fs;

const PROGRAM: &str = r#"
import ctypes, os, sys
home = sys.argv[1]
files = [os.open(os.path.join(home, f"data{i}"), os.O_WRONLY | os.O_CREAT) for i in range(4)]
taken = [fd for fd in files if fd < 3]
cuda = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int()
cuda.cuInit(0)
child = os.fork()
if child == 0:
    cuda.cuDeviceGetCount(ctypes.byref(count))
    os._exit(3)
status = os.waitpid(child, 0)[1]
with open(os.path.join(home, "result"), "w") as result:
    print(sorted(taken), os.WIFSIGNALED(status) and os.WTERMSIG(status), file=result)
"#;

fn run(variables: &[(&str, &str)]) -> (String, Vec<u64>) {
    let home = tempdir().expect("a directory for the program's files");
    let program = Program::at("/bin/sh")
        .args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"])
        .arg(forkguard_testkit::interpreter())
        .args(["-c", PROGRAM])
        .arg(home.path());
    let outcome = variables
        .iter()
        .fold(program, |program, (name, value)| program.env(name, value))
        .run();
    outcome.assert_code(0);
    let result = fs::read_to_string(home.path().join("result"))
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.story()));
    let sizes = (0..4).map(|i| {
        let data = home.path().join(format!("data{i}"));
        data.metadata().expect("the program made it").len()
    });
    (result, sizes.collect())
}

#[test]
fn nothing_is_written_into_the_programs_files() {
    assert_eq!(run(&[]), ("[0, 1, 2] 6\n".to_owned(), vec![0; 4]));
}

#[test]
fn nor_what_is_wrong_with_the_settings() {
    let settings = [("FORKGUARD_POLICY", "abrot"), ("FORKGUARD_VERBOSE", "2")];
    assert_eq!(run(&settings), ("[0, 1, 2] 6\n".to_owned(), vec![0; 4]));
}

#[test]
fn an_open_standard_error_does_hear_it() {
    // The counterpart, so that the silence above is not for want of anything to say.
    let home = tempdir().expect("a directory for the program's files");
    let outcome = Program::at(forkguard_testkit::interpreter())
        .args(["-c", PROGRAM])
        .arg(home.path())
        .run();
    outcome.assert_code(0).assert_reports("cuDeviceGetCount");
}
