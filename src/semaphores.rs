//! Anonymous semaphores in pages that a fresh process can map.
//!
//! A semaphore made for forked children has a name for a moment only: it is created with
//! `O_EXCL` and unlinked at once, and what is left is a private file mapping that no other
//! process could find again. Under `exec`, at the `sem_unlink` that follows the creation on the
//! same thread, its content goes into a page of a memfd and that page is mapped over it. The
//! memfd is inherited by the fresh process, which asks for the page by a name of ours. Other
//! semaphores, and programs without `exec`, are not touched: every failure leaves the semaphore
//! as the C library made it.
//!
//! Whether somebody else has opened the semaphore in that moment cannot be asked, and taking it
//! over then would part the two for ever. So only semaphores with the names that multiprocessing
//! gives are taken over, created and unlinked by one call of one function, at once, and with no
//! fork between.
//!
//! Fixed tables and atomics: nothing here locks or allocates.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::sys::descriptors::DescriptorCell;
use crate::sys::{raw, thread};

/// Semaphores in one memfd.
const PAGES: usize = 64;
/// Memfds at a time. Semaphores beyond them stay as the C library made them.
const CHUNKS: usize = 256;
/// A chunk that nobody has.
const FREE: i32 = -1;
/// A chunk that a thread is setting up.
const CLAIMED: i32 = -2;
/// The names under which a fresh process opens a page: `/forkguard:FD:OFFSET`.
const PREFIX: &[u8] = b"/forkguard:";
/// The names that multiprocessing gives: its own, `multiprocess`'s and billiard's alike, and those
/// that joblib has it give.
const THEIRS: [&[u8]; 2] = [b"/mp-", b"/loky-"];
/// The memfds lie high, out of the way of programs that count on low numbers.
const FIRST_FD: i32 = 500;
/// How often a page is open: the C library has it open beside what this module counts.
const BY_THE_LIBRARY: u32 = 1 << 31;

struct Chunk {
    fd: DescriptorCell,
    /// The memfd's inode: a program may close any fd, and its number may be something else then.
    inode: AtomicU64,
    /// The process that gives out this chunk's pages ([`this_process`]); a child's counter would be a copy.
    owner: AtomicU64,
    /// See [`Count`].
    count: AtomicU32,
    /// Where each page is mapped; 0 for nowhere.
    mapped: [AtomicUsize; PAGES],
    /// How often each page was opened by its name, and [`BY_THE_LIBRARY`].
    opened: [AtomicU32; PAGES],
}

/// How many pages of a chunk were given out, and how many are mapped in this process, or about to
/// be. One word: a chunk all of whose pages were given out and given back again is gone, and
/// nobody may take a page of it from that very moment until it is somebody's again, however long
/// ago they looked whose it was.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Count(u32);

impl Count {
    /// Of a chunk that nobody has, or that is being given back. Others have given out a page.
    const GONE: Self = Self(0);
    const GIVEN: u32 = 1 << 16;

    fn of(given: usize, live: usize) -> Self {
        Self(given as u32 * Self::GIVEN + live as u32)
    }

    fn given(self) -> usize {
        (self.0 / Self::GIVEN) as usize
    }

    fn live(self) -> usize {
        (self.0 % Self::GIVEN) as usize
    }
}

static TABLE: [Chunk; CHUNKS] = [const {
    Chunk {
        fd: DescriptorCell::new(FREE),
        inode: AtomicU64::new(0),
        owner: AtomicU64::new(0),
        count: AtomicU32::new(Count::GONE.0),
        mapped: [const { AtomicUsize::new(0) }; PAGES],
        opened: [const { AtomicU32::new(0) }; PAGES],
    }
}; CHUNKS];

/// Between a creation and the unlinking that belongs to it. A later one, of a semaphore that had
/// its name for a while, is not of our business: other processes may have it open.
const AT_ONCE_NS: u64 = 1_000_000_000;

