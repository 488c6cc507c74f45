// Runs a program and lets single system calls of it, or of what it starts, fail: `inject PROGRAM ARGUMENT...`
//
// Which calls is said by the environment, which the program does not see of it:
//
//     INJECT=WHOSE CALLS HOW N    the Nth of these calls is hit, counted over all processes; N+ for each from it on; 0 for none
//     INJECT_TOLD=PATH            a file that gets a line for each call that is hit: its number, which process of
//                                 the program's made it (0 the first, 1 the next, ...), and its name; where none is to be, how many
//                                 calls there were
//
// WHOSE is `guard` for calls that code of libforkguard.so makes, by itself or through the C library; `program` for
// all others; or `any`. What the C library does for the guard beyond a call that it asked for (a thread's stack, a
// fork's handlers) counts as the program's.
// CALLS are names with commas between them, of which one may be followed by `=N`: with this second argument alone. HOW is the name of an error, or `kill`: who makes
// the call is killed before it happens. Ends as the program ends, when all that it started has ended.
//
// Who makes a call is read off the stack of x86-64; elsewhere what goes through the C library is `program`'s.
#include "asked.h"

#include <fcntl.h>
#include <sys/uio.h>

#define CALLS(X)                                                                                                   \
    X(brk) X(clone) X(clone3) X(close) X(close_range) X(connect) X(dup) X(dup3) X(execve) X(exit_group) X(fchmod)      \
    X(fcntl) X(fstat) X(ftruncate) X(futex) X(getdents64) X(getpid) X(getrandom) X(getsockopt) X(gettid) X(ioctl)   \
    X(kill) X(lseek) X(madvise) X(membarrier) X(memfd_create) X(mmap) X(mprotect) X(mremap) X(munmap)                \
    X(nanosleep) X(clock_nanosleep) X(newfstatat) X(openat) X(pipe2) X(ppoll) X(prctl) X(pread64) X(prlimit64)       \
    X(pwrite64) X(read) X(readlinkat) X(recvmsg) X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(sched_yield)   \
    X(sendmsg) X(sendto) X(setsockopt) X(shutdown) X(sigaltstack) X(socket) X(socketpair) X(statx) X(tgkill)       \
    X(uname) X(wait4) X(waitid) X(write) X(writev)
// Those that newer machines have not.
#define OLD_CALLS(X)                                                                                               \
    X(access) X(alarm) X(arch_prctl) X(fork) X(open) X(pause) X(pipe) X(poll) X(readlink) X(stat) X(vfork)

#define ERRORS(X)                                                                                                  \
    X(EACCES) X(EAGAIN) X(EBADF) X(EFAULT) X(EINTR) X(EINVAL) X(EIO) X(EMFILE) X(ENFILE) X(ENOENT) X(ENOMEM)          \
    X(ENOSPC) X(ENOSYS) X(EPERM) X(EPIPE)

struct named {
    const char *name;
    int number;
};

#define CALL(name) {#name, SYS_##name},
#define ERROR(name) {#name, name},
#ifdef SYS_open
static const struct named calls[] = {CALLS(CALL) OLD_CALLS(CALL){0}};
#else
#define NAME(name) #name,
static const char *const names_without_a_call[] = {OLD_CALLS(NAME) NULL};
static const struct named calls[] = {CALLS(CALL){0}};
#endif
static const struct named errors[] = {ERRORS(ERROR){0}};

static const struct named *named(const struct named *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    give_up("inject does not know %s", name);
}

enum whose { ANY, GUARD, PROGRAM };

static struct {
    enum whose whose;
    int error;  // 0: who makes the call is killed
    long at;
    int onwards;
    int hits_execve;
    struct {
        int number;
        unsigned long is;
    } second;  // of this call, its second argument
    int begun;  // the program has taken this one's place
    long seen;
    int told;
} plan = {.second = {.number = -1}, .told = -1};

// What executable memory of a process is.
struct code {
    unsigned long start, end;
    enum { LIBC, OF_GUARD, OTHER } of;
};

static int code_of(pid_t thread, struct code *found, int most)
{
    char path[64], line[4352];
    snprintf(path, sizeof path, "/proc/%d/maps", thread);
    FILE *maps = fopen(path, "re");
    int count = 0;
    while (maps && count < most && fgets(line, sizeof line, maps)) {
        char rights[5];
        struct code *code = &found[count];
        if (sscanf(line, "%lx-%lx %4s", &code->start, &code->end, rights) != 3 || rights[2] != 'x')
            continue;
        code->of = strstr(line, "/libforkguard.so") ? OF_GUARD
                   : strstr(line, "/libc.so.6") || strstr(line, "/libpthread.so.0") || strstr(line, "/libc-2.")
                       ? LIBC
                       : OTHER;
        count++;
    }
    if (maps)
        fclose(maps);
    return count;
}

