// Runs a program and lets single system calls of it fail, or kills it at one: `faults PROGRAM ARGUMENT...`
//
// Every system call of the program and of what it starts is shown to this process first, by a filter that they
// inherit. The program says by a prctl of its own which call is to be hit:
//
//     prctl(FAULTS, FAULTS_PARENT, n, what)  the nth call that the calling thread makes from now on
//     prctl(FAULTS, FAULTS_CHILD, n, what)   the nth call that any process but the calling one makes
//     prctl(FAULTS, FAULTS_END)              none any more; answers the number of the call that was hit, or -1
//
// `what` is FAULTS_FAIL: it fails as it does when memory, descriptors or processes have run out (calls that cannot
// are not counted); FAULTS_EXHAUST: and so does every one after it; FAULTS_KILL: who makes it is killed before it happens; FAULTS_TERMINATE: is sent SIGTERM; or FAULTS_INTERRUPT: the calling process
// of FAULTS_PARENT is sent SIGINT before it happens. Ends as the program ends, when all that it started has ended.
#include "asked.h"

#include <fcntl.h>

enum { FAULTS = 0x666b6674, FAULTS_PARENT = 1, FAULTS_CHILD, FAULTS_END };
enum { FAULTS_FAIL = 1, FAULTS_KILL, FAULTS_INTERRUPT, FAULTS_EXHAUST, FAULTS_TERMINATE };

// The errno of a call that finds too little of what it needs; 0 for one that finds what it needs.
static int shortage(const struct seccomp_data *call)
{
    switch (call->nr) {
#ifdef SYS_open
    case SYS_open:
#endif
#ifdef SYS_dup2
    case SYS_dup2:
#endif
#ifdef SYS_pipe
    case SYS_pipe:
#endif
    case SYS_openat:
    case SYS_memfd_create:
    case SYS_pipe2:
    case SYS_dup:
    case SYS_dup3:
    case SYS_socket:
    case SYS_eventfd2:
        return EMFILE;
    case SYS_fcntl:
        return call->args[1] == F_DUPFD_CLOEXEC || call->args[1] == F_DUPFD ? EMFILE
               : call->args[1] == F_ADD_SEALS                              ? EBUSY
                                                                            : 0;
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_getdents64:
    case SYS_execve:
#ifdef SYS_readlink
    case SYS_readlink:
#endif
    case SYS_readlinkat:
        return ENOMEM;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_ftruncate:
        return ENOSPC;
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork:
#endif
    case SYS_clone:
    case SYS_clone3:
        return EAGAIN;
    default:
        return 0;
    }
}

static struct {
    int whose;  // FAULTS_PARENT or FAULTS_CHILD; 0 for none
    int what;
    long left;
    pid_t thread;  // who asked
    pid_t process;
    int hit;
} plan = {.hit = -1};

static pid_t process_of(pid_t thread)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    FILE *file = fopen(path, "r");
    pid_t found = 0;
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Tgid: %d", &found) != 1) {
    }
    if (file)
        fclose(file);
    return found;
}

static int counts(const struct seccomp_notif *request)
{
    if (!plan.whose || (plan.left <= 0 && !(plan.what == FAULTS_EXHAUST && plan.hit >= 0)))
        return 0;
    if ((plan.what == FAULTS_FAIL || plan.what == FAULTS_EXHAUST) && !shortage(&request->data))
        return 0;
    if (plan.whose == FAULTS_PARENT)
        return (pid_t)request->pid == plan.thread;
    return process_of(request->pid) != plan.process;
}

// Answers what becomes of a call: in `answer`, or by a signal.
static void judge(const struct seccomp_notif *request, struct seccomp_notif_resp *answer)
{
    const struct seccomp_data *call = &request->data;
    if (call->nr == SYS_prctl && call->args[0] == FAULTS) {
        answer->flags = 0;
        if (call->args[1] == FAULTS_END) {
            // A negative value would be an error.
            answer->val = plan.hit + 1;
            plan.whose = 0;
            return;
        }
        plan.whose = call->args[1];
        plan.left = call->args[2];
        plan.what = call->args[3];
        plan.thread = request->pid;
        plan.process = process_of(request->pid);
        plan.hit = -1;
        return;
    }
    if (!counts(request) || (plan.left > 0 && --plan.left > 0))
        return;
    if (plan.hit < 0)
        plan.hit = call->nr;
    if (plan.what == FAULTS_KILL) {
        kill(request->pid, SIGKILL);
    } else if (plan.what == FAULTS_TERMINATE) {
        kill(request->pid, SIGTERM);
    } else if (plan.what == FAULTS_INTERRUPT) {
        kill(plan.process, SIGINT);
    } else {
        answer->flags = 0;
        answer->error = -shortage(call);
    }
}

int main(int count, char **arguments)
{
    if (count < 2)
        give_up("usage: faults PROGRAM ARGUMENT...");
    static const struct asked_of all = {0};
    return run_asked(arguments + 1, &all, judge);
}