/// A `sem_open` has just created this semaphore, exclusively. `frame` is its caller's stack.
pub fn created(name: &CStr, address: usize, frame: usize) {
    if !THEIRS
        .iter()
        .any(|prefix| name.to_bytes().starts_with(prefix))
    {
        return;
    }
    let here = thread::current();
    here.semaphore_name.set(hash(name));
    here.semaphore_frame.set(frame);
    here.semaphore_time
        .set(raw::clock_ns(libc::CLOCK_MONOTONIC));
    here.semaphore.set(address);
}

/// Any other `sem_open` or `sem_unlink`, or a fork: what was created before is no anonymous one, or
/// has been inherited as it is.
pub fn forget_created() {
    thread::current().semaphore.set(0);
}

/// `sem_unlink` of the semaphore just created makes it anonymous: moves it into a shared page.
///
/// Only where one call of one function does both, as the interpreter does it: a semaphore that
/// kept its name is unlinked from elsewhere, and may be open in other processes.
pub fn unlinking(name: &CStr, frame: usize) {
    let here = thread::current();
    let address = here.semaphore.replace(0);
    if address != 0
        && address.is_multiple_of(page_size())
        && here.semaphore_name.get() == hash(name)
        && here.semaphore_frame.get() == frame
        && raw::clock_ns(libc::CLOCK_MONOTONIC) - here.semaphore_time.get() < AT_ONCE_NS
    {
        let _errno = raw::ErrnoGuard::new();
        share(address);
    }
}

/// Where the semaphore at `address` can be opened by a process that inherits the fd.
pub fn find(address: usize) -> Option<(i32, usize)> {
    let (chunk, page) = place(address)?;
    let fd = chunk.fd()?;
    Some((fd, page * page_size()))
}

/// Whether `fd` is one of the memfds: an exec'd process inherits those it needs only.
pub fn is_ours(fd: i32) -> bool {
    TABLE
        .iter()
        .any(|chunk| chunk.fd.load(Ordering::Relaxed) == fd && chunk.fd() == Some(fd))
}

/// What `sem_close` has left to do.
#[derive(PartialEq, Eq, Debug)]
pub enum Closed {
    /// All is done.
    Done,
    /// The C library made the semaphore and closes it.
    ByTheLibrary,
}

/// `sem_close` of any semaphore.
pub fn closing(address: usize) -> Closed {
    let here = thread::current();
    if here.semaphore.get() == address {
        here.semaphore.set(0);
    }
    let Some((chunk, page)) = place(address) else {
        return Closed::ByTheLibrary;
    };
    // Who opened it by its name and who has it from the C library have the same address: which of
    // them closes first does not matter.
    let before = chunk.opened[page].fetch_update(Ordering::AcqRel, Ordering::Acquire, |opened| {
        opened.checked_sub(1).filter(|_| opened != BY_THE_LIBRARY)
    });
    match before {
        Ok(1) => {
            chunk.mapped[page].store(0, Ordering::Release);
            // SAFETY: mapped by `map`; its last user has just given it back.
            unsafe { libc::munmap(address as *mut libc::c_void, page_size()) };
            chunk.give_back();
            Closed::Done
        }
        Ok(_) => Closed::Done,
        Err(_) => {
            chunk.opened[page].store(0, Ordering::Relaxed);
            chunk.mapped[page].store(0, Ordering::Release);
            chunk.give_back();
            Closed::ByTheLibrary
        }
    }
}

/// Opens the page that `name` means: `None` where it is no name of ours, else the address.
pub fn import(name: &CStr) -> Option<Result<usize, i32>> {
    let numbers = name.to_bytes().strip_prefix(PREFIX)?;
    let mut parts = numbers.splitn(2, |&b| b == b':').map(number);
    let (Some(fd), Some(offset)) = (parts.next()?, parts.next()?) else {
        return Some(Err(libc::ENOENT));
    };
    Some(map(fd as i32, offset).ok_or(libc::ENOENT))
}

fn number(digits: &[u8]) -> Option<usize> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

