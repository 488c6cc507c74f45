//! What the watched program writes into the trace is not trusted. Would fail if a line that is no event were taken for
//! one or made a verdict, if control characters reached the terminal, or if the command gave up without a word.

use crate::watching::forkguard;

/// `forkguard SUBCOMMAND` of a shell that writes this line into the trace by itself.
fn writes(subcommand: &str, line: &str) -> forkguard_testkit::Outcome {
    forkguard(subcommand)
        .args([
            "--",
            "sh",
            "-c",
            "printf '%s\\n' \"$1\" >>\"$FORKGUARD_TRACE\"",
            "sh",
        ])
        .arg(line)
        .run()
}

#[test]
fn a_line_that_is_no_event_is_counted() {
    for line in ["garbage", "{\"schema\":1", "[]", "{\"event\":7}"] {
        writes("check", line)
            .assert_code(2)
            .assert_says("nothing can be said: 1 line of what was seen could not be read");
        writes("trace", line)
            .assert_code(0)
            .assert_says("1 line of what was seen could not be read");
    }
}

#[test]
fn what_it_says_of_itself_does_not_reach_the_terminal_as_it_is() {
    let line = r#"{"schema":1,"event":"initialised","time":"x","pid":-5,"ppid":0,"argv0":"\u001b[31mred",
        "initialised":{"thread":"\u001b]0;t","function":"\u0007","library":"\u009b1m",
        "python":[{"file":"\u001b[2J","line":1,"function":"\u001b[H","own":true}]}}"#;
    let outcome = writes("trace", &line.replace('\n', ""));
    outcome.assert_code(0).assert_says("pid -5");
    let bad = |letter: char| letter.is_control() && letter != '\n';
    assert!(!outcome.stderr.contains(bad), "{}", outcome.story());
}
