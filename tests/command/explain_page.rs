//! `forkguard explain --html`: the page, as a browser shows it.
//!
//! Would fail if a process, a mark or a frame were missing, if a link led nowhere, if the page
//! needed anything but itself or its policy stopped its own script or style, if something that was
//! recorded became markup, or if a file of thousands of events made a large page.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::recorded::{Recorded, roads, told};

/// A page as the browser has it when its script has run.
struct Shown {
    document: String,
}

/// Opens a page; fails where the browser has anything to complain of.
fn open(page: &Path) -> Shown {
    let profile = tempfile::tempdir().expect("a folder for the browser");
    let outcome = Command::new("timeout")
        .args(["--kill-after=5", "60", "chromium"])
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("scripts/setup installs chromium");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{said}");
    // What the page's script or policy says, the browser logs as the console's.
    let complaints: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let document = String::from_utf8(outcome.stdout).expect("the page is text");
    Shown { document }
}

impl Shown {
    /// How many elements have this attribute.
    fn count(&self, attribute: &str) -> usize {
        self.document.matches(attribute).count()
    }

    /// The values of an attribute.
    fn values(&self, attribute: &str) -> Vec<&str> {
        let start = format!(" {attribute}=\"");
        let values = self.document.split(start.as_str()).skip(1);
        values
            .map(|rest| rest.split('"').next().unwrap_or_default())
            .collect()
    }
}

fn page(recorded: &Recorded) -> std::path::PathBuf {
    told(recorded.explain().args(["--html", "page.html"]));
    recorded.file().with_file_name("page.html")
}

#[test]
fn processes_are_lanes_and_what_happened_is_marked() {
    let recorded = Recorded::of([
        roads("workers"),
        roads("grandchild").policy("warn"),
        roads("child-use").policy("cpu"),
        forkguard_testkit::python("workers.py").args(["process", "cuda"]),
    ]);
    let shown = open(&page(&recorded));
    // The script has run, and found every mark.
    let marks = shown.count("data-mark=\"");
    assert_eq!(shown.values("data-ready"), [marks.to_string()]);
    // A parent and four workers, a chain of three, two pairs.
    let lanes = shown.values("data-pid");
    assert_eq!(lanes.len(), 5 + 3 + 2 + 2, "{lanes:?}");
    for (mark, many) in [
        ("initialised", 4),
        ("forked", 4 + 2 + 1 + 1),
        ("violation", 4 + 1 + 1),
        ("absent", 1),
    ] {
        let attribute = format!("data-mark=\"{mark}\"");
        assert_eq!(shown.count(&attribute), many, "{mark}");
    }
    // Each mark leads to its step, which is there.
    let steps: HashSet<&str> = shown.values("id").into_iter().collect();
    let links = shown.values("href");
    assert!(links.len() > marks, "{links:?}");
    for link in links {
        let step = link.strip_prefix('#').expect("nothing leads elsewhere");
        assert!(steps.contains(step), "{link}");
    }
    // What it says, with the source.
    for text in [
        "CUDA used in a forked process; 4 processes aborted (policy abort)",
        "CUDA used in a forked process; 1 process went on, and the call failed (policy warn)",
        "1 forked process goes on without CUDA (policy cpu)",
        "FORKGUARD_POLICY=exec",
        "# USE",
        "cuda-&gt;cuDeviceGetCount(&amp;count);",
        "scenarios.c:",
    ] {
        assert!(shown.document.contains(text), "{text}");
    }
    for foreign in ["http:", "https:", "url(//"] {
        let page = fs::read_to_string(page(&recorded)).expect("the page");
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_fresh_process_stays_in_its_tree() {
    let program = forkguard_testkit::python_with_packages("workers.py")
        .args(["process", "cuda"])
        .policy("exec,abort");
    let shown = open(&page(&Recorded::of([program])));
    assert_eq!(shown.count("class=\"family\""), 1);
    assert_eq!(shown.values("data-pid").len(), 2);
    assert_eq!(shown.count("data-mark=\"rewritten\""), 1);
    assert!(
        shown
            .document
            .contains("1 fork became a fresh process (policy exec)")
    );
}

#[test]
fn what_was_recorded_is_text() {
    const EVIL: &str = r#"</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"#;
    let real = Recorded::of([forkguard_testkit::python("workers.py").args(["process", "cuda"])])
        .line("violation");
    let mut evil = real.clone();
    for (name, value) in [
        ("function", "cuDeviceGetCount"),
        ("function", "work"),
        ("thread", "MainThread"),
        ("policy", "abort"),
    ] {
        let mangled = evil.replace(
            &format!("\"{name}\":\"{value}\""),
            &format!("\"{name}\":\"{EVIL}\""),
        );
        assert_ne!(mangled, evil, "{name}");
        evil = mangled;
    }
    evil = evil.replace("\"argv0\":\"", &format!("\"argv0\":\"{EVIL}"));
    evil = evil.replace("\"advice\":[\"", &format!("\"advice\":[\"{EVIL}"));
    let shown = open(&page(&Recorded::with(evil)));
    assert!(
        shown
            .document
            .contains("<title>forkguard: events.jsonl</title>")
    );
    assert!(shown.document.contains("&lt;/script&gt;&lt;script&gt;"));
    assert_eq!(shown.count("<script"), 1);
    assert_eq!(shown.count("<img"), 0);
    assert_ne!(shown.values("data-ready"), [""; 0]);
}

#[test]
fn thousands_of_events_are_a_small_page() {
    let real = Recorded::of([roads("child-use")]).line("violation");
    let child =
        serde_json::from_str::<serde_json::Value>(&real).expect("an event")["pid"].to_string();
    let lines: Vec<String> = (0..5000)
        .map(|worker| real.replace(&child, &(2_000_000 + worker).to_string()))
        .collect();
    let recorded = Recorded::with(lines.join("\n"));
    let page = page(&recorded);
    let size = fs::metadata(&page).expect("the page").len();
    assert!(size < 500_000, "{size} bytes");
    let shown = open(&page);
    assert!(shown.document.contains("; 5,000 processes aborted"));
    assert_eq!(shown.values("data-processes"), ["4996"]);
}

#[test]
fn a_page_takes_the_place_of_another_whole() {
    let recorded = Recorded::of([roads("child-use")]);
    let folder = recorded.file().with_file_name("pages");
    fs::create_dir(&folder).expect("a folder");
    let path = folder.join("page.html");
    fs::write(&path, "old").expect("an old page");
    symlink("page.html", folder.join("link.html")).expect("a link to it");
    let write = |name: &str| recorded.explain().arg("--html").arg(folder.join(name));
    told(write("link.html"));
    assert!(
        fs::symlink_metadata(folder.join("link.html"))
            .expect("it")
            .is_symlink()
    );
    let page = fs::read_to_string(&path).expect("the page");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    // Readable by whom the umask lets read, as any file that a program makes.
    let other = folder.join("other");
    fs::write(&other, "").expect("a file");
    let mode = |path: &Path| fs::metadata(path).expect("it").mode();
    assert_eq!(mode(&path), mode(&other));
    assert_eq!(told(recorded.explain().args(["--html", "-"])), page);
    let left: Vec<_> = fs::read_dir(&folder).expect("the folder").collect();
    assert_eq!(left.len(), 3, "{left:?}");

    write("")
        .assert()
        .code(2)
        .stderr_eq("forkguard: [..]/pages/ cannot be written: is a directory\n");
    write("no/page.html")
        .assert()
        .code(2)
        .stderr_eq("forkguard: [..]/no/page.html cannot be written: no such file or directory\n");
}