fn map(fd: i32, offset: usize) -> Option<usize> {
    let page = offset / page_size();
    let inode = inode(fd)?;
    if page >= PAGES || !offset.is_multiple_of(page_size()) {
        return None;
    }
    let chunk = known(inode).or_else(|| Chunk::imported(fd, inode))?;
    let already = chunk.mapped[page].load(Ordering::Acquire);
    if already != 0 {
        chunk.opened[page].fetch_add(1, Ordering::AcqRel);
        return Some(already);
    }
    if !chunk.take_part() {
        return None;
    }
    // SAFETY: a new mapping wherever there is room.
    let address = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            page_size(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            offset as libc::off_t,
        )
    };
    if address == libc::MAP_FAILED {
        chunk.give_back();
        return None;
    }
    chunk.opened[page].store(1, Ordering::Relaxed);
    chunk.mapped[page].store(address as usize, Ordering::Release);
    Some(address as usize)
}

fn known(inode: u64) -> Option<&'static Chunk> {
    TABLE
        .iter()
        .find(|chunk| chunk.inode.load(Ordering::Relaxed) == inode && chunk.fd().is_some())
}

fn place(address: usize) -> Option<(&'static Chunk, usize)> {
    if address == 0 {
        return None;
    }
    TABLE
        .iter()
        .filter(|chunk| chunk.count().live() > 0)
        .find_map(|chunk| {
            let page = chunk
                .mapped
                .iter()
                .position(|mapped| mapped.load(Ordering::Acquire) == address)?;
            Some((chunk, page))
        })
}

fn share(address: usize) {
    // Asked once, and not of each chunk: a program may have very many.
    let me = this_process();
    let taken = TABLE.iter().find_map(|chunk| chunk.take(me));
    let Some((chunk, page)) = taken.or_else(|| Chunk::create(me)) else {
        return;
    };
    let fd = chunk.fd.load(Ordering::Acquire);
    let offset = (page * page_size()) as libc::off_t;
    let size = size_of::<libc::sem_t>();
    // SAFETY: a semaphore that this thread has just created and nobody else knows; the page
    // replaces it with the same content at the same address, or, failing, leaves it.
    let moved = unsafe {
        libc::pwrite(fd, address as *const libc::c_void, size, offset) == size as isize
            && libc::mmap(
                address as *mut libc::c_void,
                page_size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_FIXED,
                fd,
                offset,
            ) == address as *mut libc::c_void
    };
    if moved {
        chunk.opened[page].store(BY_THE_LIBRARY, Ordering::Relaxed);
        chunk.mapped[page].store(address, Ordering::Release);
    } else {
        chunk.give_back();
    }
}

impl Chunk {
    /// Its memfd, if that is still what the number means.
    fn fd(&self) -> Option<i32> {
        let fd = self.fd.load(Ordering::Acquire);
        (fd >= 0 && inode(fd) == Some(self.inode.load(Ordering::Relaxed))).then_some(fd)
    }

    fn count(&self) -> Count {
        Count(self.count.load(Ordering::Acquire))
    }

