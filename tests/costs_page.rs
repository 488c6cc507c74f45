//! README's tables of costs are what `scripts/costs` makes of the figures in `scripts/data/costs`. Fails when a table is
//! edited by hand, when figures are taken anew and the page is not, when a page may say less than its figures, or when
//! noise is taken for a verdict.

use forkguard_testkit::tempfile::TempDir;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn costs(arguments: &[&str]) -> Output {
    Command::new(root().join("scripts/costs"))
        .args(arguments)
        .output()
        .expect("scripts/costs runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A page and a folder of figures that a test may change.
struct Page {
    folder: TempDir,
}

impl Page {
    /// `rows` are JSON, as bench's `--json` writes them.
    fn new(rows: &str, reasons: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let machine = r#"{"cpu": "One", "cores": 2, "virtual": false, "linux": "6.1", "glibc": "2.36",
                          "python": "3.11.2", "huge_pages": "madvise", "load": 0.1}"#;
        let run = format!(
            r#"{{"schema": 1, "script": "scripts/bench", "taken": "2026-01-01", "machine": {machine}, "rows": [{rows}]}}"#
        );
        let page = "before\n<!-- costs: begin (scripts/costs makes this of scripts/data/costs) -->\n\
                    <!-- costs: end -->\nafter\n";
        for (name, text) in [
            ("cpu.json", &*run),
            ("reasons.json", reasons),
            ("page.md", page),
        ] {
            fs::write(folder.path().join(name), text).expect("a file is written");
        }
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("page.md")
    }

    fn costs(&self, more: &[&str]) -> Output {
        let (data, page) = (self.folder.path().display(), self.path());
        let (data, page) = (data.to_string(), page.display().to_string());
        costs(&[&["--data", &data, "--page", &page], more].concat())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("the page")
    }
}

/// A row whose pairs differ by these, with an aim of at most 10 more.
fn row(differences: &[i32]) -> String {
    let pairs: Vec<String> = differences
        .iter()
        .map(|more| format!("[100, {}]", 100 + more))
        .collect();
    format!(
        r#"{{"key": "it", "what": "it", "unit": "µs", "aim": {{"kind": "more", "limit": 10}}, "note": "",
            "exact": false, "pairs": [{}]}}"#,
        pairs.join(", ")
    )
}

#[test]
fn readme_says_what_the_figures_say() {
    let checked = costs(&["--check"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn a_page_that_says_something_else_is_found_and_mended() {
    let page = Page::new(&row(&[1, 2, 3, 4, 5, 6]), "{}");
    assert_eq!(page.costs(&["--check"]).status.code(), Some(1));
    assert!(page.costs(&[]).status.success());
    let made = page.text();
    assert!(
        made.starts_with("before\n") && made.ends_with("after\n"),
        "{made}"
    );
    assert!(
        made.contains("| +3.5 (+1 … +6) | ≤ +10 | reached |"),
        "{made}"
    );
    assert!(page.costs(&["--check"]).status.success());
    fs::write(page.path(), made.replace("+3.5", "+2.5")).expect("the page");
    let edited = page.costs(&["--check"]);
    assert_eq!(edited.status.code(), Some(1));
    assert!(
        said(&edited).contains("scripts/costs mends it"),
        "{}",
        said(&edited)
    );
}

#[test]
fn what_noise_could_have_decided_has_no_verdict() {
    // The median keeps the aim; the interval does not.
    let noisy = Page::new(&row(&[-40, -30, -20, 5, 8, 20, 30, 40]), "{}");
    assert!(noisy.costs(&[]).status.success());
    assert!(
        noisy.text().contains("| within noise |"),
        "{}",
        noisy.text()
    );
    let few = Page::new(&row(&[1, 2, 3]), "{}");
    assert!(few.costs(&[]).status.success());
    assert!(few.text().contains("| too few pairs |"), "{}", few.text());
}

#[test]
fn a_miss_is_not_told_without_its_reason() {
    let missed = row(&[11, 12, 13, 14, 15, 16]);
    let silent = Page::new(&missed, "{}");
    let refused = silent.costs(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("why these miss their aim: it"),
        "{}",
        said(&refused)
    );
    let told = Page::new(&missed, r#"{"it": "for a reason"}"#);
    assert!(told.costs(&[]).status.success());
    assert!(
        told.text().contains("| missed: for a reason |"),
        "{}",
        told.text()
    );
}
