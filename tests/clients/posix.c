// Proves that the system means to a guarded program what it means to any other: what fork, vfork, clone, posix_spawn,
// wait, pipes, signals, descriptors, memory, semaphores and at-fork handlers promise is kept. `posix [initialised]` runs
// every check in a program of its own, `posix WHEN NAME` that one; each prints its name and `ok`, or what was otherwise.
// With `initialised` each initialises CUDA first. What it prints is the same with and without the guard.
#include "client.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

extern char **environ;

// A check ends with the first promise that is not kept, and says which. A child says so by its exit code.
#define KEEPS(promise)                                                                                            \
    do {                                                                                                          \
        if (!(promise)) {                                                                                         \
            say("line %d: not so: %s (errno %d)\n", __LINE__, #promise, errno);                                   \
            _exit(1);                                                                                             \
        }                                                                                                         \
    } while (0)

static int ends(pid_t child)
{
    int status = -1;
    pid_t got;
    while ((got = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    KEEPS(got == child);
    return status;
}

#define ENDS_WELL(child) KEEPS(ends(child) == 0)
#define IN_CHILD(...)                                                                                             \
    do {                                                                                                          \
        pid_t made = fork();                                                                                      \
        KEEPS(made >= 0);                                                                                         \
        if (made == 0) {                                                                                          \
            __VA_ARGS__;                                                                                          \
            _exit(0);                                                                                             \
        }                                                                                                         \
        ENDS_WELL(made);                                                                                          \
    } while (0)

static int *shared_numbers(void)
{
    int *numbers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KEEPS(numbers != MAP_FAILED);
    return numbers;
}

// ---- fork

static void fork_numbers(void)
{
    int *seen = shared_numbers();
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        seen[0] = getpid(), seen[1] = getppid(), seen[2] = (int)syscall(SYS_gettid);
        _exit(0);
    }
    ENDS_WELL(child);
    KEEPS(seen[0] == child && seen[1] == parent && seen[2] == child && child != parent);
}

static void fork_keeps_errno(void)
{
    errno = 42;
    pid_t child = fork();
    int after = errno;
    if (child == 0)
        _exit(after == 42 ? 0 : 1);
    KEEPS(after == 42);
    ENDS_WELL(child);
}

static void fork_memory(void)
{
    int *together = shared_numbers(), own = 1;
    char *wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    KEEPS(wiped != MAP_FAILED);
    *wiped = 7;
    KEEPS(madvise(wiped, 4096, MADV_WIPEONFORK) == 0);
    IN_CHILD(KEEPS(own == 1 && *wiped == 0); own = *together = 2; *wiped = 9);
    KEEPS(own == 1 && *together == 2 && *wiped == 7);
    KEEPS(madvise(wiped, 4096, 19 /* MADV_KEEPONFORK */) == 0);
    IN_CHILD(KEEPS(*wiped == 7));
    KEEPS(madvise(wiped, 4096, MADV_DONTFORK) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(*(volatile char *)wiped == 7);
    int status = ends(child);
    // What the kernel gives an at-fork handler in the child may lie where the page was.
    KEEPS((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static void fork_inherits(void)
{
    struct rlimit limit = {100, 100}, theirs;
    sigset_t mask, pending;
    KEEPS(chdir("/usr") == 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
    umask(031);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    KEEPS(sigprocmask(SIG_BLOCK, &mask, NULL) == 0 && raise(SIGUSR1) == 0);
    KEEPS(signal(SIGUSR2, SIG_IGN) != SIG_ERR && nice(3) != -1);
    struct itimerval timer = {{0, 0}, {500, 0}};
    KEEPS(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    pid_t group = getpgrp(), session = getsid(0);
    int niceness = getpriority(PRIO_PROCESS, 0);
    IN_CHILD({
        char folder[64];
        KEEPS(getcwd(folder, sizeof folder) && strcmp(folder, "/usr") == 0 && umask(0) == 031);
        KEEPS(getrlimit(RLIMIT_NOFILE, &theirs) == 0 && theirs.rlim_cur == 100);
        KEEPS(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 1);
        KEEPS(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 0);
        KEEPS(signal(SIGUSR2, SIG_DFL) == SIG_IGN && getpriority(PRIO_PROCESS, 0) == niceness);
        KEEPS(getpgrp() == group && getsid(0) == session);
        KEEPS(getitimer(ITIMER_REAL, &timer) == 0 && timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0);
        struct tms used;
        KEEPS(times(&used) != (clock_t)-1 && used.tms_cutime == 0 && used.tms_cstime == 0);
    });
    KEEPS(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
}

static void *fork_in_a_thread(void *unused)
{
    pthread_t me = pthread_self();
    IN_CHILD(KEEPS(pthread_equal(me, pthread_self()) && syscall(SYS_gettid) == getpid()));
    return unused;
}

static void fork_of_threads(void)
{
    pthread_t thread;
    KEEPS(pthread_create(&thread, NULL, fork_in_a_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static volatile sig_atomic_t child_of_handler;
static void fork_there(int unused)
{
    (void)unused;
    pid_t child = fork();
    if (child == 0)
        _exit(5);
    child_of_handler = child;
}

static void fork_in_a_handler(void)
{
    KEEPS(signal(SIGUSR1, fork_there) != SIG_ERR && raise(SIGUSR1) == 0 && child_of_handler > 0);
    KEEPS(WEXITSTATUS(ends(child_of_handler)) == 5);
}

static char order[16];
#define MARK(letter) order[strlen(order)] = letter
static void prepare_a(void) { MARK('a'); }
static void prepare_b(void) { MARK('b'); }
static void parent_a(void) { MARK('P'); }
static void parent_b(void) { MARK('Q'); }
static void child_a(void) { MARK('C'); }
static void child_b(void) { MARK('D'); }

static void fork_handlers(void)
{
    KEEPS(pthread_atfork(prepare_a, parent_a, child_a) == 0 && pthread_atfork(prepare_b, parent_b, child_b) == 0);
    IN_CHILD(KEEPS(strcmp(order, "baCD") == 0));
    KEEPS(strcmp(order, "baPQ") == 0);
}

static int *handlers_ran;
static void count_exit(void) { ++*handlers_ran; }

static void fork_exit_handlers(void)
{
    int ends_of[2];
    char text[16];
    handlers_ran = shared_numbers();
    KEEPS(pipe(ends_of) == 0 && atexit(count_exit) == 0);
    FILE *file = fdopen(ends_of[1], "w");
    KEEPS(file && fprintf(file, "kept") == 4);
    // Who leaves by exit runs the handlers and writes what it inherited in a buffer; who leaves by _exit does neither.
    pid_t child = fork();
    if (child == 0)
        exit(0);
    ENDS_WELL(child);
    IN_CHILD((void)0);
    fcntl(ends_of[0], F_SETFL, O_NONBLOCK);
    KEEPS(read(ends_of[0], text, sizeof text) == 4 && *handlers_ran == 1);
}

// ---- other ways to a child

static void vfork_shares(void)
{
    volatile int number = 1;
    pid_t child = vfork();
    if (child == 0) {
        number = 2;
        _exit(4);
    }
    KEEPS(child > 0 && number == 2 && WEXITSTATUS(ends(child)) == 4);
    child = vfork();
    if (child == 0) {
        execl("/nonexistent", "none", (char *)NULL);
        _exit(errno == ENOENT ? 9 : 1);
    }
    KEEPS(WEXITSTATUS(ends(child)) == 9);
    child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 8", (char *)NULL);
        _exit(1);
    }
    KEEPS(WEXITSTATUS(ends(child)) == 8);
}

static int cloned(void *number)
{
    *(int *)number = (int)syscall(SYS_getpid);
    return chdir("/usr") == 0 ? 6 : 1;
}

static char stack[65536] __attribute__((aligned(16)));

static void clones(void)
{
    int number = 0;
    char folder[64];
    pid_t told = 0;
    KEEPS(chdir("/") == 0);
    pid_t child = clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_VFORK | SIGCHLD, &number);
    KEEPS(child > 0 && WEXITSTATUS(ends(child)) == 6 && number == child);
    KEEPS(getcwd(folder, sizeof folder) && strcmp(folder, "/usr") == 0);
    // Without a signal at its end it is waited for as a clone only.
    child = clone(cloned, stack + sizeof stack, CLONE_PARENT_SETTID, &number, &told);
    KEEPS(child > 0 && told == child && waitpid(child, NULL, 0) == -1 && errno == ECHILD);
    KEEPS(waitpid(child, NULL, __WCLONE) == child && number != child);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(getppid() > 0 ? 7 : 1);
    KEEPS(WEXITSTATUS(ends(child)) == 7);
}

static void spawns(void)
{
    char *fine[] = {"sh", "-c", "read word; echo \"got $word\"; exit 3", NULL}, *none[] = {"none", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;
    int in[2], out[2];
    pid_t child = 0;
    char text[64] = "";
    KEEPS(posix_spawn(&child, "/nonexistent", NULL, NULL, none, environ) == ENOENT);
    KEEPS(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    KEEPS(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawnattr_init(&attributes);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    posix_spawnattr_setsigmask(&attributes, &set);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    KEEPS(posix_spawnp(&child, "sh", &actions, &attributes, fine, environ) == 0 && getpgid(child) == child);
    KEEPS(write(in[1], "it\n", 3) == 3 && WEXITSTATUS(ends(child)) == 3);
    KEEPS(read(out[0], text, sizeof text) == 7 && strcmp(text, "got it\n") == 0);
}

static void shells(void)
{
    char text[64] = "";
    KEEPS(WEXITSTATUS(system("exit 11")) == 11 && system(NULL) != 0);
    FILE *pipe = popen("echo piped; exit 12", "r");
    KEEPS(pipe && fgets(text, sizeof text, pipe) && strcmp(text, "piped\n") == 0 && WEXITSTATUS(pclose(pipe)) == 12);
    KEEPS(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

static void daemons(void)
{
    int ends_of[2], answer[3] = {0};
    KEEPS(pipe(ends_of) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t child = fork();
    if (child == 0) {
        char folder[64];
        struct stat input, null;
        KEEPS(daemon(0, 0) == 0);
        answer[0] = getcwd(folder, sizeof folder) && strcmp(folder, "/") == 0;
        answer[1] = fstat(0, &input) == 0 && stat("/dev/null", &null) == 0 && input.st_rdev == null.st_rdev;
        answer[2] = getsid(0) == getpid();
        _exit(write(ends_of[1], answer, sizeof answer) == sizeof answer ? 13 : 1);
    }
    ENDS_WELL(child);
    KEEPS(read(ends_of[0], answer, sizeof answer) == sizeof answer && answer[0] && answer[1] && answer[2]);
    // The daemon's parent has ended: it is ours now.
    int status;
    pid_t orphan = wait(&status);
    KEEPS(orphan > 0 && orphan != child && WEXITSTATUS(status) == 13);
}

static void terminals(void)
{
    int master = -1;
    char text[64] = "";
    pid_t child = forkpty(&master, NULL, NULL, NULL);
    KEEPS(child >= 0);
    if (child == 0)
        _exit(isatty(0) && getsid(0) == getpid() && tcgetpgrp(0) == getpgrp() && write(1, "tty", 3) == 3 ? 0 : 1);
    KEEPS(read(master, text, sizeof text) == 3 && strcmp(text, "tty") == 0);
    ENDS_WELL(child);
}

// ---- waiting

static void wait_codes(void)
{
    for (int code = 0; code < 256; code += 15) {
        pid_t child = fork();
        if (child == 0)
            _exit(code);
        int status = ends(child);
        KEEPS(WIFEXITED(status) && WEXITSTATUS(status) == code);
    }
    struct rlimit none = {0, 0};
    KEEPS(setrlimit(RLIMIT_CORE, &none) == 0);
    const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM,
                           SIGTERM, SIGBUS, SIGSYS, SIGXCPU, SIGRTMIN, SIGRTMAX};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(signals[i], SIG_DFL);
            raise(signals[i]);
            _exit(0);
        }
        int status = ends(child);
        KEEPS(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
    }
}

static void wait_errors(void)
{
    siginfo_t about;
    KEEPS(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    KEEPS(waitpid(getpid(), NULL, 0) == -1 && errno == ECHILD);
    KEEPS(waitpid(-1, NULL, 0x7ffffff0) == -1 && errno == EINVAL);
    KEEPS(waitid(P_ALL, 0, &about, WEXITED | WNOHANG) == -1 && errno == ECHILD);
    KEEPS(waitid(P_ALL, 0, &about, 0) == -1 && errno == EINVAL);
}

static void wait_without_hanging(void)
{
    int ends_of[2], status;
    char byte;
    KEEPS(pipe(ends_of) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends_of[1]);
        _exit(read(ends_of[0], &byte, 1) == 0 ? 2 : 1);
    }
    KEEPS(waitpid(child, &status, WNOHANG) == 0 && waitpid(-1, &status, WNOHANG) == 0);
    close(ends_of[1]);
    siginfo_t about;
    struct rusage usage = {.ru_maxrss = -1};
    memset(&about, 0, sizeof about);
    KEEPS(waitid(P_PID, (id_t)child, &about, WEXITED | WNOWAIT) == 0);
    KEEPS(about.si_pid == child && about.si_status == 2 && about.si_code == CLD_EXITED && about.si_signo == SIGCHLD);
    KEEPS(wait4(child, &status, WNOHANG, &usage) == child && WEXITSTATUS(status) == 2 && usage.ru_maxrss > 0);
    KEEPS(waitpid(child, &status, WNOHANG) == -1 && errno == ECHILD);
}

static void wait_for_stops(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    KEEPS(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child);
    KEEPS(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    KEEPS(kill(child, SIGCONT) == 0 && waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    KEEPS(kill(child, SIGKILL) == 0 && WTERMSIG(ends(child)) == SIGKILL);
}

static void wait_for_groups(void)
{
    int status;
    pid_t own = fork();
    if (own == 0)
        _exit(1);
    pid_t other = fork();
    if (other == 0)
        for (;;)
            pause();
    KEEPS(setpgid(other, other) == 0 && waitpid(-other, &status, WNOHANG) == 0);
    KEEPS(waitpid(0, &status, 0) == own && waitpid(0, &status, 0) == -1 && errno == ECHILD);
    KEEPS(kill(-other, SIGTERM) == 0 && waitpid(-other, &status, 0) == other && WTERMSIG(status) == SIGTERM);
    pid_t leader = fork();
    if (leader == 0)
        _exit(setsid() == getpid() && setsid() == -1 && errno == EPERM ? 0 : 1);
    ENDS_WELL(leader);
}

static volatile sig_atomic_t signals, last_status;
static volatile pid_t last_child;
static void note_child(int number, siginfo_t *about, void *unused)
{
    (void)unused;
    signals += number == SIGCHLD;
    last_child = about->si_pid;
    last_status = about->si_status;
}

static void child_signals(void)
{
    struct sigaction action = {.sa_sigaction = note_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    KEEPS(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int i = 1; i <= 5; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(20 + i);
        KEEPS(WEXITSTATUS(ends(child)) == 20 + i);
        KEEPS(signals == i && last_child == child && last_status == 20 + i);
    }
    KEEPS(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    pid_t child = fork();
    if (child == 0)
        _exit(1);
    KEEPS(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
}

static void pidfds(void)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    if (fd < 0 && errno == ENOSYS) {
        kill(child, SIGKILL);
        return;
    }
    struct pollfd ended = {fd, POLLIN, 0};
    siginfo_t about;
    KEEPS(fd >= 0 && poll(&ended, 1, 0) == 0);
    KEEPS(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0 && poll(&ended, 1, -1) == 1);
    KEEPS(waitid(P_PIDFD, (id_t)fd, &about, WEXITED) == 0 && about.si_pid == child && about.si_status == SIGTERM);
    KEEPS(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH);
}

static void orphans(void)
{
    int *middle = shared_numbers();
    KEEPS(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
    pid_t child = fork();
    if (child == 0) {
        int death = -1;
        middle[0] = prctl(PR_GET_PDEATHSIG, &death) == 0 && death == 0;
        pid_t orphan = fork();
        if (orphan == 0)
            _exit(17);
        middle[1] = orphan;
        _exit(0);
    }
    ENDS_WELL(child);
    KEEPS(middle[0] == 1 && WEXITSTATUS(ends(middle[1])) == 17);
}

// ---- descriptors

static void lowest_descriptors(void)
{
    int first = open("/dev/null", O_RDONLY), second = open("/dev/null", O_RDONLY);
    KEEPS(first == 3 && second == 4 && close(first) == 0);
    IN_CHILD(KEEPS(open("/dev/null", O_RDONLY) == 3 && open("/dev/null", O_RDONLY) == 5));
    KEEPS(open("/dev/null", O_RDONLY) == 3);
    KEEPS(dup2(3, 400) == 400 && fcntl(3, F_DUPFD, 10) == 10);
}

static void closing_all(void)
{
    struct rlimit limit = {16, 16};
    // Even of those that are not its own.
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
    IN_CHILD(KEEPS(open("/dev/null", O_RDONLY) == 3));
    KEEPS(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (dup(1) >= 0) {
    }
    KEEPS(errno == EMFILE);
    IN_CHILD(KEEPS(dup(1) == -1 && errno == EMFILE));
}

static void shared_offsets(void)
{
    char name[] = "/tmp/forkguard-posix-XXXXXX", text[8] = "";
    int fd = mkstemp(name);
    KEEPS(fd >= 0 && unlink(name) == 0 && write(fd, "abcdef", 6) == 6 && lseek(fd, 0, SEEK_SET) == 0);
    KEEPS(flock(fd, LOCK_EX) == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    KEEPS(fcntl(fd, F_SETLK, &lock) == 0);
    pid_t parent = getpid();
    IN_CHILD({
        // The record lock is the parent's alone; the other one is the file's.
        struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        KEEPS(fcntl(fd, F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK && asked.l_pid == parent);
        KEEPS(flock(fd, LOCK_EX | LOCK_NB) == 0 && read(fd, text, 2) == 2 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
        KEEPS(close(fd) == 0);
    });
    KEEPS(read(fd, text, 2) == 2 && strcmp(text, "cd") == 0 && fcntl(fd, F_GETFD) == 0);
}

static void pipes(void)
{
    int ends_of[2], flags[2];
    char text[8] = "", kib[1024] = {0};
    KEEPS(pipe(ends_of) == 0 && pipe2(flags, O_CLOEXEC | O_NONBLOCK) == 0);
    KEEPS(fcntl(flags[0], F_GETFD) == FD_CLOEXEC && read(flags[0], text, 1) == -1 && errno == EAGAIN);
    long room = 0;
    for (ssize_t got; (got = write(flags[1], kib, sizeof kib)) > 0;)
        room += got;
    KEEPS(errno == EAGAIN && room == fcntl(flags[1], F_GETPIPE_SZ));
    pid_t child = fork();
    if (child == 0) {
        close(ends_of[0]);
        _exit(write(ends_of[1], "one", 3) == 3 && write(ends_of[1], "two", 3) == 3 ? 0 : 1);
    }
    close(ends_of[1]);
    ENDS_WELL(child);
    KEEPS(read(ends_of[0], text, 7) == 6 && strcmp(text, "onetwo") == 0 && read(ends_of[0], text, 1) == 0);
    close(flags[0]);
    child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        _exit(write(flags[1], text, 1) == 1);
    }
    KEEPS(WTERMSIG(ends(child)) == SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    KEEPS(write(flags[1], text, 1) == -1 && errno == EPIPE);
}

static void executing(void)
{
    char *none[] = {"none", NULL}, *count[] = {"sh", "-c", "test \"$KEPT\" = yes && ! test -e /proc/self/fd/77", NULL};
    char *environment[] = {"KEPT=yes", "PATH=/usr/bin:/bin", NULL};
    KEEPS(execv("/nonexistent", none) == -1 && errno == ENOENT);
    KEEPS(execv("/tmp", none) == -1 && errno == EACCES);
    KEEPS(execv("/etc/passwd", none) == -1 && errno == EACCES);
    size_t long_one = 256 * 1024;
    char *word = malloc(long_one);
    KEEPS(word != NULL);
    memset(word, 'x', long_one - 1);
    word[long_one - 1] = 0;
    char *too_long[] = {"sh", word, NULL};
    KEEPS(execv("/bin/sh", too_long) == -1 && errno == E2BIG);
    KEEPS(dup3(1, 77, O_CLOEXEC) == 77);
    pid_t child = fork();
    if (child == 0) {
        execve("/bin/sh", count, environment);
        _exit(1);
    }
    ENDS_WELL(child);
}

static void files_in_memory(void)
{
    char link[64] = "";
    int fd = memfd_create("forkguard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    KEEPS(fd == 3 && ftruncate(fd, 8192) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    KEEPS(readlink("/proc/self/fd/3", link, sizeof link - 1) > 0 && strcmp(link, "/memfd:forkguard (deleted)") == 0);
    KEEPS(ftruncate(fd, 0) == -1 && errno == EPERM && fcntl(fd, F_GET_SEALS) == F_SEAL_SHRINK);
    int *numbers = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    KEEPS(numbers != MAP_FAILED);
    IN_CHILD(numbers[0] = 3);
    KEEPS(numbers[0] == 3 && madvise(numbers, 8192, MADV_DONTNEED) == 0 && numbers[0] == 3);
    KEEPS(madvise((char *)numbers + 1, 4096, MADV_NORMAL) == -1 && errno == EINVAL);
}

// ---- what else is interposed

static void semaphores(void)
{
    int *room = shared_numbers();
    sem_t *unnamed = (sem_t *)room;
    int value;
    char name[64];
    KEEPS(sem_init(unnamed, 1, 0) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(sem_wait(unnamed) == 0 ? 0 : 1);
    KEEPS(sem_post(unnamed) == 0);
    ENDS_WELL(child);
    snprintf(name, sizeof name, "/mp-posix%d", getpid());
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    KEEPS(named != SEM_FAILED && sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
    KEEPS(sem_unlink(name) == 0 && sem_unlink(name) == -1 && errno == ENOENT);
    KEEPS(sem_trywait(named) == 0 && sem_trywait(named) == -1 && errno == EAGAIN);
    IN_CHILD(KEEPS(sem_post(named) == 0));
    KEEPS(sem_getvalue(named, &value) == 0 && value == 1 && sem_close(named) == 0);
    struct timespec past = {1, 0};
    KEEPS(sem_timedwait(unnamed, &past) == -1 && errno == ETIMEDOUT);
}

static void robust_locks(void)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)shared_numbers();
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    KEEPS(pthread_mutex_init(lock, &attributes) == 0);
    IN_CHILD(KEEPS(pthread_mutex_lock(lock) == 0));
    KEEPS(pthread_mutex_lock(lock) == EOWNERDEAD && pthread_mutex_consistent(lock) == 0);
    KEEPS(pthread_mutex_unlock(lock) == 0);
    IN_CHILD(KEEPS(pthread_mutex_lock(lock) == 0 && pthread_mutex_unlock(lock) == 0));
}

static void random_bytes(void)
{
    char bytes[64] = {0}, others[64] = {0};
    ssize_t (*get)(void *, size_t, unsigned) = NULL;
    *(void **)&get = dlsym(RTLD_DEFAULT, "getrandom");
    KEEPS(get && get(bytes, sizeof bytes, 0) == sizeof bytes && get(others, sizeof others, 1) == sizeof others);
    KEEPS(memcmp(bytes, others, sizeof bytes) != 0 && get(bytes, 1, 0x1000) == -1 && errno == EINVAL);
}

static void lookups(void)
{
    KEEPS(dlsym(RTLD_DEFAULT, "getppid") != NULL && dlsym(RTLD_NEXT, "waitpid") != NULL);
    KEEPS(dlsym(RTLD_DEFAULT, "no_such_name") == NULL);
    const char *why = dlerror();
    KEEPS(why && strstr(why, "no_such_name") && dlerror() == NULL);
    KEEPS(dlopen("libnosuchthing.so", RTLD_NOW) == NULL && dlerror() != NULL);
}

static const struct {
    const char *name;
    void (*check)(void);
} CHECKS[] = {
#define CHECK(name) {#name, name}
    CHECK(fork_numbers),       CHECK(fork_keeps_errno), CHECK(fork_memory),    CHECK(fork_inherits),
    CHECK(fork_of_threads),    CHECK(fork_in_a_handler), CHECK(fork_handlers), CHECK(fork_exit_handlers),
    CHECK(vfork_shares),       CHECK(clones),           CHECK(spawns),         CHECK(shells),
    CHECK(daemons),            CHECK(terminals),        CHECK(wait_codes),     CHECK(wait_errors),
    CHECK(wait_without_hanging), CHECK(wait_for_stops), CHECK(wait_for_groups), CHECK(child_signals),
    CHECK(pidfds),             CHECK(orphans),          CHECK(lowest_descriptors), CHECK(closing_all),
    CHECK(shared_offsets),     CHECK(pipes),            CHECK(executing),      CHECK(files_in_memory),
    CHECK(semaphores),         CHECK(robust_locks),     CHECK(random_bytes),   CHECK(lookups),
};
enum { COUNT = sizeof CHECKS / sizeof *CHECKS };

static int one(const char *when, const char *name)
{
    alarm(patience(60));  // what hangs is told as death by SIGALRM
    for (int fd = 3; fd < 100; fd++)
        close(fd);  // who started it may have left some open
    if (strcmp(when, "initialised") == 0) {
        void *library = dlopen("libcuda.so.1", RTLD_NOW);
        CUresult (*init)(unsigned) = NULL;
        *(void **)&init = library ? dlsym(library, "cuInit") : NULL;
        KEEPS(init && init(0) == 0);
    }
    for (int i = 0; i < COUNT; i++)
        if (strcmp(CHECKS[i].name, name) == 0) {
            CHECKS[i].check();
            say("ok\n");
            return 0;
        }
    give_up("no check is called %s", name);
}

int main(int count, char **arguments)
{
    const char *when = count > 1 ? arguments[1] : "untouched";
    if (count > 2)
        return one(when, arguments[2]);
    for (int i = 0; i < COUNT; i++) {
        char *words[] = {arguments[0], (char *)when, (char *)CHECKS[i].name, NULL};
        int status = 0;
        pid_t child;
        say("%s: ", CHECKS[i].name);
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ) != 0)
            give_up("it cannot be started again");
        if (waitpid(child, &status, 0) != child)
            give_up("waitpid: %s", strerror(errno));
        if (WIFSIGNALED(status))
            say("killed by signal %d\n", WTERMSIG(status));
    }
    return 0;
}