    fn change(&self, change: impl Fn(Count) -> Option<Count>) -> Option<Count> {
        let changed = self
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                let count = Some(Count(count)).filter(|&count| count != Count::GONE)?;
                change(count).map(|count| count.0)
            });
        changed.ok().map(Count)
    }

    fn is_of(&self, process: u64) -> bool {
        self.owner.load(Ordering::Acquire) == process
    }

    /// The next page of this chunk, if `me`, this process, gives out its pages and one is left.
    fn take(&'static self, me: u64) -> Option<(&'static Self, usize)> {
        if !self.is_of(me) {
            return None;
        }
        let before = self.change(|count| {
            (count.given() < PAGES).then(|| Count::of(count.given() + 1, count.live() + 1))
        })?;
        if self.fd().is_some() {
            return Some((self, before.given()));
        }
        // The program has closed the memfd: what is mapped stays, and no more is given out.
        self.change(|count| Some(Count::of(PAGES, count.live())));
        self.give_back();
        None
    }

    /// A stake in a chunk whose page is about to be mapped.
    fn take_part(&self) -> bool {
        self.change(|count| Some(Count::of(count.given(), count.live() + 1)))
            .is_some()
    }

    fn claim() -> Option<&'static Self> {
        TABLE.iter().find(|chunk| chunk.fd.exchange(FREE, CLAIMED))
    }

    fn create(me: u64) -> Option<(&'static Self, usize)> {
        let chunk = Self::claim()?;
        let Some((fd, inode)) = memfd() else {
            chunk.fd.store(FREE, Ordering::Release);
            return None;
        };
        chunk.inode.store(inode, Ordering::Relaxed);
        chunk.fd.store(fd, Ordering::Release);
        // From here on pages can be taken, also by who saw an owner of before.
        chunk.count.store(Count::of(1, 1).0, Ordering::Release);
        chunk.owner.store(me, Ordering::Release);
        Some((chunk, 0))
    }

    fn imported(fd: i32, inode: u64) -> Option<&'static Self> {
        let chunk = Self::claim()?;
        chunk.inode.store(inode, Ordering::Relaxed);
        chunk.owner.store(0, Ordering::Relaxed);
        chunk.count.store(Count::of(PAGES, 0).0, Ordering::Relaxed);
        chunk.fd.store(fd, Ordering::Release);
        Some(chunk)
    }

    /// One page less is mapped here. The last one takes the memfd with it, unless this process
    /// has pages of it left to give.
    fn give_back(&self) {
        self.change(|count| Some(Count::of(count.given(), count.live() - 1)));
        let gone = |count: Count| {
            count.live() == 0 && (count.given() == PAGES || !self.is_of(this_process()))
        };
        if self
            .change(|count| gone(count).then_some(Count::GONE))
            .is_none()
        {
            return;
        }
        let fd = self.fd();
        self.owner.store(0, Ordering::Relaxed);
        if let Some(fd) = fd {
            // SAFETY: the memfd that this module opened, or that came with a page's name.
            unsafe { libc::close(fd) };
        }
        self.inode.store(0, Ordering::Relaxed);
        self.fd.store(FREE, Ordering::Release);
    }
}

/// The pid, and the namespace that it is one of: process 1 of a container may have a child that is process
/// 1 of another one.
fn this_process() -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut about: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer, which stays 0 where nothing is mounted.
    unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            c"/proc/self/ns/pid".as_ptr(),
            &raw mut about,
            0,
        )
    };
    about.st_ino << 32 | u64::from(raw::getpid().unsigned_abs())
}

fn memfd() -> Option<(i32, u64)> {
    if !may_be_written() {
        return None;
    }
    // SAFETY: the name is a C string.
    let low = unsafe {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        libc::memfd_create(c"forkguard-semaphores".as_ptr(), flags)
    };
    if low < 0 {
        return None;
    }
    // SAFETY: `low` was opened above. Where no high number is to be had, the low one stays.
    let high = unsafe { libc::fcntl(low, libc::F_DUPFD_CLOEXEC, FIRST_FD) };
    let fd = if high >= 0 {
        // SAFETY: `low` was opened above, and `high` is its copy.
        unsafe { libc::close(low) };
        high
    } else {
        low
    };
    // Who has it may take the semaphores, as in a fork, but not the memory from under the others.
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: `fd` is ours.
    let grown = unsafe {
        libc::ftruncate(fd, (PAGES * page_size()) as libc::off_t) == 0
            && libc::fcntl(fd, libc::F_ADD_SEALS, seals) == 0
    };
    let known = inode(fd).filter(|_| grown);
    if known.is_none() {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
    known.map(|inode| (fd, inode))
}

/// Whether files may become that large: where they may not, trying costs the program a SIGXFSZ.
fn may_be_written() -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the answer has its place.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    known && limit.rlim_cur >= (PAGES * page_size()) as libc::rlim_t
}

/// The inode of a memfd of the right size; `None` for any other file.
fn inode(fd: i32) -> Option<u64> {
    // SAFETY: asks about a number; for what is no memfd it answers an error.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_GET_SEALS) } < 0 {
        return None;
    }
    // SAFETY: all-zero is a valid `stat`, and the kernel fills it in.
    let mut about: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `about` is a place for the answer.
    let known = unsafe { libc::fstat(fd, &raw mut about) } == 0;
    (known && about.st_size as usize == PAGES * page_size()).then_some(about.st_ino)
}

