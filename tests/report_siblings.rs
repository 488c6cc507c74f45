//! Of many workers that die of the same cause the first tells it in full and each other in one line. Fails when a
//! pool of workers fills the screen with one report, or a worker dies without a word.

use forkguard_testkit::Program;

#[test]
fn one_full_report_and_a_line_each() {
    let outcome = Program::client("roads").args(["dlsym", "workers"]).run();
    let died = outcome
        .stdout
        .lines()
        .filter(|line| *line == "child killed by signal 6")
        .count();
    assert_eq!(died, 4, "{}", outcome.story());
    outcome.assert_reports("cuDeviceGetCount");
    let words = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("forkguard: "))
        .count();
    assert_eq!(words, 4, "one line a worker\n{}", outcome.story());
}
