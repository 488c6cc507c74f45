//! What the program did not change of a library is in a fresh process as importing it makes it, though its values
//! cannot be made again from a pickle; also where nothing tells the library from the program's own modules. Fails when
//! such a value ends the worker, or takes the place of the true one.

use forkguard_testkit::python_with_packages;

fn works(place: &str) {
    let outcome = python_with_packages("exec_library.py")
        .arg(place)
        .policy("exec,abort")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["[(0, 0), (1, 0), (2, 0)]"]);
}

#[test]
fn in_a_folder_of_its_own() {
    works("installed");
}

#[test]
fn beside_the_program() {
    works("vendored");
}
