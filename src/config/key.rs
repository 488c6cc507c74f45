//! The settings' names.

/// The settings, in the order in which README names them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Policy,
    Report,
    ReportArgv,
    Verbose,
    ExitCode,
    Ignore,
    Exec,
    Revive,
    Template,
}

pub(super) const KEYS: [(Key, &str); 9] = [
    (Key::Policy, "FORKGUARD_POLICY"),
    (Key::Report, "FORKGUARD_REPORT"),
    (Key::ReportArgv, "FORKGUARD_REPORT_ARGV"),
    (Key::Verbose, "FORKGUARD_VERBOSE"),
    (Key::ExitCode, "FORKGUARD_EXIT_CODE"),
    (Key::Ignore, "FORKGUARD_IGNORE"),
    (Key::Exec, "FORKGUARD_EXEC"),
    (Key::Revive, "FORKGUARD_REVIVE"),
    (Key::Template, "FORKGUARD_TEMPLATE"),
];

/// What lets a use of CUDA through, or has something else done about it, than the policy says.
pub(super) const WEAKENING: [Key; 3] = [Key::Ignore, Key::Exec, Key::Revive];
