//! A stack of ordinary code, walked by rules that are known from the last time.
//!
//! The unwinder reads the tables of every frame anew, each time, which for a deep stack costs more
//! than all else that is done at a fork. Whatever it does not find ordinary, this leaves to the
//! unwinder.

use super::objects::Objects;

/// Bytes of the largest frame that is ordinary.
const LARGEST: usize = 8 << 20;
/// Where a call leaves the address to return to: before the caller's frame.
const RETURN_ADDRESS: i32 = -(size_of::<usize>() as i32);

/// Goes up the calling thread's stack, from this function's caller on, as long as `each` says so: it
/// gets the addresses to which the calls return. Answers false where the stack is the unwinder's,
/// perhaps halfway.
#[inline(never)]
pub fn walk(mut each: impl FnMut(usize) -> bool) -> bool {
    let (mut address, mut stack, mut base): (usize, usize, usize);
    // SAFETY: reads three registers.
    unsafe {
        core::arch::asm!(
            "lea {address}, [rip]",
            "mov {stack}, rsp",
            "mov {base}, rbp",
            address = out(reg) address,
            stack = out(reg) stack,
            base = out(reg) base,
            options(nomem, nostack, preserves_flags),
        );
    }
    let mut objects = Objects::default();
    // Here `address` is where the code goes on; of the callers it is after the call.
    let mut after_call = 0;
    loop {
        let Some(rule) = objects.rule(address - after_call) else {
            return false;
        };
        if rule.is_last {
            return true;
        }
        let from = if rule.from_rbp { base } else { stack };
        let frame = from.wrapping_add(rule.offset as usize);
        let ordinary =
            frame > stack && frame - stack <= LARGEST && frame.is_multiple_of(size_of::<usize>());
        if !ordinary {
            return false;
        }
        // SAFETY: two words of the calling thread's own stack, where the tables say that the caller's
        // are: there the unwinder reads, too.
        let saved = |offset: i32| unsafe {
            let place = frame.wrapping_add_signed(offset as isize) as *const usize;
            place.read_unaligned()
        };
        if let Some(offset) = rule.rbp {
            base = saved(offset);
        }
        let caller = saved(RETURN_ADDRESS);
        if caller == 0 {
            return true;
        }
        (address, stack, after_call) = (caller, frame, 1);
        if !each(address) {
            return true;
        }
    }
}
