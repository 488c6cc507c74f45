// What the clients share: the driver functions they call, a way to say what they see, and a way to wait for a child.
#ifndef CLIENT_H
#define CLIENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int CUresult;
typedef int CUdevice;
typedef void *CUcontext;
typedef unsigned long long CUdeviceptr;

// Exported name, base name as cuGetProcAddress takes it, parameters.
#define DRIVER_FUNCTIONS(X)                                                                                       \
    X(cuInit, cuInit, (unsigned))                                                                                 \
    X(cuDriverGetVersion, cuDriverGetVersion, (int *))                                                            \
    X(cuGetErrorName, cuGetErrorName, (CUresult, const char **))                                                  \
    X(cuGetErrorString, cuGetErrorString, (CUresult, const char **))                                              \
    X(cuDeviceGetCount, cuDeviceGetCount, (int *))                                                                \
    X(cuDeviceGet, cuDeviceGet, (CUdevice *, int))                                                                \
    X(cuDeviceGetName, cuDeviceGetName, (char *, int, CUdevice))                                                  \
    X(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (CUcontext *, CUdevice))                                \
    X(cuDevicePrimaryCtxRelease_v2, cuDevicePrimaryCtxRelease, (CUdevice))                                        \
    X(cuCtxCreate_v2, cuCtxCreate, (CUcontext *, unsigned, CUdevice))                                             \
    X(cuCtxGetCurrent, cuCtxGetCurrent, (CUcontext *))                                                            \
    X(cuCtxSetCurrent, cuCtxSetCurrent, (CUcontext))                                                              \
    X(cuCtxGetDevice, cuCtxGetDevice, (CUdevice *))                                                               \
    X(cuCtxSynchronize, cuCtxSynchronize, (void))                                                                 \
    X(cuCtxDestroy_v2, cuCtxDestroy, (CUcontext))                                                                 \
    X(cuMemAlloc_v2, cuMemAlloc, (CUdeviceptr *, size_t))                                                         \
    X(cuMemFree_v2, cuMemFree, (CUdeviceptr))                                                                     \
    X(cuMemcpyHtoD_v2, cuMemcpyHtoD, (CUdeviceptr, const void *, size_t))                                         \
    X(cuMemcpyDtoH_v2, cuMemcpyDtoH, (void *, CUdeviceptr, size_t))                                               \
    X(cuPointerGetAttribute, cuPointerGetAttribute, (void *, int, CUdeviceptr))                                   \
    X(cuStreamCreate, cuStreamCreate, (void **, unsigned))                                                        \
    X(cuStreamDestroy_v2, cuStreamDestroy, (void *))                                                              \
    X(cuEventCreate, cuEventCreate, (void **, unsigned))                                                          \
    X(cuEventDestroy_v2, cuEventDestroy, (void *))                                                                \
    X(cuModuleLoadData, cuModuleLoadData, (void **, const void *))                                                \
    X(cuModuleGetFunction, cuModuleGetFunction, (void **, void *, const char *))                                  \
    X(cuModuleUnload, cuModuleUnload, (void *))                                                                   \
    X(cuLaunchKernel, cuLaunchKernel,                                                                             \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **))

struct driver {
#define X(exported, base, parameters) CUresult(*exported) parameters;
    DRIVER_FUNCTIONS(X)
#undef X
    uint64_t (*last_launch)(void);  // the stand-in's; NULL with a real driver
};

// One line on standard output, by one write: a forked child may call it.
#define say(...) dprintf(1, __VA_ARGS__)

// A client that cannot go on says why and ends with 90, which no test takes for an answer.
#define give_up(...) (dprintf(2, "client: " __VA_ARGS__), dprintf(2, "\n"), exit(90))

// Waits for a child and says how it ended.
static inline int say_how_it_ended(pid_t child, const char *who)
{
    int status = 0;
    if (child < 0)
        give_up("%s was not started", who);
    if (waitpid(child, &status, 0) != child)
        give_up("waitpid of %s failed", who);
    if (WIFSIGNALED(status))
        say("%s killed by signal %d\n", who, WTERMSIG(status));
    else
        say("%s exited %d\n", who, WEXITSTATUS(status));
    return status;
}

// Seconds after which something hangs, of which there are more where everything is slower (the test kit says it).
static inline unsigned patience(unsigned seconds)
{
    const char *slower = getenv("FORKGUARD_TEST_SLOWER");
    return slower ? seconds * (unsigned)atoi(slower) : seconds;
}

// A child that hangs must not outlive its test.
static inline void in_child(void) { alarm(patience(30)); }

// Fills the table from an open libcuda by dlsym; gives up when a name is missing.
void load_by_dlsym(struct driver *driver, void *library);

// Runs the scenario of that name; see scenarios.c for what each does. Returns the program's exit status.
int run_scenario(const struct driver *driver, const char *name);

// Names of scenarios that give a child are repeated by several programs, so the two halves stand alone too.
void use_device(const struct driver *driver, const char *who);

#ifdef __cplusplus
}
#endif
#endif
