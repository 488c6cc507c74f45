//! A program's functions, classes and globals are in its workers whatever way the program was started: `__main__` is not
//! imported again, and needs no guard. Fails when a worker runs the program once more, or has another `__main__` than a
//! forked one.

use forkguard_testkit::{python_with_packages, same_as_forked};

macro_rules! ways {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            same_as_forked(python_with_packages("exec_ways.py").arg(stringify!($name)));
        }
    )*};
}

ways!(script command module standard_input typed terminal);
