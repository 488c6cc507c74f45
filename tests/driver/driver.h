// The stand-in driver's inside: what its files share. Nothing here is seen by programs.
#ifndef STAND_IN_DRIVER_H
#define STAND_IN_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef void *CUcontext;
typedef unsigned long long CUdeviceptr;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_DEINITIALIZED = 4,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_UNKNOWN = 999,
};

// What every function asks first: 0 when this very process called cuInit with success, 3 when nobody did
// or when it was an ancestor. Real names have `cu` in front; this one is hidden.
__attribute__((visibility("hidden"))) CUresult stand_in_enter(void);

// What the functions of the private table do for a runtime.
__attribute__((visibility("hidden"))) CUresult stand_in_register(unsigned *token);
__attribute__((visibility("hidden"))) CUresult stand_in_registered(unsigned token);
__attribute__((visibility("hidden"))) CUresult stand_in_primary(CUcontext *context, CUdevice device);

#endif
