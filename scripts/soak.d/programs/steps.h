// What the C programs of the soak share. They read a number from standard input, do that many rounds of their work, and
// answer with one line of JSON: how many, and what it took of time and of processor time, the children's included. At
// the end of the input they end. Between two steps they stand still, so that they can be looked at from outside.
#ifndef SOAK_STEPS_H
#define SOAK_STEPS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A program that cannot go on says why and ends with 90.
#define give_up(...) (dprintf(2, "soak: " __VA_ARGS__), dprintf(2, "\n"), _exit(90))

struct driver {
    int (*init)(unsigned);
    int (*version)(int *);
    int (*count)(int *);
    int (*create_context)(void **, unsigned, int);
};

static inline void *driver_function(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        give_up("%s", dlerror());
    return found;
}

static inline struct driver load_driver(void)
{
    struct driver driver;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    *(void **)&driver.init = driver_function(library, "cuInit");
    *(void **)&driver.version = driver_function(library, "cuDriverGetVersion");
    *(void **)&driver.count = driver_function(library, "cuDeviceGetCount");
    *(void **)&driver.create_context = driver_function(library, "cuCtxCreate_v2");
    return driver;
}

static inline void initialise(const struct driver *driver)
{
    void *context;
    if (driver->init(0) != 0 || driver->create_context(&context, 0, 0) != 0)
        give_up("CUDA was not initialised");
}

static inline double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline double used_by_children(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

// Does what is asked for until nothing is any more. `more` may write further members of the answer, each with a comma
// before it.
static inline int follow_steps(void (*work)(long rounds), void (*more)(void))
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        long rounds = atol(line);
        double wall = seconds(CLOCK_MONOTONIC);
        double own = seconds(CLOCK_PROCESS_CPUTIME_ID) + used_by_children();
        work(rounds);
        own = seconds(CLOCK_PROCESS_CPUTIME_ID) + used_by_children() - own;
        wall = seconds(CLOCK_MONOTONIC) - wall;
        printf("{\"rounds\": %ld, \"wall\": %.6f, \"processor\": %.6f", rounds, wall, own);
        if (more)
            more();
        printf("}\n");
        fflush(stdout);
    }
    return 0;
}

#endif
