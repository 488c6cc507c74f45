//! Files and an environment as strings, for the tests: what comes of them, and what is said.

use core::ffi::CStr;
use core::fmt;

use super::file::File;
use super::key::KEYS;
use super::loader::{DEFAULT_FILE, Loader, Rank};
use super::settings::Config;

/// Loads from strings; gives the configuration and what was said.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) etc: Option<&'a [u8]>,
    pub(super) named: Option<&'a [u8]>,
    pub(super) environment: &'a [&'a CStr],
}

impl Given<'_> {
    pub(super) fn load(&self) -> (Config, Vec<String>) {
        let mut config = Config::DEFAULT;
        let mut said = Vec::new();
        let mut say = |message: fmt::Arguments<'_>| said.push(message.to_string());
        let mut loader = Loader {
            config: &mut config,
            rank: [Rank::Default; KEYS.len()],
            say: &mut say,
        };
        if let Some(text) = self.etc {
            let only_locked = self.named.is_some();
            loader.file(text, DEFAULT_FILE, File::Default { only_locked });
        }
        if let Some(text) = self.named.filter(|_| !loader.is_locked()) {
            loader.file(text, c"my.conf", File::Named);
        }
        loader.environment(self.environment.iter().copied());
        loader.finish();
        (config, said)
    }
}

pub(super) fn environment(variables: &[&CStr]) -> (Config, Vec<String>) {
    Given {
        environment: variables,
        ..Given::default()
    }
    .load()
}

pub(super) fn file(text: &[u8]) -> (Config, Vec<String>) {
    Given {
        named: Some(text),
        ..Given::default()
    }
    .load()
}
