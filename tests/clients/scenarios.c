// What a program does with the driver once it has found its functions. Every road to the driver is taken through
// the same scenarios; each says on standard output what it saw, and the tests compare that with what is right.
//
//   use             one process: memory, a kernel, a launch whose eleven arguments are checked
//   init            cuInit and nothing else
//   child-use       initialise, fork, the child counts devices; the parent then works on
//   child-init      the same, but the child calls cuInit
//   child-alloc     the same, but the child's first call is cuMemAlloc_v2
//   child-fallback  the same: the child asks three times, as a program does that tries again
//   child-clean     initialise, fork, the child uses no CUDA
//   child-harmless  initialise, fork, the child asks for the version, an error's name, a pointer's attribute
//   child-teardown  initialise, make objects, fork, the child destroys them
//   child-exit      the same, but the child calls exit and its exit handlers and destructors do it
//   child-exit-use  the same handlers, which synchronise as well
//   late            fork before anybody initialised; the child uses CUDA, then the parent does
//   late-loaded     the same, with the driver's functions called (and refused) before the fork
//   failed-init     cuInit fails, fork, the child's cuInit succeeds
//   workers         initialise, fork four children one after the other, each counts devices
//   grandchild      initialise, fork, the child forks, the grandchild counts devices
//   child-of-late   fork, the child initialises, forks again, the grandchild counts devices
#include "client.h"
#include "../driver/checksum.h"

#include <dlfcn.h>

