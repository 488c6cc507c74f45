//! System calls under their names in the C library, for this library alone.
//!
//! Each name that is imported costs the loader some 800 instructions at the start of every process,
//! which was the larger part of what the guard added to that. What is a system call and nothing else
//! is made here instead; `errno` is the C library's. The names are hidden: no program sees them. They
//! are no cancellation points and go by no other library that stands before the C library, and both is
//! what hooks want.
//!
//! Only where the kernel takes what the C function takes, in that order, and where the C library makes
//! that very call: a service's filter may know no other. (So not `open`, which is `openat` there.) On
//! aarch64, where half of these calls have been replaced by others, the C library's are used.
//!
//! Not in unit tests: a test program would use them in the place of its own.

macro_rules! calls {
    ($($name:literal $number:ident,)*) => {
        core::arch::global_asm!(
            // The error's number, negative, is in eax.
            ".pushsection .text.forkguard_calls,\"ax\",@progbits",
            ".type forkguard_call_failed, @function",
            "forkguard_call_failed:",
            ".cfi_startproc",
            "push rbx",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset rbx, -16",
            "mov ebx, eax",
            "neg ebx",
            "call {errno}",
            "mov dword ptr [rax], ebx",
            "mov rax, -1",
            "pop rbx",
            ".cfi_def_cfa_offset 8",
            "ret",
            ".cfi_endproc",
            ".size forkguard_call_failed, . - forkguard_call_failed",
            ".macro forkguard_call name, number",
            ".p2align 4",
            ".globl \\name",
            ".hidden \\name",
            ".type \\name, @function",
            "\\name:",
            ".cfi_startproc",
            "mov r10, rcx",
            "mov eax, \\number",
            "syscall",
            "cmp rax, -4095",
            "jae forkguard_call_failed",
            "ret",
            ".cfi_endproc",
            ".size \\name, . - \\name",
            ".endm",
            $(concat!("forkguard_call ", $name, ", {", stringify!($number), "}"),)*
            ".popsection",
            errno = sym libc::__errno_location,
            $($number = const libc::$number,)*
        );
    };
}

calls!(
    "accept4" SYS_accept4,
    "alarm" SYS_alarm,
    "bind" SYS_bind,
    "close" SYS_close,
    "connect" SYS_connect,
    "dup2" SYS_dup2,
    "eventfd" SYS_eventfd2,
    "fchdir" SYS_fchdir,
    "fchmod" SYS_fchmod,
    "fcntl" SYS_fcntl,
    "ftruncate" SYS_ftruncate,
    "getegid" SYS_getegid,
    "geteuid" SYS_geteuid,
    "getpgid" SYS_getpgid,
    "getppid" SYS_getppid,
    "getsockopt" SYS_getsockopt,
    "ioctl" SYS_ioctl,
    "kill" SYS_kill,
    "listen" SYS_listen,
    "lseek" SYS_lseek,
    "madvise" SYS_madvise,
    "mmap" SYS_mmap,
    "mprotect" SYS_mprotect,
    "mremap" SYS_mremap,
    "munmap" SYS_munmap,
    "openat" SYS_openat,
    "pause" SYS_pause,
    "poll" SYS_poll,
    "prctl" SYS_prctl,
    "pread" SYS_pread64,
    "prlimit" SYS_prlimit64,
    "pwrite" SYS_pwrite64,
    "read" SYS_read,
    "readlink" SYS_readlink,
    "readlinkat" SYS_readlinkat,
    "recvmsg" SYS_recvmsg,
    "sched_yield" SYS_sched_yield,
    "sendmsg" SYS_sendmsg,
    "setpgid" SYS_setpgid,
    "setsockopt" SYS_setsockopt,
    "shutdown" SYS_shutdown,
    "socket" SYS_socket,
    "umask" SYS_umask,
    "write" SYS_write,
    "_exit" SYS_exit_group,
);