fn page_size() -> usize {
    // SAFETY: asks for a constant of this system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

fn hash(name: &CStr) -> u64 {
    name.to_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous() -> usize {
        // SAFETY: a new mapping, as `sem_open` makes one.
        let address = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                page_size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(address, libc::MAP_FAILED);
        // SAFETY: the page is ours; a semaphore shared between processes, of value 7.
        assert_eq!(unsafe { libc::sem_init(address.cast(), 1, 7) }, 0);
        address as usize
    }

    fn value(address: usize) -> i32 {
        let mut value = 0;
        // SAFETY: a live semaphore, and a place for the answer.
        let answer = unsafe { libc::sem_getvalue(address as *mut _, &raw mut value) };
        assert_eq!(answer, 0);
        value
    }

    #[test]
    fn an_unlinked_semaphore_moves_and_is_the_same_under_its_new_name() {
        let address = anonymous();
        created(c"/mp-1", address, 1);
        unlinking(c"/mp-1", 1);
        let (fd, offset) = find(address).unwrap();
        let name = std::ffi::CString::new(format!("/forkguard:{fd}:{offset}")).unwrap();
        let other = import(&name).unwrap().unwrap();
        assert_eq!(value(other), 7);
        // SAFETY: a live semaphore.
        assert_eq!(unsafe { libc::sem_post(address as *mut _) }, 0);
        assert_eq!(value(other), 8);
    }

    #[test]
    fn a_semaphore_that_keeps_its_name_is_left_alone() {
        let address = anonymous();
        created(c"/mp-kept", address, 1);
        unlinking(c"/mp-another", 1);
        assert_eq!(find(address), None);
        created(c"/mp-kept", address, 1);
        unlinking(c"/mp-kept", 2);
        assert_eq!(find(address), None);
        created(c"/mp-kept", address, 1);
        forget_created();
        unlinking(c"/mp-kept", 1);
        assert_eq!(find(address), None);
        assert_eq!(closing(address), Closed::ByTheLibrary);
    }

    #[test]
    fn a_name_that_multiprocessing_does_not_give_is_left_alone() {
        let address = anonymous();
        created(c"/a-name", address, 1);
        unlinking(c"/a-name", 1);
        assert_eq!(find(address), None);
    }

    #[test]
    fn a_page_is_given_back_by_its_last_user() {
        let address = anonymous();
        created(c"/mp-2", address, 1);
        unlinking(c"/mp-2", 1);
        let (fd, offset) = find(address).unwrap();
        let name = std::ffi::CString::new(format!("/forkguard:{fd}:{offset}")).unwrap();
        assert_eq!(import(&name), Some(Ok(address)));
        assert_eq!(closing(address), Closed::Done);
        assert_eq!(find(address), Some((fd, offset)));
        assert_eq!(closing(address), Closed::ByTheLibrary);
        assert_eq!(find(address), None);
        // Open nowhere in this process: mapped anew, and by this module alone.
        let other = import(&name).unwrap().unwrap();
        assert_eq!(find(other), Some((fd, offset)));
        assert_eq!(closing(other), Closed::Done);
        assert_eq!(find(other), None);
    }

    /// Whose a chunk is and how much of it is left are two questions: between them it may go, and
    /// come to somebody else, whose first page must not be given to two.
    #[test]
    fn a_chunk_that_nobody_has_gives_nothing() {
        let free = TABLE.last().unwrap();
        assert!(!free.take_part());
        free.owner.store(this_process(), Ordering::Relaxed);
        assert!(free.take(this_process()).is_none());
        free.owner.store(0, Ordering::Relaxed);
        assert_eq!(free.count().live(), 0);
        assert_eq!(free.fd.load(Ordering::Relaxed), FREE);
    }

    #[test]
    fn a_name_of_ours_with_a_wrong_fd_is_no_semaphore() {
        assert_eq!(import(c"/forkguard:0:0"), Some(Err(libc::ENOENT)));
        assert_eq!(import(c"/forkguard:x"), None);
        assert_eq!(import(c"/mp-1"), None);
    }
}
