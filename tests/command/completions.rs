//! `forkguard completions`: a shell takes the script and completes with it.
//!
//! Would fail if the script had an error of syntax, were for another command, or did not know the
//! subcommands.

use std::process::{Command, Stdio};

use snapbox::cmd::cargo_bin;

fn script(shell: &str) -> String {
    let output = snapbox::cmd::Command::new(cargo_bin!("forkguard"))
        .args(["completions", shell])
        .output()
        .expect("the command runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn bash_completes_a_subcommand() {
    let script = script("bash");
    let asked = format!(
        "{script}\ncomplete -p forkguard >&2\nCOMP_WORDS=(forkguard compl) COMP_CWORD=1\n\
         _forkguard forkguard compl forkguard\necho \"${{COMPREPLY[@]}}\"\n"
    );
    let output = Command::new("bash")
        .args(["--norc", "-euc", &asked])
        .stdin(Stdio::null())
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("_forkguard"), "{said}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "completions"
    );
}

#[test]
fn other_shells_get_theirs() {
    assert!(script("zsh").starts_with("#compdef forkguard"));
    assert!(script("fish").contains("complete -c forkguard"));
}
