// The stand-in for libcudart: finds cuGetProcAddress_v2 by dlsym, asks it for every function name of the driver,
// in the plain and in the per-thread-stream form, and checks the driver's private table as the real one does
// (error 103 when it was copied or changed). Built as a library and into a program.
#include "libcudart_like.h"

#include <dlfcn.h>

static struct driver driver;
static int asked, given, started;

struct export_table {
    size_t size;
    const void *self;
    void *functions[6];
    uint64_t sum;
};

static int table_is_the_drivers(void *library, CUresult (*get)(const void **, const unsigned char *))
{
    const unsigned char uuid[16] = {0x6b, 0xd5, 0xfb, 0x6c};
    const struct export_table *table = NULL;
    const void *(*truth)(void) = (const void *(*)(void))dlsym(library, "fake_cuda_export_table");
    if (get((const void **)&table, uuid) != 0 || !table)
        return 0;
    if (!truth)  // a real driver: its table cannot be checked from here
        return 1;
    uint64_t sum = table->size ^ (uintptr_t)table->self;
    Dl_info driver_file, here;
    if (table != truth() || table->self != table || !dladdr(table, &driver_file))
        return 0;
    for (int i = 0; i < 6; i++) {
        sum = sum * 31 + (uintptr_t)table->functions[i];
        if (!dladdr(table->functions[i], &here) || here.dli_fbase != driver_file.dli_fbase)
            return 0;
    }
    return sum == table->sum;
}

int runtime_start(void)
{
    static const char *const names[] = {
#define F(name) #name,
#define D(name)
#include "../driver/libcuda.def"
    };
    if (started)
        return 0;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        return 35;
    CUresult (*get)(const char *, void **, int, uint64_t, int *) = NULL;
    *(void **)&get = dlsym(library, "cuGetProcAddress_v2");
    if (!get)
        return 35;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (uint64_t flags = 0; flags <= 2; flags += 2) {
            void *function = NULL;
            int status = 77;
            if (get(names[i], &function, 12000, flags, &status) != 0)
                return 36;
            if ((status == 0) != (function != NULL) || status == 77)
                return 36;
            asked++;
            given += function != NULL;
        }
#define X(exported, base, parameters)                                                                             \
    if (get(#base, (void **)&driver.exported, 12000, 0, NULL) != 0 || !driver.exported)                           \
        return 36;
    DRIVER_FUNCTIONS(X)
#undef X
    *(void **)&driver.last_launch = dlsym(library, "fake_cuda_last_launch");
    CUresult (*get_table)(const void **, const unsigned char *) = NULL;
    if (get("cuGetExportTable", (void **)&get_table, 3000, 0, NULL) != 0 || !get_table)
        return 36;
    if (!table_is_the_drivers(library, get_table))
        return 103;
    started = 1;
    return 0;
}

// What cudart keeps for ever: its entry with the driver, and the device's own context.
static unsigned token;
static CUcontext *primary;
static const struct export_table *table;

int runtime_count(int *count)
{
    const unsigned char uuid[16] = {0x6b, 0xd5, 0xfb, 0x6c};
    CUresult (*get_table)(const void **, const unsigned char *) = NULL;
    CUresult (*register_here)(unsigned *) = NULL;
    CUresult (*primary_of)(CUcontext *, CUdevice) = NULL;
    int result = runtime_start();
    if (result)
        return result;
    if (!token) {
        void *library = dlopen("libcuda.so.1", RTLD_NOW);
        *(void **)&get_table = library ? dlsym(library, "cuGetExportTable") : NULL;
        if (!get_table || (result = driver.cuInit(0)) != 0 || get_table((const void **)&table, uuid) != 0)
            return result ? result : 36;
        *(void **)&register_here = table->functions[3];
        *(void **)&primary_of = table->functions[5];
        if (!(primary = malloc(sizeof *primary)) || (result = primary_of(primary, 0)) != 0)
            return result ? result : 2;
        if ((result = register_here(&token)) != 0)
            return result;
    }
    return driver.cuDeviceGetCount(count);
}

int runtime_call(void)
{
    CUresult (*registered)(unsigned) = NULL;
    CUcontext context = NULL;
    CUdeviceptr memory;
    int count, result = token ? 0 : runtime_count(&count);
    if (result || (result = driver.cuCtxGetCurrent(&context)) != 0)
        return result;
    // As traced of cudart: it makes its own context current and retains it then, whatever that answers.
    if (!context && ((result = driver.cuCtxSetCurrent(*primary)) != 0 ||
                     (result = driver.cuDevicePrimaryCtxRetain(&context, 0)) != 0))
        return result;
    *(void **)&registered = table->functions[4];
    if ((result = registered(token)) != 0 || (result = driver.cuCtxGetCurrent(&context)) != 0)
        return result;
    if (context != *primary)
        return 709;
    if ((result = driver.cuMemAlloc_v2(&memory, 64)) != 0)
        return result;
    return driver.cuMemFree_v2(memory);
}

const struct driver *runtime_driver(void) { return &driver; }
int runtime_asked(void) { return asked; }
int runtime_given(void) { return given; }
