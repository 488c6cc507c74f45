//! SIGKILL at the guard's own system calls, of whoever makes them: a program that reports, a child that is served, the
//! process that runs an entry, a worker, its template. Fails when anybody waits for the dead, when the parent is told
//! anything but a dead child, or when of many processes that die of one cause none tells it because the one that began to
//! was killed.

mod injected;

use injected::What;

const FAULTS: What = What::once(
    "mmap,munmap,madvise,memfd_create,ftruncate,openat,open,readlink,fcntl,fstat,newfstatat,ioctl,prctl,getrandom,\
     rt_sigaction,alarm,kill,futex,poll,nanosleep,clock_nanosleep,read,write,pread64,getpid,gettid,close,execve,\
     exit_group,tgkill,sendmsg,sendto,recvmsg,socket,connect,dup,dup3",
    &["kill"],
);

#[test]
fn of_kill_reporters() {
    injected::kill_reporters(&FAULTS);
}

#[test]
fn of_kill_others() {
    injected::kill_others(&FAULTS);
}

#[test]
fn of_kill_revived() {
    injected::kill_revived(&FAULTS);
}

#[test]
fn of_a_start() {
    injected::kill_worker(&FAULTS, "0");
}

#[test]
fn of_a_start_by_the_template() {
    injected::kill_worker(&FAULTS, "1");
}