static const struct code *code_at(const struct code *code, int count, unsigned long address)
{
    for (int i = 0; i < count; i++)
        if (code[i].start <= address && address < code[i].end)
            return &code[i];
    return NULL;
}

static int is_by_guard(const struct seccomp_notif *request)
{
    static struct code code[1024];
    int count = code_of(request->pid, code, 1024);
    const struct code *at = code_at(code, count, request->data.instruction_pointer);
    if (!at || at->of != LIBC)
        return at && at->of == OF_GUARD;
    // The first address of code on the stack is where it returns to: the C library itself, if that is more than a
    // wrapper of the call, and has reasons of its own.
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", request->pid);
    FILE *file = fopen(path, "re");
    unsigned long stack = 0, words[32];
    if (!file || !fgets(line, sizeof line, file) ||
        sscanf(line, "%*d %*x %*x %*x %*x %*x %*x %lx", &stack) != 1)
        stack = 0;
    if (file)
        fclose(file);
    struct iovec here = {words, sizeof words}, there = {(void *)stack, sizeof words};
    long got = stack ? process_vm_readv(request->pid, &here, 1, &there, 1, 0) : -1;
    for (long i = 0; i < got / (long)sizeof *words; i++) {
        const struct code *word = code_at(code, count, words[i]);
        if (word)
            return word->of == OF_GUARD;
    }
    return 0;
}

static int ordinal(pid_t thread)
{
    static pid_t known[256];
    int i = 0;
    while (i < 255 && known[i] && known[i] != thread)
        i++;
    known[i] = thread;
    return i;
}

static void judge(const struct seccomp_notif *request, struct seccomp_notif_resp *answer)
{
    if (!plan.begun) {
        plan.begun = request->data.nr == SYS_execve;
        return;
    }
    if (plan.whose != ANY && is_by_guard(request) != (plan.whose == GUARD))
        return;
    if (request->data.nr == SYS_execve && !plan.hits_execve)
        return;
    if (request->data.nr == plan.second.number && request->data.args[1] != plan.second.is)
        return;
    int who = ordinal(request->pid);
    long number = ++plan.seen;
    if (!plan.at || (plan.onwards ? number < plan.at : number != plan.at))
        return;
    const struct named *call = calls;
    while (call->name && call->number != request->data.nr)
        call++;
    if (plan.told >= 0)
        dprintf(plan.told, "%ld %d %s\n", number, who, call->name ? call->name : "?");
    if (plan.error) {
        answer->flags = 0;
        answer->error = -plan.error;
    } else {
        kill(request->pid, SIGKILL);
    }
}

// A name of long ago, for what has another one here.
static int is_not_of_this_machine(const char *name)
{
#ifndef SYS_open
    for (const char *const *old = names_without_a_call; *old; old++)
        if (strcmp(*old, name) == 0)
            return 1;
#endif
    (void)name;
    return 0;
}

static void read_plan(struct asked_of *asked)
{
    char *text = getenv("INJECT");
    if (!text)
        give_up("INJECT is not set");
    char whose[16], list[1024], how[16];
    if (sscanf(text, "%15s %1023s %15s %ld", whose, list, how, &plan.at) != 4)
        give_up("INJECT is WHOSE CALLS HOW N");
    plan.onwards = text[strlen(text) - 1] == '+';
    plan.whose = strcmp(whose, "guard") == 0 ? GUARD : strcmp(whose, "program") == 0 ? PROGRAM : ANY;
    plan.error = strcmp(how, "kill") == 0 ? 0 : named(errors, how)->number;
    for (char *rest = list, *name; (name = strsep(&rest, ","));) {
        if (asked->count + 1 == sizeof asked->numbers / sizeof *asked->numbers)
            give_up("too many names of calls");
        if (is_not_of_this_machine(name))
            continue;
        char *second = strchr(name, '=');
        if (second)
            *second = 0;
        asked->numbers[asked->count++] = named(calls, name)->number;
        if (second) {
            plan.second.number = named(calls, name)->number;
            plan.second.is = strtoul(second + 1, NULL, 10);
        }
        plan.hits_execve |= strcmp(name, "execve") == 0;
    }
    // How it is known that the program has begun.
    asked->numbers[asked->count++] = SYS_execve;
    const char *told = getenv("INJECT_TOLD");
    if (told)
        plan.told = open(told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("INJECT");
    unsetenv("INJECT_TOLD");
}

int main(int count, char **arguments)
{
    static struct asked_of asked;
    if (count < 2)
        give_up("usage: inject PROGRAM ARGUMENT...");
    read_plan(&asked);
    int result = run_asked(arguments + 1, &asked, judge);
    if (!plan.at && plan.told >= 0)
        dprintf(plan.told, "%ld\n", plan.seen);
    return result;
}
