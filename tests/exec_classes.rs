//! Classes of `__main__` are under `exec` what they are after a fork: with their slots, their full names, all that an
//! enumeration's members hold, the constants that dataclasses keep, ctypes' structures, pointers and callbacks, and
//! objects that hold methods of their own. What cloudpickle knows of them by itself is known in the worker, which does
//! not import it for their sake. Fails when a worker sees otherwise than a forked one (the reference is the
//! same program without the guard), when the parent cannot make its answer again, or when its fork is not rewritten.

use forkguard_testkit::{answers_as_forked, each_named, python_with_packages};

fn sees_the_same(piece: &str) {
    answers_as_forked(python_with_packages("exec_classes.py").arg(piece), "\n");
}

each_named! { sees_the_same: slots nested enumerations constants structures by_name tracked light }
