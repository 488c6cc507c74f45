//! Objects whose class answers for names that it does not have (`__getattr__`: proxies, dicts of attributes, starlette's
//! state) cross into a fresh process as they are. Fails when such a class is asked pickle's questions: the worker then
//! ends in a recursion, or has an object that is made of another's answers.

use forkguard_testkit::python_with_packages;

#[test]
fn objects_that_answer_for_any_name_cross() {
    let outcome = python_with_packages("exec_answering.py")
        .policy("exec,abort")
        .with_events()
        .run();
    outcome.assert_stdout(&["answering ok"]).assert_silent();
    let rewritten = outcome
        .events()
        .iter()
        .filter(|event| event["event"] == "rewritten")
        .count();
    assert_eq!(rewritten, 1, "{}", outcome.story());
}
