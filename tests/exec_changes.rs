//! What the program changed in libraries (also where its worker's code does not name it), in the interpreter, and in
//! what its modules' functions keep, is in a fresh process as it is in a forked one. Fails when one of them is silently
//! as it was made.

use forkguard_testkit::{python_with_packages, same_as_forked};

macro_rules! pieces {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            same_as_forked(python_with_packages("exec_changes.py").arg(stringify!($name)));
        }
    )*};
}

pieces!(
    not_named_by_the_worker containers_of_libraries closures_and_defaults one_and_the_same hooks logging_of_warnings streams
    fork_hooks hashes_of_texts replaced_functions built_in_functions registrations views_of_memory random_state kinds_of_classes arguments_of_the_interpreter
);
