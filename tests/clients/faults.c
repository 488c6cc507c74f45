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
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

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
    answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
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

static int take_listener(int from)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(from, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
        give_up("no filter that asks: this needs Linux 5.19, and a sandbox that lets it be made");
    int listener;
    memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof listener);
    return listener;
}

static void give_listener(int to)
{
    // The one call that is not asked about is the one that gives away who is asked.
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        give_up("PR_SET_NO_NEW_PRIVS was refused");
    // A call that is being asked about is not interrupted by a signal: some never are, and nobody expects it.
    int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (listener >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &listener, sizeof listener);
    }
    sendmsg(to, &message, 0);
    close(listener);
    close(to);
}

static void serve(int listener)
{
    struct seccomp_notif request;
    struct seccomp_notif_resp answer;
    for (struct pollfd asked = {.fd = listener, .events = POLLIN};;) {
        if (poll(&asked, 1, -1) < 0 && errno != EINTR)
            give_up("poll");
        if (!(asked.revents & POLLIN)) {
            if (asked.revents & POLLHUP)
                return;  // all have ended
            continue;
        }
        memset(&request, 0, sizeof request);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
            continue;  // killed meanwhile
        memset(&answer, 0, sizeof answer);
        answer.id = request.id;
        judge(&request, &answer);
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

int main(int count, char **arguments)
{
    int pair[2];
    if (count < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        give_up("usage: faults PROGRAM ARGUMENT...");
    // A terminal's interrupt is for the program.
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t program = fork();
    if (program == 0) {
        signal(SIGINT, SIG_DFL);
        close(pair[0]);
        give_listener(pair[1]);
        execv(arguments[1], arguments + 1);
        give_up("%s cannot be run", arguments[1]);
    }
    close(pair[1]);
    serve(take_listener(pair[0]));
    int status, ended, result = 255;
    while ((ended = wait(&status)) > 0)
        if (ended == program)
            result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return result;
}
