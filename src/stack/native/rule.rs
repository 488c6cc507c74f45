//! How the caller of one place in the code is found, in one word, so that it can be kept and read at
//! once. Distances are in words of the stack: frames consist of them, and so does what lies in them.

use core::num::NonZeroU64;

const LAST: u64 = 1;
const FROM_FRAME_POINTER: u64 = 2;
const FRAME_POINTER_SAVED: u64 = 4;
const RETURN_ADDRESS_SAVED: u64 = 8;
/// No rule is 0.
const WRITTEN: u64 = 16;
/// Where the distances stand.
const SIZE: Bits = Bits {
    first: 5,
    count: 20,
};
const FRAME_POINTER: Bits = Bits {
    first: 25,
    count: 20,
};
const RETURN_ADDRESS: Bits = Bits {
    first: 45,
    count: 19,
};

/// The rule of one place. "Where" is always how many bytes before the caller's frame begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule(NonZeroU64);

/// What makes a rule.
#[derive(Clone, Copy)]
pub struct Parts {
    /// Whether the caller's frame is counted from the frame pointer, or else from the stack's.
    pub from_frame_pointer: bool,
    /// How far from it the caller's frame begins.
    pub size: i64,
    /// Where the caller's frame pointer lies; `None` where it is still in its register.
    pub frame_pointer: Option<i64>,
    /// Where the return address lies, likewise.
    pub return_address: Option<i64>,
    /// There is no caller.
    pub is_last: bool,
}

impl Rule {
    /// `None` for what is not ordinary: there is no room for it.
    pub fn new(parts: &Parts) -> Option<Self> {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let mut word = WRITTEN
            | flag(parts.is_last, LAST)
            | flag(parts.from_frame_pointer, FROM_FRAME_POINTER)
            | SIZE.put(parts.size)?;
        if let Some(place) = parts.frame_pointer {
            word |= FRAME_POINTER_SAVED | FRAME_POINTER.put(place)?;
        }
        if let Some(place) = parts.return_address {
            word |= RETURN_ADDRESS_SAVED | RETURN_ADDRESS.put(place)?;
        }
        Self::of_word(word)
    }

    /// The word that it is.
    pub fn word(self) -> u64 {
        self.0.get()
    }

    /// What [`word`](Self::word) answered.
    pub fn of_word(word: u64) -> Option<Self> {
        NonZeroU64::new(word).map(Self)
    }

    /// Whether there is no caller.
    pub fn is_last(self) -> bool {
        self.has(LAST)
    }

    /// Where the caller's frame begins, with these two pointers.
    pub fn frame(self, frame_pointer: usize, stack_pointer: usize) -> usize {
        let from = if self.has(FROM_FRAME_POINTER) {
            frame_pointer
        } else {
            stack_pointer
        };
        from.wrapping_add(SIZE.get(self.word()))
    }

    /// Where the caller's frame pointer lies; `None` where it is still in its register.
    pub fn frame_pointer(self) -> Option<usize> {
        let saved = self.has(FRAME_POINTER_SAVED);
        saved.then(|| FRAME_POINTER.get(self.word()))
    }

    /// Where the return address lies, likewise.
    pub fn return_address(self) -> Option<usize> {
        let saved = self.has(RETURN_ADDRESS_SAVED);
        saved.then(|| RETURN_ADDRESS.get(self.word()))
    }

    fn has(self, flag: u64) -> bool {
        self.word() & flag != 0
    }
}

/// Where in the word a distance stands.
#[derive(Clone, Copy)]
struct Bits {
    first: u32,
    count: u32,
}

const UNIT: usize = size_of::<usize>();

impl Bits {
    fn put(self, bytes: i64) -> Option<u64> {
        let bytes = usize::try_from(bytes).ok()?;
        let units = (bytes / UNIT) as u64;
        let fits = bytes.is_multiple_of(UNIT) && units < 1 << self.count;
        fits.then_some(units << self.first)
    }

    fn get(self, word: u64) -> usize {
        (word >> self.first & ((1 << self.count) - 1)) as usize * UNIT
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A rule that differs from others in `size` alone.
    pub fn sample(size: i64) -> Rule {
        let parts = Parts { size, ..ORDINARY };
        Rule::new(&parts).expect("an ordinary rule")
    }

    const ORDINARY: Parts = Parts {
        from_frame_pointer: false,
        size: 16,
        frame_pointer: Some(16),
        return_address: Some(8),
        is_last: false,
    };

    #[test]
    fn a_rule_says_what_it_was_made_of() {
        let rule = Rule::new(&ORDINARY).unwrap();
        assert!(!rule.is_last());
        assert_eq!(rule.frame(1 << 20, 1 << 30), (1 << 30) + 16);
        assert_eq!(
            (rule.frame_pointer(), rule.return_address()),
            (Some(16), Some(8))
        );
        let largest = Parts {
            from_frame_pointer: true,
            size: (8 << 20) - 8,
            frame_pointer: Some((8 << 20) - 8),
            return_address: Some((4 << 20) - 8),
            is_last: true,
        };
        let rule = Rule::new(&largest).unwrap();
        assert!(rule.is_last());
        assert_eq!(rule.frame(1 << 23, 0), (2 << 23) - 8);
        assert_eq!(rule.frame_pointer(), Some((8 << 20) - 8));
        assert_eq!(rule.return_address(), Some((4 << 20) - 8));
        assert_eq!(Rule::of_word(rule.word()), Some(rule));
    }

    #[test]
    fn a_function_without_a_frame_has_a_rule() {
        let nothing = Parts {
            size: 0,
            frame_pointer: None,
            return_address: None,
            ..ORDINARY
        };
        let rule = Rule::new(&nothing).unwrap();
        assert_eq!(rule.frame(1, 2), 2);
        assert_eq!((rule.frame_pointer(), rule.return_address()), (None, None));
        assert_eq!(Rule::of_word(0), None);
    }

    #[test]
    fn what_is_not_ordinary_has_none() {
        for wrong in [-8, 4, 8 << 20] {
            let others = [
                Parts {
                    size: wrong,
                    ..ORDINARY
                },
                Parts {
                    frame_pointer: Some(wrong),
                    ..ORDINARY
                },
                Parts {
                    return_address: Some(wrong),
                    ..ORDINARY
                },
            ];
            assert!(
                others.iter().all(|parts| Rule::new(parts).is_none()),
                "{wrong}"
            );
        }
    }
}
