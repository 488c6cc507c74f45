//! Lookups that are not the driver's business, or only look like it, are answered as without the guard. The cases,
//! and the bugs of others that they come from, are in tests/clients/lookups.c. Fails when `RTLD_NEXT` is taken from
//! the guard's place (HAMi#2903), has no second answer (HAMi-core#279), when a name that begins with `cu` is taken
//! for the driver's (HAMi-core#215), or a name is found that nobody has (nvshare#18).

use forkguard_testkit::Program;

macro_rules! cases {
    ($($name:ident $case:literal)*) => {$(
        #[test]
        fn $name() {
            let program = Program::client("lookups").arg($case);
            program.run().assert_silent().assert_stdout(&[concat!($case, " right")]);
            program.bare().run().assert_silent();
        }
    )*};
}

cases! {
    next_from_the_program "next-main"
    next_from_a_library "next-library"
    next_with_no_driver "next-missing"
    a_driver_that_only_its_opener_sees "next-local"
    default_with_no_driver "default-absent"
    a_library_that_has_no_such_name "wrong-handle"
    names_that_nobody_has "null-name"
    names_that_begin_alike "lookalikes"
    names_borrowed_from_the_driver "lookalike-driver-name"
    forms_that_the_driver_does_not_have "no-v2"
    no_place_for_the_answer "null-out"
    one_function_one_pointer "same-pointer"
    an_ordinary_name_has_its_own_home "dladdr"
    versions_of_a_name "versioned"
}
