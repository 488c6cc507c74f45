// Proves that a process that is forked in the middle of its parent's report has a report of its own.
// `reporting WHO`: CUDA is initialised, a child uses it, and while that reports, who forks in it uses CUDA, too:
//
//   thread   another thread of the child
//   handler  a signal's handler, which interrupts the report
//
// The report is held where the guard sets its alarm: this program has a `sigaction` of its own.
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

static struct driver cuda;
static pid_t reports;
static sem_t is_held, goes_on;

static pid_t own_tid(void) { return (pid_t)syscall(SYS_gettid); }

static void fork_and_use(int signal)
{
    (void)signal;
    int device;
    pid_t inner = fork();
    if (inner == 0) {
        in_child();
        say("inner device %d\n", cuda.cuDeviceGet(&device, 0));
        _exit(3);
    }
    say_how_it_ended(inner, "inner");
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
    static int (*real)(int, const struct sigaction *, struct sigaction *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
    if (signal == SIGALRM && own_tid() == reports) {
        reports = 0;
        sem_post(&is_held);
        raise(SIGUSR1);
        sem_wait(&goes_on);
    }
    return real(signal, action, before);
}

static void *use(void *unused)
{
    int count;
    reports = own_tid();
    say("child count %d\n", cuda.cuDeviceGetCount(&count));
    return unused;
}

static void in_thread(void)
{
    pthread_t thread;
    signal(SIGUSR1, SIG_IGN);
    if (pthread_create(&thread, NULL, use, NULL) != 0)
        give_up("no thread");
    sem_wait(&is_held);
    fork_and_use(0);
    sem_post(&goes_on);
    pthread_join(thread, NULL);
}

static void in_handler(void)
{
    signal(SIGUSR1, fork_and_use);
    sem_post(&goes_on);
    use(NULL);
}

int main(int count, char **arguments)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (count != 2 || !library)
        give_up("usage: reporting thread|handler, with a libcuda");
    load_by_dlsym(&cuda, library);
    sem_init(&is_held, 0, 0);
    sem_init(&goes_on, 0, 0);
    if (cuda.cuInit(0) != 0)
        give_up("cuInit");
    pid_t child = fork();
    if (child == 0) {
        in_child();
        if (strcmp(arguments[1], "thread") == 0)
            in_thread();
        else
            in_handler();
        _exit(3);
    }
    say_how_it_ended(child, "child");
    return 0;
}
