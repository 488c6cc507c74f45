//! What may be written as a setting's value: one function a setting, with what it says of a value
//! that is not understood, and what holds then.
//!
//! Whether this value may be set here at all has been decided before (`loader`).

use super::command;
use super::key::Key;
use super::loader::{Loader, Place};
use super::policy::{CHAIN, Chain, Policy};
use super::settings::{COMMAND, Exec, IGNORE, PATH, Report, Template, words};
use super::shown::Shown;
use crate::report::scene;

impl Loader<'_> {
    /// Answers whether the value was understood.
    pub(super) fn value(&mut self, key: Key, value: &[u8], place: Place<'_>) -> bool {
        match key {
            Key::Policy => self.policy(value, place),
            Key::Report => self.report(value, place),
            Key::Verbose => self.verbose(value, place),
            Key::ExitCode => self.exit_code(value, place),
            Key::Ignore => self.ignore(value, place),
            Key::Exec => self.exec(value, place),
            Key::Template => self.template(value, place),
            Key::Revive => self.revive(value, place),
            Key::ReportArgv => self.report_argv(value, place),
        }
    }

    fn policy(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let mut steps = [Policy::Abort; CHAIN];
        let mut len = 0;
        let mut unknown = false;
        for word in words(value) {
            match core::str::from_utf8(word).ok().and_then(Policy::of) {
                Some(policy) if steps[..len].contains(&policy) => {}
                Some(policy) => {
                    steps[len] = policy;
                    len += 1;
                }
                None => {
                    unknown = true;
                    let chain = self.config.policy;
                    self.say(format_args!(
                        "{place}: there is no policy \"{}\"; the policies are abort, exec, cpu, \
                         revive, warn and off, and {chain} stays in force",
                        Shown(word)
                    ));
                }
            }
        }
        if unknown {
            return false;
        }
        // Without a word it is the default, which is what the steps are then.
        let more = len.saturating_sub(1);
        self.config.policy = Chain { steps, more };
        true
    }

    fn report(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if value.is_empty() {
            self.config.report = Report::None;
            return true;
        }
        if value == b"stderr" {
            self.config.report = Report::Stderr;
            return true;
        }
        if let Some(number) = value.strip_prefix(b"fd:") {
            let Some(fd) = number_of(number).and_then(|fd| i32::try_from(fd).ok()) else {
                let standing = self.standing_report();
                self.say(format_args!(
                    "{place}: \"{}\" names no file descriptor; write fd:3, for example. \
                     {standing}",
                    Shown(value)
                ));
                return false;
            };
            self.config.report = Report::Fd(fd);
            return true;
        }
        let (value, kind) = match value.strip_prefix(b"text:") {
            Some(path) => (path.trim_ascii(), Report::Text),
            None => (value, Report::Path),
        };
        if value.is_empty() {
            let standing = self.standing_report();
            self.say(format_args!(
                "{place}: \"text:\" names no file; write text:/dev/termination-log, for example. \
                 {standing}"
            ));
            return false;
        }
        // These are links to what the process has open, and no link is followed.
        let open = [
            &b"/dev/stdin"[..],
            b"/dev/stdout",
            b"/dev/stderr",
            b"/dev/fd/",
            b"/proc/self/fd/",
        ];
        if open.iter().any(|link| value.starts_with(link)) {
            let standing = self.standing_report();
            self.say(format_args!(
                "{place}: \"{}\" names an open file descriptor: write it as fd:N (standard error's \
                 is fd:2; stderr puts events in the place of the text). {standing}",
                Shown(value)
            ));
            return false;
        }
        // The program may change its folder later; the file stays where it was meant.
        let mut room = [0; PATH];
        let kept = if value.starts_with(b"/") {
            self.config.path.set(&[value])
        } else {
            let cwd = scene::cwd(&mut room);
            if cwd.is_empty() {
                self.config.path.set(&[value])
            } else {
                self.config
                    .path
                    .set(&[cwd.trim_end_matches('/').as_bytes(), b"/", value])
            }
        };
        if !kept {
            let standing = self.standing_report();
            self.say(format_args!(
                "{place}: the path has more than {} bytes. {standing}",
                PATH - 1
            ));
            return false;
        }
        self.config.report = kind;
        true
    }

    /// What holds of it where a value was not understood.
    fn standing_report(&self) -> &'static str {
        match self.config.report {
            Report::None => "No events are written",
            _ => "What was set before stays in force",
        }
    }

    fn report_argv(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if let [digit @ b'0'..=b'1'] = value {
            self.config.report_argv = *digit == b'1';
            return true;
        }
        let standing = u8::from(self.config.report_argv);
        self.say(format_args!(
            "{place}: \"{}\" is not 0 or 1; {standing} stays in force",
            Shown(value)
        ));
        false
    }

    fn verbose(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if let [digit @ b'0'..=b'2'] = value {
            self.config.verbose = digit - b'0';
            return true;
        }
        let verbose = self.config.verbose;
        self.say(format_args!(
            "{place}: \"{}\" is not 0, 1 or 2; {verbose} stays in force",
            Shown(value)
        ));
        false
    }

    fn exit_code(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let code = number_of(value).and_then(|code| u8::try_from(code).ok());
        if let Some(code) = code {
            self.config.exit_code = Some(code);
            return true;
        }
        let end = if self.config.exit_code.is_some() {
            "the one set before"
        } else {
            "SIGABRT"
        };
        self.say(format_args!(
            "{place}: \"{}\" is no exit code, which goes from 0 to 255; abort ends with {end}",
            Shown(value)
        ));
        false
    }

    fn ignore(&mut self, value: &[u8], place: Place<'_>) -> bool {
        for word in words(value) {
            let driver = matches!(word, [b'c', b'u', b'A'..=b'Z', ..])
                || word.starts_with(b"cuvid") && word.len() > 5;
            if !driver || !word.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
                self.say(format_args!(
                    "{place}: \"{}\" is no name of a driver function and is passed over",
                    Shown(word)
                ));
            }
        }
        if !self.config.ignore.set(&[value]) {
            let standing = if self.config.ignore.get().is_empty() {
                "no function is ignored"
            } else {
                "the list set before stays in force"
            };
            self.say(format_args!(
                "{place}: the list has more than {} bytes; {standing}",
                IGNORE - 1
            ));
            return false;
        }
        true
    }

    fn exec(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if value.is_empty() || value == b"restart" {
            let restart = !value.is_empty();
            self.config.exec = if restart { Exec::Restart } else { Exec::None };
            return true;
        }
        if let Err(fault) = command::split(value, &mut |_| {}) {
            let standing = self.standing_command();
            self.say(format_args!(
                "{place}: \"{}\" cannot be run: {fault}. {standing}",
                Shown(value)
            ));
            return false;
        }
        if !self.config.command.set(&[value]) {
            let standing = self.standing_command();
            self.say(format_args!(
                "{place}: the command line has more than {} bytes. {standing}",
                COMMAND - 1
            ));
            return false;
        }
        self.config.exec = Exec::Command;
        true
    }

    /// What holds of it where a value was not understood.
    fn standing_command(&self) -> &'static str {
        match self.config.exec {
            Exec::None => "Nothing is run in the place of a forked process",
            Exec::Restart | Exec::Command => "What was set before stays in force",
        }
    }

    fn template(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let (template, standing) = match (value, self.config.template) {
            (b"0", _) => (Template::Never, ""),
            (b"1", _) => (Template::Always, ""),
            (_, standing @ Template::WhereItPays) => (standing, "a template is kept where it pays"),
            (_, standing @ Template::Always) => (standing, "1 stays in force"),
            (_, standing @ Template::Never) => (standing, "0 stays in force"),
        };
        if !standing.is_empty() {
            self.say(format_args!(
                "{place}: \"{}\" is not 0 or 1; {standing}",
                Shown(value)
            ));
            return false;
        }
        self.config.template = template;
        true
    }

    fn revive(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if !value.is_empty() && value != b"foreign-handles-unused" {
            self.say(format_args!(
                "{place}: \"{}\" is not known here; the one thing that can be said is \
                 foreign-handles-unused",
                Shown(value)
            ));
            return false;
        }
        self.config.foreign_handles_unused = !value.is_empty();
        true
    }
}

