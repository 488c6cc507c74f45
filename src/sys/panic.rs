//! The end of a process in which this library finds that it has a fault: no panic is expected on any
//! input, and none may cross into C.
//!
//! Not in unit tests, which have the standard library's.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::report::buffer::Buffer;
use crate::report::sink::{self, Pace};

/// Says where, in one line, and ends as `abort` does: a debugger and a core dump have the stack.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if !BEGUN.swap(true, Ordering::Relaxed) {
        say(info);
    }
    // SAFETY: it never returns.
    unsafe { libc::abort() }
}

fn say(info: &PanicInfo<'_>) {
    let mut room = [0; 512];
    let mut line = Buffer::new(&mut room);
    let (file, at) = info
        .location()
        .map_or(("?", 0), |place| (place.file(), place.line()));
    line.put(format_args!(
        "forkguard: this is a fault of forkguard itself, at {file}:{at}; please report it. Without \
         the guard (LD_PRELOAD) the program runs\n"
    ));
    sink::to_stderr(line.finish_printable(), Pace::GoesOn);
}

// Parts of Rust's core library that the linker keeps where nothing is optimised say that this is to be
// asked when an exception goes through them. Nothing of theirs is to be done then: it goes on
// (`_URC_CONTINUE_UNWIND`). Assembly, because a function would be one more name that the library
// exports.
macro_rules! personality {
    ($answer:literal) => {
        core::arch::global_asm!(
            ".pushsection .text.rust_eh_personality,\"ax\",@progbits",
            ".globl rust_eh_personality",
            ".hidden rust_eh_personality",
            ".type rust_eh_personality, @function",
            "rust_eh_personality:",
            $answer,
            "ret",
            ".size rust_eh_personality, . - rust_eh_personality",
            ".popsection",
        );
    };
}

#[cfg(target_arch = "x86_64")]
personality!("mov eax, 8");
#[cfg(target_arch = "aarch64")]
personality!("mov w0, #8");
