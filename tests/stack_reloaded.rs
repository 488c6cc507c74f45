//! Where another build of a library lies where one lay before, a fork's native stack is that of the code that is there
//! now, out to the program's `main`. Fails when what is remembered of a place's code is taken for another code's: the
//! walk leaves the stack's frames then, and does not come to the program again.

use forkguard_testkit::Program;

#[test]
fn the_stack_of_what_is_loaded_now() {
    let outcome = Program::client("reloaded")
        .policy("warn")
        .with_events()
        .run();
    let ended = "child exited 1";
    outcome.assert_stdout(&[ended, ended, ended, "in one place"]);
    let events = outcome.events_named("violation");
    let told: Vec<Vec<&str>> = events
        .iter()
        .map(|event| {
            let frames = event["forked"]["native"].as_array().expect("an array");
            let modules = frames.iter().filter_map(|frame| frame["module"].as_str());
            modules
                .map(|path| path.rsplit('/').next().unwrap_or(path))
                .collect()
        })
        .collect();
    let plugins = ["small", "large", "small"].map(|name| format!("libplugin_{name}.so"));
    assert_eq!(told.len(), plugins.len(), "{}", outcome.story());
    for (modules, plugin) in told.iter().zip(&plugins) {
        let [.., outer, at, inner] = modules.as_slice() else {
            panic!("{modules:?}")
        };
        assert_eq!(
            [outer, at, inner],
            [&"reloaded", &plugin.as_str(), &"reloaded"]
        );
        assert_eq!(modules.len(), told[0].len(), "{told:?}");
        assert_eq!(
            modules[..modules.len() - 3],
            told[0][..told[0].len() - 3],
            "{told:?}"
        );
    }
}
