//! Objects that pickle cannot carry, or would make again wrongly, cross into a fresh process under `exec` as a fork would
//! have them there: weak references, objects that answer any name, packages whose submodules were imported, locks of
//! another context, finalisers, threads that do not run. Fails when a worker sees otherwise than a forked one (the
//! reference is the same program without the guard), or when its fork is not rewritten.

use forkguard_testkit::{answers_as_forked, each_named, python_with_packages};

fn sees_the_same(piece: &str) {
    answers_as_forked(python_with_packages("exec_objects.py").arg(piece), "");
}

each_named! { sees_the_same:
    weak_references answers_any_name submodule_of_an_import lock_of_another_context inherited_finalizer
    threads_that_do_not_run
}
