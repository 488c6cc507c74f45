// The loops of native_calls.py: what a program in C asks of the driver, and nothing between two calls.
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

// A device works through this many launches while no more can be queued behind them.
enum { LAUNCHES = 500 };

typedef int launch_kernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                          void **);

// In memory, where scripts/gpu/bench/stubs.c finds them, and read anew for each call.
static int (*volatile device_count)(int *);
static launch_kernel *volatile launch;
static int (*synchronise)(void);
static void *kernel;

static void *driver(const char *name)
{
    static void *cuda;
    if (!cuda)
        cuda = dlopen("libcuda.so.1", RTLD_NOW);
    return cuda ? dlsym(cuda, name) : NULL;
}

// What failed, or NULL.
const char *ready_to_call(void)
{
    int devices;
    int (*init)(unsigned) = (int (*)(unsigned))(uintptr_t)driver("cuInit");
    device_count = (int (*)(int *))(uintptr_t)driver("cuDeviceGetCount");
    if (!init || init(0) != 0)
        return "cuInit";
    return !device_count || device_count(&devices) != 0 ? "cuDeviceGetCount" : NULL;
}

// The same; after ready_to_call.
const char *ready_to_launch(void)
{
    static const char image[] = ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry nothing() { ret; }\n";
    int (*get)(int *, int) = (int (*)(int *, int))(uintptr_t)driver("cuDeviceGet");
    int (*retain)(void **, int) = (int (*)(void **, int))(uintptr_t)driver("cuDevicePrimaryCtxRetain");
    int (*current)(void *) = (int (*)(void *))(uintptr_t)driver("cuCtxSetCurrent");
    int (*load)(void **, const void *) = (int (*)(void **, const void *))(uintptr_t)driver("cuModuleLoadData");
    int (*find)(void **, void *, const char *) =
        (int (*)(void **, void *, const char *))(uintptr_t)driver("cuModuleGetFunction");
    int device;
    void *context, *module;
    launch = (launch_kernel *)(uintptr_t)driver("cuLaunchKernel");
    synchronise = (int (*)(void))(uintptr_t)driver("cuCtxSynchronize");
    if (!get || !retain || !current || !load || !find || !launch || !synchronise)
        return "a lookup";
    if (get(&device, 0) != 0 || retain(&context, device) != 0 || current(context) != 0)
        return "making a context";
    return load(&module, image) != 0 || find(&kernel, module, "nothing") != 0 ? "loading a kernel" : NULL;
}

int call(long count)
{
    int devices, failed = 0;
    for (long i = 0; i < count; i++)
        failed |= device_count(&devices);
    return failed;
}

int launch_often(long count)
{
    int failed = 0;
    for (long i = 1; i <= count; i++) {
        failed |= launch(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
        if (i % LAUNCHES == 0 || i == count)
            failed |= synchronise();
    }
    return failed;
}
