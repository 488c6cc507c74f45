//! What the library reads that others wrote, each reader as a function of bytes: nothing may panic,
//! and what holds for every input is checked.
//!
//! For libFuzzer (the `fuzz` folder, scripts/fuzz) and for the test below, which gives each what is
//! kept in tests/corpus and some mangled inputs. Not in the library that is shipped.

use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

use crate::config::fuzz::{command_line, settings};
use crate::policy::entry::payload;
use crate::python::hash_secret;
use crate::report::buffer::Buffer;
use crate::report::json::quote;
use crate::stack::python::fuzz::interpreter;
use crate::sys::elf::{self, Object};
use crate::sys::maps;
use crate::template::wire::{self, Fd};

/// A reader, given bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("settings", settings),
    ("command-line", command_line),
    ("payload", received),
    ("template-request", request),
    ("python-stack", interpreter),
    ("object", object),
    ("mappings", mappings),
    ("report-text", text),
];

/// Memory that a reader is let look at: pages of zeros, behind which nothing can be read. The readers
/// go by pages, so that no allocation would do: what lies beside it is forbidden to a sanitizer.
pub struct Image {
    start: *mut u64,
    size: usize,
}

impl Image {
    const PAGE: usize = 4096;

    /// Of as many pages as so many bytes take.
    pub fn new(size: usize) -> Self {
        let size = size.next_multiple_of(Self::PAGE);
        let all = size + Self::PAGE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new pages, wherever there is room, the first of which are made this value's.
        unsafe {
            let start = libc::mmap(core::ptr::null_mut(), all, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED, "no memory");
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            assert!(size == 0 || libc::mprotect(start, size, writable) == 0);
            Self {
                start: start.cast(),
                size,
            }
        }
    }

    /// Where it is.
    pub fn start(&self) -> usize {
        self.start.addr()
    }

    /// All of it.
    pub fn words(&mut self) -> &mut [u64] {
        // SAFETY: this value's own pages, zeroed or written by words.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.size / size_of::<u64>()) }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody has a part of it.
        unsafe { libc::munmap(self.start.cast(), self.size + Self::PAGE) };
    }
}

/// What a fresh process is given by the one that it stands for.
fn received(bytes: &[u8]) {
    let mut closing = 0;
    if let Some(received) = payload::read(bytes, |_| closing += 1) {
        let all = closing * size_of::<i32>() + received.name.len();
        assert!(all <= bytes.len() && received.data.len() <= bytes.len());
    }
}

/// What a template is asked for.
fn request(bytes: &[u8]) {
    let (mut program, template) = UnixStream::pair().expect("two sockets");
    // More than a socket holds would wait for its reader.
    let bytes = &bytes[..bytes.len().min(64 * 1024)];
    std::io::Write::write_all(&mut program, bytes).expect("room");
    drop(program);
    if let Some(request) = wire::request(Fd(template.into_raw_fd())) {
        assert!(request.body.len() <= bytes.len() && request.numbers.len() == request.files.len());
    }
}

/// A loaded object of which nothing is certain: what is at its address may be another's by now. The
/// first two bytes say where its dynamic section should be.
fn object(bytes: &[u8]) {
    let Some((dynamic, image)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let mut mapped = Image::new(image.len());
    for (place, byte) in mapped.words().iter_mut().zip(image.chunks(8)) {
        let mut word = [0; 8];
        word[..byte.len()].copy_from_slice(byte);
        *place = u64::from_ne_bytes(word);
    }
    let start = mapped.start();
    let object = Object {
        base: start,
        dynamic: start + usize::from(u16::from_le_bytes(*dynamic)),
        ..Object::EMPTY
    };
    let id = elf::build_id(&object, start, start + image.len());
    assert!(id.is_none_or(|(_, len)| (1..=elf::BUILD_ID).contains(&len)));
}

/// Lines of the kernel's list, in which paths are a program's to choose; and the environment's
/// secret.
fn mappings(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        let path = maps::path(line);
        if let Some(mapping) = maps::parse(line) {
            assert_eq!(mapping.path, path);
        }
    }
    let _ = hash_secret::decoded(bytes);
}

/// Text of the program's on its way into a report. The first three bytes: how much room there is, how
/// wide it may be, how much of it is quoted.
fn text(bytes: &[u8]) {
    let Some(([room, width, most], text)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let mut room = vec![0; usize::from(*room) * 16];
    let mut out = Buffer::new(&mut room);
    out.put_str(&text);
    out.wrap(0, 0, usize::from(*width) / 4, usize::from(*width));
    let shown = core::str::from_utf8(out.finish_printable()).expect("text");
    let mut rest = shown.chars();
    while let Some(letter) = rest.next() {
        // Of an escape sequence only a colour's is left.
        let is_colour = letter == '\u{1b}'
            && rest.next() == Some('[')
            && rest.find(|letter| !letter.is_ascii_digit() && *letter != ';') == Some('m');
        assert!(
            is_colour || letter == '\n' || !letter.is_control(),
            "{shown:?}"
        );
    }

    let mut room = vec![0; 8 * text.len() + 64];
    let mut out = Buffer::new(&mut room);
    let most = usize::from(*most);
    let cut = quote(&mut out, format_args!("{text}"), most);
    let json = core::str::from_utf8(out.finish()).expect("text");
    assert!(!json.contains(char::is_control), "{json:?}");
    let value: String = serde_json::from_str(json).expect("JSON");
    assert!(cut || value == text);
    assert!(cut == (text.len() > most) && value.len() <= text.len().min(most) + 3);
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkguard_testkit::mangled;

    #[test]
    fn no_input_does_harm() {
        for (name, read) in TARGETS {
            // A stack that goes in circles is walked for long.
            let made = if name == "python-stack" { 300 } else { 3000 };
            mangled::give(name, made, read);
        }
    }
}
