// Runs a program under a filter that shows this process its system calls, and those of what it starts, before they
// happen. What becomes of each is for `judge` to say: by the answer, or by a signal to who makes it.
#ifndef ASKED_H
#define ASKED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "client.h"

#include <errno.h>
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

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

// System calls that are shown; none for all of them.
struct asked_of {
    unsigned count;
    int numbers[64];
};

// Says what becomes of a call; the answer is that it goes on.
typedef void judge_calls(const struct seccomp_notif *request, struct seccomp_notif_resp *answer);

// The one call that is not asked about is the one that gives away who is asked: it is known by flags that nobody else
// has a use for on such a socket.
enum { GIVES_AWAY = MSG_NOSIGNAL | MSG_CONFIRM | MSG_MORE | MSG_EOR };

static int take_listener(int from)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
        give_up("no filter that asks: this needs Linux 5.19, and a sandbox that lets it be made");
    int listener;
    memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof listener);
    return listener;
}

static void give_listener(int to, const struct asked_of *calls)
{
    struct sock_filter filter[128] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GIVES_AWAY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short length = 6;
    for (unsigned i = 0; i < calls->count; i++) {
        unsigned char to_the_last = calls->count - i;
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls->numbers[i], to_the_last, 0);
    }
    if (calls->count)
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    const struct sock_fprog program = {.len = length, .filter = filter};
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
    sendmsg(to, &message, GIVES_AWAY);
    close(listener);
    close(to);
}

static void serve(int listener, judge_calls *judge)
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
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        judge(&request, &answer);
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

// Runs the program to its end, and to the end of all that it started. Answers how it ended, as a shell does.
static int run_asked(char **command, const struct asked_of *calls, judge_calls *judge)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        give_up("socketpair failed");
    // A terminal's interrupt is for the program.
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t program = fork();
    if (program == 0) {
        signal(SIGINT, SIG_DFL);
        close(pair[0]);
        give_listener(pair[1], calls);
        execv(command[0], command);
        give_up("%s cannot be run", command[0]);
    }
    close(pair[1]);
    int listener = take_listener(pair[0]);
    close(pair[0]);
    serve(listener, judge);
    int status, ended, result = 255;
    while ((ended = wait(&status)) > 0)
        if (ended == program)
            result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return result;
}

#endif
