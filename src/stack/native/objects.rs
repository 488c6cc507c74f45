//! The objects that a stack leads through, and the rules of their code.

use super::build::{self, Build};
use super::known;
use super::rule::Rule;
use super::rules::{self, Tables};
use crate::sys::elf::{self, Code};

/// Objects of one stack that are remembered while it is walked.
const OBJECTS: usize = 8;

/// The objects of one stack.
#[derive(Default)]
pub struct Objects {
    met: [Option<Met>; OBJECTS],
    len: usize,
}

#[derive(Clone, Copy)]
struct Met {
    code: Code,
    build: Option<Build>,
}

impl Objects {
    /// The rule for `pc`, an address of the calling thread's stack, or before one.
    pub fn rule(&mut self, pc: usize) -> Option<Rule> {
        let Met { code, build } = self.object_at(pc)?;
        let offset = pc - code.start;
        if let Some(build) = build
            && let Some(rule) = known::get(offset, build)
        {
            return Some(rule);
        }
        let tables = Tables {
            start: code.start,
            end: code.end,
            header: code.unwind,
        };
        // SAFETY: the object that holds an address of this thread's stack, as the loader knows it.
        let rule = unsafe { rules::find(&tables, pc) }?;
        if let Some(build) = build {
            known::put(offset, build, rule);
        }
        Some(rule)
    }

    fn object_at(&mut self, pc: usize) -> Option<Met> {
        let mut met = self.met[..self.len].iter().flatten();
        if let Some(met) = met.find(|met| (met.code.start..met.code.end).contains(&pc)) {
            return Some(*met);
        }
        let code = elf::code_at(pc)?;
        let met = Met {
            code,
            build: build::of(&code),
        };
        if let Some(place) = self.met.get_mut(self.len) {
            *place = Some(met);
            self.len += 1;
        }
        Some(met)
    }
}
