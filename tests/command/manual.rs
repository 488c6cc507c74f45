//! The manual page has all that the command can do, the settings, and the exit codes; `--help` fits
//! a screen.
//!
//! Would fail if a subcommand, an option or a setting were added that the page does not tell, or if
//! the page were not one that `man` reads.

use snapbox::cmd::{Command, cargo_bin};

fn printed(words: &[&str]) -> String {
    let output = Command::new(cargo_bin!("forkguard"))
        .args(words)
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "forkguard {words:?} failed");
    String::from_utf8(output.stdout).expect("it is text")
}

/// The names of the subcommands, as `--help` lists them.
fn subcommands() -> Vec<String> {
    let help = printed(&["--help"]);
    let listed = help.split_once("Commands:\n").expect("commands are listed");
    listed
        .1
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_tells_every_subcommand_with_its_options() {
    let page = printed(&["manual"]);
    let subcommands = subcommands();
    assert!(subcommands.iter().any(|name| name == "run"));
    for name in subcommands {
        let head = format!(".SS forkguard {name}");
        let (_, section) = page.split_once(&head).expect(&head);
        let section = section.split("\n.S").next().unwrap_or_default();
        for word in printed(&[&name, "--help"]).split_whitespace() {
            let option = word.trim_end_matches([',', '.', ';', ':']);
            if option.starts_with("--") && option.len() > 2 && option != "--help" {
                let written = option.replace('-', "\\-");
                assert!(section.contains(&written), "{option} of {name}");
            }
        }
    }
}

#[test]
fn the_page_tells_every_setting_and_has_its_sections() {
    let page = printed(&["manual"]);
    assert!(page.starts_with(".TH FORKGUARD 1 ") || page.contains("\n.TH FORKGUARD 1 "));
    for section in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
    ] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    let settings = include_str!("../../src/config/key.rs");
    let mut told = 0;
    for line in settings.lines() {
        let Some((_, rest)) = line.split_once("(Key::") else {
            continue;
        };
        let Some(name) = rest.split('"').nth(1) else {
            continue;
        };
        assert!(page.contains(name), "{name}");
        told += 1;
    }
    assert!(told > 5, "{told} settings were found in src/config/key.rs");
}

#[test]
fn help_fits_a_screen() {
    let help = printed(&["--help"]);
    assert!(help.lines().count() <= 24, "{help}");
}
