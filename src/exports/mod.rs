//! The C symbols, and nothing else: each calls the room that has the logic.
//!
//! Not compiled into unit tests: a test program that exported `fork` would use it.

pub mod debug;
pub mod describe;
pub mod driver;
pub mod entry;
pub mod image;
pub mod lookup;
pub mod process;
pub mod random;
mod real;
pub mod semaphore;
pub mod template;
pub mod wait;
