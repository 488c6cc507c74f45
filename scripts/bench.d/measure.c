// Measures one thing after another and prints a line of numbers for each: `measure WHAT COUNT [WHAT COUNT]...`, with
// the library preloaded or not.
//
//   call          ns a call of a driver function that does nothing, through the pointer that dlsym gave
//   launch        ns a launch of a kernel that does nothing, in batches that fit the driver's queue
//   dlsym         ns a dlsym of a name that is not the driver's
//   fork          µs of fork, _exit and wait, in a process that never initialised CUDA
//   fork-large    the same, with 64 MiB of memory in use, as an interpreter with a few libraries has
//   fork-init     as fork, after cuInit
//   fork-context  as fork, with a context on the first device
//   memory        KiB: resident, and of that the process's own (anonymous); memory-init, after cuInit and a first call
//   start         µs to start and end a program, bare and guarded, by turns: `start COUNT PROGRAM ARGUMENT...`, last;
//                 PRELOAD in the environment is what the program gets as LD_PRELOAD every other time
//
// calls-only, lookups-only and forks-only (after cuInit) do the same without a clock, for counting instructions.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 41, LAUNCHES = 500 };

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

static double *room_for(long count)
{
    double *each = count > 0 ? malloc((size_t)count * sizeof *each) : NULL;
    if (!each)
        give_up("COUNT must be a number above 0");
    return each;
}

static void *cuda, *math;

// A function of the driver, as programs get it.
static void *driver(const char *name)
{
    void *found = dlsym(cuda, name);
    if (!found)
        give_up(name);
    return found;
}

static void must(int answer, const char *what)
{
    if (answer != 0)
        give_up(what);
}

typedef int get_count(int *);
static get_count *volatile device_count;

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

static void initialise(void)
{
    must(((int (*)(unsigned))(uintptr_t)driver("cuInit"))(0), "cuInit fails");
}

static void make_context(void)
{
    static void *context;
    int device;
    if (context)
        return;
    initialise();
    must(((int (*)(int *, int))(uintptr_t)driver("cuDeviceGet"))(&device, 0), "no device");
    must(((int (*)(void **, int))(uintptr_t)driver("cuDevicePrimaryCtxRetain"))(&context, device), "no context");
    must(((int (*)(void *))(uintptr_t)driver("cuCtxSetCurrent"))(context), "no current context");
}

// The clock is stopped while the device catches up: what is measured is the program's side.
static double launches(long count)
{
    static const char image[] = ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry nothing() { ret; }\n";
    typedef int launch_kernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
                              void **, void **);
    void *module, *kernel;
    make_context();
    must(((int (*)(void **, const void *))(uintptr_t)driver("cuModuleLoadData"))(&module, image), "no module");
    must(((int (*)(void **, void *, const char *))(uintptr_t)driver("cuModuleGetFunction"))(&kernel, module, "nothing"),
         "no kernel");
    launch_kernel *launch = (launch_kernel *)(uintptr_t)driver("cuLaunchKernel");
    int (*synchronise)(void) = (int (*)(void))(uintptr_t)driver("cuCtxSynchronize");
    long batches = count / LAUNCHES + 1;
    double *each = room_for(batches);
    for (long batch = 0; batch < batches; batch++) {
        must(synchronise(), "cuCtxSynchronize fails");
        double start = now();
        for (int i = 0; i < LAUNCHES; i++)
            must(launch(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), "cuLaunchKernel fails");
        each[batch] = (now() - start) / LAUNCHES;
    }
    must(synchronise(), "cuCtxSynchronize fails");
    return median(each, (size_t)batches);
}

static void wait_for(pid_t child)
{
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        give_up("a child did not end well");
}

static double forks(long count)
{
    double *each = room_for(count);
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

// Without the heap: reading must not be what is measured.
static void print_memory(void)
{
    static char text[8192];
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    const char *resident = size > 0 ? strstr(text, "\nRss:") : NULL;
    const char *own = size > 0 ? strstr(text, "\nAnonymous:") : NULL;
    if (!resident || !own)
        give_up("/proc/self/smaps_rollup cannot be read");
    close(file);
    printf("%ld %ld\n", atol(resident + strlen("\nRss:")), atol(own + strlen("\nAnonymous:")));
}

static void print_starts(long count, char **program)
{
    static char preload[4096];
    char *bare[] = {NULL}, *guarded[] = {preload, NULL};
    double *each[2] = {room_for(count), room_for(count)};
    if (!getenv("PRELOAD"))
        give_up("start needs PRELOAD");
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("PRELOAD"));
    for (long i = 0; i < 2 * count; i++) {
        pid_t child;
        // Who goes first changes, so that neither always finds the machine warm.
        int with = (int)((i + i / 2) % 2);
        double start = now();
        if (posix_spawn(&child, program[0], NULL, NULL, program, with ? guarded : bare) != 0)
            give_up("the program could not be started");
        wait_for(child);
        each[with][i / 2] = (now() - start) / 1000;
    }
    double without = median(each[0], (size_t)count);
    printf("%.3f %.3f\n", without, median(each[1], (size_t)count));
}

static void measure(const char *what, long count)
{
    if (strcmp(what, "call") == 0 || strcmp(what, "calls-only") == 0 || strcmp(what, "memory-init") == 0) {
        initialise();
        device_count = (get_count *)(uintptr_t)driver("cuDeviceGetCount");
        calls(1);
    }
    if (strcmp(what, "fork-init") == 0 || strcmp(what, "forks-only") == 0)
        initialise();
    if (strcmp(what, "fork-context") == 0)
        make_context();
    if (strcmp(what, "fork-large") == 0)
        memset(malloc(64 << 20), 1, 64 << 20);

    if (strcmp(what, "call") == 0)
        printf("%.3f\n", batched(calls, count));
    else if (strcmp(what, "launch") == 0)
        printf("%.3f\n", launches(count));
    else if (strcmp(what, "dlsym") == 0)
        printf("%.3f\n", batched(lookups, count));
    else if (strcmp(what, "forks-only") == 0)
        forks(count);
    else if (strncmp(what, "fork", 4) == 0)
        printf("%.3f\n", forks(count));
    else if (strncmp(what, "memory", 6) == 0)
        print_memory();
    else if (strcmp(what, "calls-only") == 0)
        calls(count);
    else if (strcmp(what, "lookups-only") == 0)
        lookups(count);
    else
        give_up("nothing is measured under that name");
    // A line in the buffer would be every later child's as well.
    fflush(stdout);
}

int main(int arguments, char **argument)
{
    if (arguments >= 4 && strcmp(argument[1], "start") == 0) {
        print_starts(atol(argument[2]), argument + 3);
        return 0;
    }
    if (arguments < 3 || arguments % 2 == 0)
        give_up("usage: measure WHAT COUNT [WHAT COUNT]..., or measure start COUNT PROGRAM ARGUMENT...");
    cuda = dlopen("libcuda.so.1", RTLD_NOW);
    math = dlopen("libm.so.6", RTLD_NOW);
    if (!cuda || !math)
        give_up("libcuda.so.1 or libm.so.6 is missing");
    for (int i = 1; i < arguments; i += 2)
        measure(argument[i], atol(argument[i + 1]));
    return 0;
}
