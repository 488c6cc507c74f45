// Interrupts a Python program where it is in the middle of the interpreter: after `interrupt`, the next time that its main
// thread gives a lock back (to Python 3.12 by `sem_post`; later ones ask the C library for nothing), or, by
// `interrupt_now`, at once. The signal's handler forks, as a crash handler does that starts a debugger.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int forked;
static int armed;

static void fork_in_handler(int signal)
{
    (void)signal;
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    if (waitpid(child, &status, 0) == child && status == 7 << 8)
        forked++;
}

void interrupt(void)
{
    signal(SIGUSR1, fork_in_handler);
    armed = 1;
}

void interrupt_now(void)
{
    signal(SIGUSR1, fork_in_handler);
    raise(SIGUSR1);
}

int sem_post(sem_t *semaphore)
{
    static int (*real)(sem_t *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sem_post");
    if (armed && syscall(SYS_gettid) == getpid()) {
        armed = 0;
        raise(SIGUSR1);
    }
    return real(semaphore);
}