fn number_of(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::{Given, environment};
    use crate::config::settings::InPlace;
    use crate::report::sink::Target;

    #[test]
    fn every_variable_is_read() {
        let (config, said) = environment(&[
            c"FORKGUARD_POLICY= warn , abort ",
            c"FORKGUARD_REPORT=/tmp/x.jsonl",
            c"FORKGUARD_VERBOSE=2",
            c"FORKGUARD_EXIT_CODE=66",
            c"FORKGUARD_IGNORE=cuDeviceGetCount, cuMemGetInfo",
        ]);
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(config.policy.first(), Policy::Warn);
        assert_eq!(config.policy.steps().len(), 2);
        assert_eq!(config.report(), Some(Target::Path(c"/tmp/x.jsonl")));
        assert_eq!((config.verbose, config.exit_code), (2, Some(66)));
        assert!(config.ignores(b"cuDeviceGetCount"));
        assert!(config.ignores(b"cuMemGetInfo_v2"));
        assert!(config.ignores(b"cuMemGetInfo_v2_ptds"));
        assert!(!config.ignores(b"cuMemGetInfoX"));
        assert!(!config.ignores(b"cuDeviceGet"));
    }

    #[test]
    fn an_unknown_policy_leaves_the_default() {
        let (config, said) = environment(&[c"FORKGUARD_POLICY=off,abrot"]);
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(
            said,
            [
                "FORKGUARD_POLICY: there is no policy \"abrot\"; the policies are abort, exec, \
                 cpu, revive, warn and off, and abort stays in force"
            ]
        );
    }

    #[test]
    fn what_stays_in_force_is_what_was_set_before() {
        let long = std::ffi::CString::new(format!("FORKGUARD_IGNORE=cu{}", "X".repeat(IGNORE)));
        let (config, said) = Given {
            named: Some(
                b"FORKGUARD_POLICY=exec,warn\nFORKGUARD_REPORT=/tmp/x.jsonl\n\
                  FORKGUARD_EXEC=restart\nFORKGUARD_IGNORE=cuInit\n",
            ),
            environment: &[
                c"FORKGUARD_POLICY=abrot",
                c"FORKGUARD_REPORT=fd:x",
                c"FORKGUARD_EXEC=a | b",
                &long.unwrap(),
            ],
            ..Given::default()
        }
        .load();
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(
            said[0].ends_with("and exec,warn stays in force"),
            "{said:#?}"
        );
        for said in &said[1..] {
            assert!(said.ends_with("set before stays in force"), "{said}");
        }
        assert_eq!(config.policy.first(), Policy::Exec);
        assert_eq!(config.report(), Some(Target::Path(c"/tmp/x.jsonl")));
        assert_eq!(config.in_place(), Some(InPlace::Restart));
        assert!(config.ignores(b"cuInit"));
    }

    #[test]
    fn bad_numbers_are_named() {
        let (config, said) = environment(&[
            c"FORKGUARD_VERBOSE=x",
            c"FORKGUARD_EXIT_CODE=300",
            c"FORKGUARD_REPORT=fd:-1",
        ]);
        assert_eq!(
            (config.verbose, config.exit_code, config.report()),
            (0, None, None)
        );
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("\"x\" is not 0, 1 or 2"), "{}", said[0]);
        assert!(said[1].contains("\"300\" is no exit code"), "{}", said[1]);
        assert!(said[2].contains("names no file descriptor"), "{}", said[2]);
    }

    #[test]
    fn reports_may_go_to_a_descriptor_or_stderr() {
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=fd:7"]).0.report(),
            Some(Target::Fd(7))
        );
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=stderr"]).0.report(),
            Some(Target::Stderr)
        );
    }

    #[test]
    fn the_text_may_go_to_a_file_in_place_of_events() {
        let (config, said) = environment(&[c"FORKGUARD_REPORT=text:/dev/termination-log"]);
        assert_eq!(config.text_report(), Some(c"/dev/termination-log"));
        assert_eq!((config.report(), said.len()), (None, 0));
        let (config, said) = environment(&[c"FORKGUARD_REPORT=text: "]);
        assert_eq!((config.text_report(), config.report()), (None, None));
        assert!(
            said.len() == 1 && said[0].contains("names no file"),
            "{said:#?}"
        );
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=/text"]).0.text_report(),
            None
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "system calls that Miri does not have")]
    fn a_relative_path_is_kept_from_here() {
        let (config, _) = environment(&[c"FORKGUARD_REPORT=events.jsonl"]);
        let expected = std::env::current_dir().unwrap().join("events.jsonl");
        let Some(Target::Path(path)) = config.report() else {
            panic!("no path")
        };
        assert_eq!(path.to_str().unwrap(), expected.to_str().unwrap());
    }

    #[test]
    fn a_link_to_an_open_descriptor_is_written_otherwise() {
        for value in [
            c"FORKGUARD_REPORT=/dev/stderr",
            c"FORKGUARD_REPORT=/proc/self/fd/3",
            c"FORKGUARD_REPORT=/dev/fd/3",
        ] {
            let (config, said) = environment(&[value]);
            assert_eq!(config.report(), None);
            assert!(said.len() == 1 && said[0].contains("fd:N"), "{said:#?}");
        }
        assert!(
            environment(&[c"FORKGUARD_REPORT=/dev/termination-log"])
                .1
                .is_empty()
        );
    }

    #[test]
    fn too_long_a_path_is_no_path() {
        let long = format!("FORKGUARD_REPORT=/{}", "x".repeat(PATH));
        let long = std::ffi::CString::new(long).unwrap();
        let (config, said) = environment(&[&long]);
        assert_eq!(config.report(), None);
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn ignored_names_are_checked() {
        let (config, said) = environment(&[c"FORKGUARD_IGNORE=malloc,cuInit"]);
        assert!(config.ignores(b"cuInit"));
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("\"malloc\" is no name of a driver function"));
    }

    #[test]
    fn what_runs_in_the_place_of_a_fork() {
        for (value, expected) in [
            (c"FORKGUARD_EXEC=restart", Some(InPlace::Restart)),
            (
                c"FORKGUARD_EXEC= python 'my worker.py' ",
                Some(InPlace::Command(b"python 'my worker.py'")),
            ),
            (c"FORKGUARD_EXEC=", None),
            (c"FORKGUARD_EXEC=  ", None),
        ] {
            let (config, said) = environment(&[c"FORKGUARD_POLICY=exec,warn", value]);
            assert_eq!(config.in_place(), expected);
            assert_eq!(said, Vec::<String>::new());
        }
    }

    #[test]
    fn a_command_for_a_shell_is_named_and_not_run() {
        let (config, said) =
            environment(&[c"FORKGUARD_POLICY=exec", c"FORKGUARD_EXEC=python $FILE"]);
        assert_eq!(config.in_place(), None);
        assert_eq!(
            said,
            [
                "FORKGUARD_EXEC: \"python $FILE\" cannot be run: $ is for a shell, and none runs \
                 it: quote it, or write sh -c '…'. Nothing is run in the place of a forked process"
            ]
        );
        let long = format!("FORKGUARD_EXEC=a {}", "x".repeat(COMMAND));
        let long = std::ffi::CString::new(long).unwrap();
        let (config, said) = environment(&[c"FORKGUARD_POLICY=exec", &long]);
        assert_eq!(config.in_place(), None);
        assert!(
            said.len() == 1 && said[0].contains("more than 4095 bytes. Nothing is run"),
            "{said:#?}"
        );
    }

    #[test]
    fn a_template_is_kept_where_it_pays_always_or_never() {
        for (variables, expected) in [
            (&[][..], Template::WhereItPays),
            (&[c"FORKGUARD_TEMPLATE=1"], Template::Always),
            (&[c"FORKGUARD_TEMPLATE= 0 "], Template::Never),
        ] {
            let (config, said) = environment(variables);
            assert_eq!((config.template, said), (expected, Vec::<String>::new()));
        }
        let (config, said) = environment(&[c"FORKGUARD_TEMPLATE=yes"]);
        assert_eq!(config.template, Template::WhereItPays);
        assert_eq!(
            said,
            ["FORKGUARD_TEMPLATE: \"yes\" is not 0 or 1; a template is kept where it pays"]
        );
    }

    #[test]
    fn what_revive_may_take_for_granted() {
        let (config, said) = environment(&[
            c"FORKGUARD_POLICY=revive",
            c"FORKGUARD_REVIVE=foreign-handles-unused",
        ]);
        assert!(config.foreign_handles_unused && said.is_empty());
        let (config, said) = environment(&[c"FORKGUARD_REVIVE=yes"]);
        assert!(!config.foreign_handles_unused);
        assert_eq!(
            said,
            [
                "FORKGUARD_REVIVE: \"yes\" is not known here; the one thing that can be said is \
                 foreign-handles-unused"
            ]
        );
        let (_, said) = environment(&[
            c"FORKGUARD_REVIVE=foreign-handles-unused",
            c"FORKGUARD_VERBOSE=1",
        ]);
        assert!(
            said.len() == 1 && said[0].contains("has no use"),
            "{said:#?}"
        );
    }
}
