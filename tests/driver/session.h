// What the driver's other libraries have in common: each finds libcuda by itself and keeps a session with it, in its
// data and for each thread, which is of no use in another process.
#ifndef STAND_IN_SESSION_H
#define STAND_IN_SESSION_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static CUresult driver_is_here(void)
{
    static CUresult (*context)(CUcontext *);
    if (!context) {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW);
        if (!driver)
            return CUDA_ERROR_NOT_FOUND;
        *(void **)&context = dlsym(driver, "cuCtxGetCurrent");
        Dl_info where;
        // What the driver's own libraries look up must be the driver's, not anybody's stand-in for it.
        if (!dladdr((void *)context, &where) || where.dli_fbase != *(void **)driver) {
            fprintf(stderr, "stand-in driver: a lookup of cuCtxGetCurrent was answered from outside libcuda\n");
            abort();
        }
    }
    CUcontext unused;
    return context(&unused);
}

static struct {
    pid_t owner;
} session;
static __thread struct {
    int version;
    pid_t owner;
} thread_session = {7, 0};

static CUresult enter(void)
{
    CUresult here = driver_is_here();
    if (here != CUDA_SUCCESS)
        return here;
    if (!session.owner)
        session.owner = getpid();
    if (!thread_session.owner)
        thread_session.owner = getpid();
    int own = session.owner == getpid() && thread_session.owner == getpid() && thread_session.version == 7;
    return own ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

#endif
