//! A sandbox that forbids what the guard asks the kernel: about descriptors, limits, the process, chance. As
//! `fault_memory`; fails as it does there.

mod injected;

use injected::What;

const FAULTS: What = What::once(
    "fcntl,fstat,newfstatat,stat,statx,ioctl,prctl,getrandom,prlimit64,getsockopt,setsockopt,membarrier,\
     close_range,close,uname,access,fchmod",
    &["EPERM", "ENOSYS", "EINVAL"],
);

injected::every_program!(FAULTS);
