// Proves that a program that waits for any child hears of its own alone, where workers cannot be started. `reaper HOW`:
//
//   handler   a handler of SIGCHLD waits for whatever has ended
//   thread    so does a thread, always
//   group     the same, for those of its process group
//
// The environment is larger than what the kernel lets a program begin with. Says of how many children it heard.
#include "client.h"
#include "../../include/forkguard.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { WORKERS = 20 };

static struct driver driver;
static atomic_int others, reaped;

static void saw(pid_t pid, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 7)
        reaped++;
    else
        others++;
    (void)pid;
}

static void handler(int signal)
{
    int before = errno, status;
    pid_t pid;
    (void)signal;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        saw(pid, status);
    errno = before;
}

static void *wait_for_all(void *group)
{
    int status;
    while (reaped < WORKERS) {
        pid_t pid = waitpid(*(const pid_t *)group, &status, 0);
        if (pid > 0)
            saw(pid, status);
        else
            sched_yield();
    }
    return NULL;
}

static void work(const void *data, size_t len)
{
    (void)data;
    (void)len;
    in_child();
    exit(7);
}

int main(int count, char **arguments)
{
    forkguard_on_exec("work", work);
    if (count != 2)
        give_up("usage: reaper HOW");
    int handles = strcmp(arguments[1], "handler") == 0;
    pid_t group = strcmp(arguments[1], "group") == 0 ? 0 : -1;
    char *value = malloc(100 * 1024 + 1), name[16];
    memset(value, 'v', 100 * 1024);
    value[100 * 1024] = 0;
    for (int i = 0; i < 80; i++) {
        snprintf(name, sizeof name, "HUGE%d", i);
        setenv(name, value, 1);
    }
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");

    pthread_t thread;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (handles)
        sigaction(SIGCHLD, &action, NULL);
    else
        pthread_create(&thread, NULL, wait_for_all, &group);
    for (int i = 0; i < WORKERS; i++) {
        forkguard_exec_next("work", NULL, 0);
        pid_t child = fork();
        if (child == 0)
            work(NULL, 0);
        if (child < 0)
            give_up("no fork");
    }
    while (reaped < WORKERS)
        sched_yield();
    if (!handles)
        pthread_join(thread, NULL);
    say("workers %d, others %d\n", reaped, others);
    return 0;
}
