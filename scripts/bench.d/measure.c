// Measures one thing and prints one number: `measure WHAT COUNT`, with the library preloaded or not.
//
//   call         ns a call of a driver function that does nothing, through the pointer that dlsym gave
//   dlsym        ns a dlsym of a name that is not the driver's
//   fork         µs of fork, _exit and wait, in a process that never initialised CUDA
//   fork-large   the same, with 64 MiB of memory in use, as an interpreter with a few libraries has
//   fork-init    as fork, after cuInit
//   start        µs to start and end /bin/true; PRELOAD in the environment is what it gets as LD_PRELOAD
//
// calls-only and lookups-only do the same without a clock, for counting instructions.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 41 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void give_up(const char *what)
{
    fprintf(stderr, "measure: %s\n", what);
    exit(2);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

typedef int get_count(int *);
static get_count *volatile device_count;
static void *cuda, *math;

static void calls(long count)
{
    int devices;
    for (long i = 0; i < count; i++)
        device_count(&devices);
}

static void lookups(long count)
{
    for (long i = 0; i < count; i++)
        if (!dlsym(math, "nextafterf"))
            give_up("no nextafterf");
}

static double batched(void (*work)(long), long count)
{
    double batches[BATCHES];
    work(count / 10);
    for (int i = 0; i < BATCHES; i++) {
        double start = now();
        work(count);
        batches[i] = (now() - start) / (double)count;
    }
    return median(batches, BATCHES);
}

static void wait_for(pid_t child)
{
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        give_up("a child did not end well");
}

static double forks(long count)
{
    double *each = malloc((size_t)count * sizeof *each);
    for (long i = 0; i < count; i++) {
        double start = now();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        wait_for(child);
        each[i] = (now() - start) / 1000;
    }
    return median(each, (size_t)count);
}

static double starts(long count)
{
    static char preload[4096];
    char *program[] = {"/bin/true", NULL}, *environment[] = {NULL, NULL};
    double *each = malloc((size_t)count * sizeof *each);
    if (getenv("PRELOAD")) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("PRELOAD"));
        environment[0] = preload;
    }
    for (long i = 0; i < count; i++) {
        pid_t child;
        double start = now();
        if (posix_spawn(&child, program[0], NULL, NULL, program, environment) != 0)
            give_up("/bin/true could not be started");
        wait_for(child);
        each[i] = (now() - start) / 1000;
    }
    return median(each, (size_t)count);
}

int main(int arguments, char **argument)
{
    if (arguments != 3)
        give_up("usage: measure WHAT COUNT");
    const char *what = argument[1];
    long count = atol(argument[2]);
    cuda = dlopen("libcuda.so.1", RTLD_NOW);
    math = dlopen("libm.so.6", RTLD_NOW);
    int (*init)(unsigned) = (int (*)(unsigned))(uintptr_t)(cuda ? dlsym(cuda, "cuInit") : NULL);
    device_count = (get_count *)(uintptr_t)(cuda ? dlsym(cuda, "cuDeviceGetCount") : NULL);
    if (!cuda || !math || !init || !device_count)
        give_up("libcuda.so.1 or libm.so.6 is missing");

    // Only what is about CUDA in use initialises it.
    if (strncmp(what, "call", 4) == 0 || strcmp(what, "fork-init") == 0)
        init(0);
    if (strcmp(what, "fork-large") == 0)
        memset(malloc(64 << 20), 1, 64 << 20);
    if (strcmp(what, "call") == 0)
        printf("%.3f\n", batched(calls, count));
    else if (strcmp(what, "dlsym") == 0)
        printf("%.3f\n", batched(lookups, count));
    else if (strncmp(what, "fork", 4) == 0)
        printf("%.3f\n", forks(count));
    else if (strcmp(what, "start") == 0)
        printf("%.3f\n", starts(count));
    else if (strcmp(what, "calls-only") == 0)
        calls(count);
    else if (strcmp(what, "lookups-only") == 0)
        lookups(count);
    else
        give_up("nothing is measured under that name");
    return 0;
}
