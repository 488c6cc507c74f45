// Proves that the functions that wait for children are what they are without the guard: a thread that sleeps in one can
// be cancelled there, a handler of SIGCHLD can call one, and each finds the children that it should. Prints `waits ok`.
#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

static atomic_int handled, entered;

static void reap(int number)
{
    int before = errno, status;
    (void)number;
    while (waitpid(-1, &status, WNOHANG) > 0)
        handled++;
    errno = before;
}

static pid_t child(int code)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    return pid;
}

static pid_t sleeping_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void *sleep_in_wait(void *which)
{
    siginfo_t info;
    int status;
    entered = 1;
    switch (*(const int *)which) {
    case 0: wait(&status); break;
    case 1: waitpid(-1, &status, 0); break;
    case 2: wait3(&status, 0, NULL); break;
    case 3: wait4(-1, &status, 0, NULL); break;
    default: waitid(P_ALL, 0, &info, WEXITED);
    }
    return NULL;
}

static void cancelled(void)
{
    pid_t pid = sleeping_child();
    for (int which = 0; which < 5; which++) {
        pthread_t thread;
        void *end = NULL;
        entered = 0;
        if (pthread_create(&thread, NULL, sleep_in_wait, &which))
            give_up("no thread");
        while (!entered)
            sched_yield();
        if (pthread_cancel(thread) || pthread_join(thread, &end) || end != PTHREAD_CANCELED)
            give_up("a thread in function %d was not cancelled", which);
    }
    kill(pid, SIGKILL);
    if (waitpid(pid, NULL, 0) != pid)
        give_up("the child is lost");
}

static void found(void)
{
    int status = 0;
    struct rusage usage;
    siginfo_t info;
    pid_t pid = child(3);
    if (wait(&status) != pid || WEXITSTATUS(status) != 3)
        give_up("wait");
    pid = child(4);
    if (wait3(&status, 0, &usage) != pid || WEXITSTATUS(status) != 4)
        give_up("wait3");
    pid = child(5);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) || info.si_pid != pid || info.si_status != 5)
        give_up("waitid that leaves it");
    if (waitid(P_ALL, 0, NULL, WEXITED) || wait(NULL) != -1 || errno != ECHILD)
        give_up("waitid without a place for the answer");
}

int main(void)
{
    found();
    cancelled();
    struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 5; i++)
        child(0);
    while (handled < 5)
        sched_yield();
    puts("waits ok");
    return 0;
}