void load_by_dlsym(struct driver *driver, void *library)
{
#define X(exported, base, parameters)                                                                             \
    *(void **)&driver->exported = dlsym(library, #exported);                                                      \
    if (!driver->exported)                                                                                        \
        give_up("no " #exported ": %s", dlerror());
    DRIVER_FUNCTIONS(X)
#undef X
    *(void **)&driver->last_launch = dlsym(library, "fake_cuda_last_launch");
}

static void must(CUresult result, const char *what)
{
    if (result != 0)
        give_up("%s answered %d", what, result);
}

// A copy: exit handlers and destructors come here when the program's own table is long gone.
static struct driver table;
static const struct driver *const cuda = &table;
static CUcontext context;
static CUdeviceptr memory;
static void *stream, *event, *module, *kernel;

static void make_objects(void)
{
    static const char image[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
                                ".visible .entry addone(.param .u64 p){.reg .u64 a,b;.reg .u32 t,v;"
                                "ld.param.u64 a,[p];mov.u32 t,%tid.x;mul.wide.u32 b,t,4;add.u64 a,a,b;"
                                "ld.global.u32 v,[a];add.u32 v,v,1;st.global.u32 [a],v;ret;}";
    CUdevice device;
    must(cuda->cuDeviceGet(&device, 0), "cuDeviceGet");
    must(cuda->cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    must(cuda->cuCtxSetCurrent(context), "cuCtxSetCurrent");
    must(cuda->cuMemAlloc_v2(&memory, 1024), "cuMemAlloc_v2");
    must(cuda->cuStreamCreate(&stream, 0), "cuStreamCreate");
    must(cuda->cuEventCreate(&event, 0), "cuEventCreate");
    must(cuda->cuModuleLoadData(&module, image), "cuModuleLoadData");
    must(cuda->cuModuleGetFunction(&kernel, module, "addone"), "cuModuleGetFunction");
}

static void destroy_objects(const char *who)
{
    const CUresult results[] = {
        cuda->cuModuleUnload(module),  cuda->cuEventDestroy_v2(event),
        cuda->cuStreamDestroy_v2(stream), cuda->cuMemFree_v2(memory),
        cuda->cuDevicePrimaryCtxRelease_v2(0),
    };
    say("%s destroyed", who);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        say(" %d", results[i]);
    say("\n");
}

void use_device(const struct driver *driver, const char *who)
{
    int numbers[256], version = 0, count = 0;
    const char *error = NULL;
    char name[64] = "";
    table = *driver;
    must(driver->cuInit(0), "cuInit");
    must(driver->cuDriverGetVersion(&version), "cuDriverGetVersion");
    must(driver->cuGetErrorName(3, &error), "cuGetErrorName");
    must(driver->cuDeviceGetCount(&count), "cuDeviceGetCount");
    must(driver->cuDeviceGetName(name, sizeof name, 0), "cuDeviceGetName");
    if (version < 11000 || count < 1 || !name[0] || strcmp(error, "CUDA_ERROR_NOT_INITIALIZED") != 0)
        give_up("the driver's answers make no sense: version %d, %d devices, \"%s\", %s", version, count, name, error);
    make_objects();
    for (int i = 0; i < 256; i++)
        numbers[i] = 7 * i;
    must(driver->cuMemcpyHtoD_v2(memory, numbers, sizeof numbers), "cuMemcpyHtoD_v2");
    void *parameters[] = {&memory};
    // Every argument differs from the others, where the device lets it: those of the stand-in all do.
    const unsigned dynamic = driver->last_launch ? 77 : 0;
    must(driver->cuLaunchKernel(kernel, 1, 1, 1, 256, 1, 1, dynamic, stream, parameters, NULL), "cuLaunchKernel");
    must(driver->cuCtxSynchronize(), "cuCtxSynchronize");
    must(driver->cuMemcpyDtoH_v2(numbers, memory, sizeof numbers), "cuMemcpyDtoH_v2");
    for (int i = 0; i < 256; i++)
        if (numbers[i] != 7 * i + 1)
            give_up("the kernel did not do its work: number %d is %d", i, numbers[i]);
    if (driver->last_launch) {
        void *extra[] = {(void *)1, (void *)2, NULL};
        void *function = (void *)0x1122334455667788;
        must(driver->cuLaunchKernel(function, 11, 12, 13, 14, 15, 16, 17, stream, parameters, extra),
             "cuLaunchKernel");
        if (driver->last_launch() != launch_checksum(function, 11, 12, 13, 14, 15, 16, 17, stream, parameters, extra))
            give_up("the launch's eleven arguments did not arrive");
    }
    destroy_objects(who);
    say("%s used the device\n", who);
}

static void count_devices(const char *who)
{
    int count = -1;
    CUresult result = cuda->cuDeviceGetCount(&count);
    say("%s count %d\n", who, result);
}

static pid_t forked_child(void)
{
    pid_t child = fork();
    if (child < 0)
        give_up("fork failed");
    if (child == 0)
        in_child();
    return child;
}

static void destroy_at_exit(void) { destroy_objects("exit handler"); }

static int with_synchronise;

__attribute__((destructor)) static void destroy_in_destructor(void)
{
    if (!with_synchronise)
        return;
    say("destructor synchronised %d\n", cuda->cuCtxSynchronize());
}

#define IS(other) (strcmp(name, other) == 0)

int run_scenario(const struct driver *driver, const char *name)
{
    table = *driver;
    pid_t child;

    if (IS("use")) {
        use_device(driver, "parent");
        return 0;
    }
    if (IS("late") || IS("late-loaded")) {
        if (IS("late-loaded"))
            count_devices("early");
        child = forked_child();
        if (child == 0) {
            use_device(driver, "child");
            _exit(0);
        }
        say_how_it_ended(child, "child");
        use_device(driver, "parent");
        return 0;
    }
    if (IS("failed-init")) {
        setenv("FAKE_CUDA_INIT_RESULT", "100", 1);
        say("parent init %d\n", driver->cuInit(0));
        child = forked_child();
        if (child == 0) {
            unsetenv("FAKE_CUDA_INIT_RESULT");
            use_device(driver, "child");
            _exit(0);
        }
        say_how_it_ended(child, "child");
        return 0;
    }
    if (IS("child-of-late")) {
        child = forked_child();
        if (child == 0) {
            must(driver->cuInit(0), "cuInit");
            pid_t grandchild = forked_child();
            if (grandchild == 0) {
                count_devices("grandchild");
                _exit(3);
            }
            say_how_it_ended(grandchild, "grandchild");
            count_devices("child");
            _exit(0);
        }
        say_how_it_ended(child, "child");
        return 0;
    }

    must(driver->cuInit(0), "cuInit");
    if (IS("init"))
        return 0;
    if (IS("workers")) {
        for (int i = 0; i < 4; i++) {
            child = forked_child();
            if (child == 0) {
                count_devices("child");
                _exit(3);
            }
            say_how_it_ended(child, "child");
        }
        count_devices("parent");
        return 0;
    }
    if (IS("grandchild")) {
        child = forked_child();
        if (child == 0) {
            pid_t grandchild = forked_child();
            if (grandchild == 0) {
                count_devices("grandchild");
                _exit(3);
            }
            say_how_it_ended(grandchild, "grandchild");
            _exit(0);
        }
        say_how_it_ended(child, "child");
        return 0;
    }
    make_objects();
    if (IS("child-exit") || IS("child-exit-use")) {
        atexit(destroy_at_exit);
        with_synchronise = IS("child-exit-use");
    }
    child = forked_child();
    if (child == 0) {
        if (IS("child-use")) {
            count_devices("child");
            _exit(3);
        } else if (IS("child-init")) {
            say("child init %d\n", driver->cuInit(0));
            _exit(3);
        } else if (IS("child-alloc")) {
            CUdeviceptr block = 0;
            say("child alloc %d\n", driver->cuMemAlloc_v2(&block, 64));
            _exit(3);
        } else if (IS("child-fallback")) {
            for (int i = 0; i < 3; i++)
                count_devices("child");
            say("child init %d\n", driver->cuInit(0));
            _exit(3);
        } else if (IS("child-clean")) {
            _exit(7);
        } else if (IS("child-harmless")) {
            int version = 0;
            unsigned type = 0;
            const char *error = NULL, *text = NULL;
            CUresult asked = driver->cuDriverGetVersion(&version);
            say("child version %d %d\n", asked, version);
            asked = driver->cuGetErrorName(3, &error);
            say("child error %d %s\n", asked, error);
            asked = driver->cuGetErrorString(3, &text);
            say("child text %d %s\n", asked, text);
            say("child pointer %d\n", driver->cuPointerGetAttribute(&type, 2, memory));
            _exit(7);
        } else if (IS("child-teardown")) {
            destroy_objects("child");
            _exit(7);
        } else if (IS("child-exit") || IS("child-exit-use")) {
            exit(5);
        }
        give_up("no scenario is called %s", name);
    }
    say_how_it_ended(child, "child");
    count_devices("parent");
    return 0;
}
