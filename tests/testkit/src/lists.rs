//! Lists of clients' pieces that more than one test goes through, each as a macro that makes one test of every piece: it
//! calls the function it is given with the piece's name.

/// What multiprocessing promises of a worker: the scenarios of `exec_scenarios.py`. The function answers the outcome; only
/// a worker that raises may say something, its own traceback.
#[macro_export]
macro_rules! exec_scenarios {
    ($run:ident) => {
        fn runs_silently(scenario: &str) {
            $run(scenario).assert_silent();
        }

        $crate::each_named! { runs_silently:
            pool pool_tasks executor queue queues locks manager pipe_and_lambda closure subclass terminate nested
            nested_queue thread shared_memory sockets raw_fd
        }

        #[test]
        fn exception() {
            $run("exception")
                .assert_says("ValueError: expected traceback")
                .assert_guard_silent();
        }
    };
}

/// What a forked worker has: the pieces of `exec_state.py`.
#[macro_export]
macro_rules! exec_state_pieces {
    ($run:ident) => {
        $crate::each_named! { $run:
            module_globals thread_locks open_file context_variable logging_configuration patched_library
            patched_classes main_classes replaced_function signal_handler other_handler process_settings
            interpreter_settings identity threads main_dunders not_used_not_missed
        }
    };
}

/// Tests of these names.
#[macro_export]
macro_rules! each_named {
    ($run:ident: $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $run(stringify!($name));
        }
    )*};
}

/// Every way in which the client `roads` comes to a driver function: the test's name, and the client's word.
#[macro_export]
macro_rules! roads {
    ($run:ident) => {
        $crate::roads! { $run:
            by_dlsym "dlsym"
            by_dlsym_of_the_unversioned_name "dlsym-dev"
            by_default_scope "default"
            by_get_proc_address_v1 "gpa1"
            by_get_proc_address_v2 "gpa2"
            by_get_proc_address_v2_without_status "gpa2-null"
            by_get_proc_address_asked_for_itself "gpa-self"
        }
    };
    ($run:ident: $($name:ident $road:literal)*) => {$(
        #[test]
        fn $name() {
            $run($road);
        }
    )*};
}
