// The stand-in for libnvcuvid.so.1: it finds libcuda by itself, as the real one does, and works where that works.
#define _GNU_SOURCE
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static CUresult enter(void)
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
            fprintf(stderr, "stand-in libnvcuvid: its lookup of cuCtxGetCurrent was answered from outside libcuda\n");
            abort();
        }
    }
    CUcontext unused;
    return context(&unused);
}

#define F(name)                                                                                                   \
    __attribute__((weak)) CUresult name(void) { return enter(); }
#include "libnvcuvid.def"
