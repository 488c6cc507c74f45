//! An object whose class hashes it by its attributes is found under `exec` where a forked worker finds it, in the dicts
//! and sets that it holds itself, too. Fails when a key was hashed before it had its attributes and is lost since then.

use forkguard_testkit::{python_with_packages, same_as_forked};

#[test]
fn keys_that_hold_their_containers() {
    same_as_forked(python_with_packages("exec_hashed.py"));
}
