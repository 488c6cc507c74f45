//! A file of events as anybody may write it, and files that it names, as functions of bytes.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

use super::symbols::Recorded;
use super::{Read, Sources, Symbols, View, read};
use crate::event::NativeFrame;
use crate::fuzz::assert_plain;

/// A file of events, shown in each of the ways. Of the files that it names none is there.
pub fn events(bytes: &[u8]) {
    for full in [false, true] {
        let mut view = View {
            full,
            here: PathBuf::from("/srv"),
            symbols: Symbols::new(Some("/dev/null".into())),
            sources: Sources::new(true, Some("/dev/null".into())),
        };
        assert_plain(&view.text("events", all(bytes)));
        let page = view.page("events", all(bytes));
        assert!(page.ends_with("</html>\n"), "{page}");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_plain(&page);
    }
}

fn all(bytes: &[u8]) -> Read {
    let mut all = Read::default();
    read::lines(
        &mut std::io::BufReader::with_capacity(64, bytes),
        |_, line| {
            if let Some(why) = all.add(line, true) {
                assert_plain(&why);
            }
        },
    )
    .expect("memory can be read");
    all
}

/// A file that was mapped where CUDA was used, with its debug information.
pub fn symbols(bytes: &[u8]) {
    // SAFETY: a C string and a flag.
    let fd = unsafe { libc::memfd_create(c"module".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "no memory");
    // SAFETY: opened just now, and nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(bytes).expect("room");
    let mut symbols = Symbols::new(None);
    for offset in [0, 1, 0x2a3, 0x2a8, 0x1119, u64::MAX] {
        let frame = NativeFrame {
            module: Some(format!("/proc/self/fd/{}", file.as_raw_fd())),
            offset,
            symbol: None,
        };
        let recorded = Recorded {
            build_id: None,
            time: None,
        };
        for function in symbols.functions(&frame, recorded) {
            assert_plain(function.name.as_deref().unwrap_or_default());
        }
    }
    symbols.notes().iter().for_each(|note| assert_plain(note));
}
