// The stand-in driver: state, and the functions that do something. It behaves as the real driver was measured to
// behave: a process that inherits its initialised state is answered 3 at once, whatever it calls, by whatever
// system call it came to be. All state lies in .data and .bss, and there is no thread-local storage, so putting
// those bytes back to what they were before cuInit is "never initialised" again. Handles are on the heap.
//
// Environment:
//   FAKE_CUDA_INIT_RESULT  cuInit answers this code and initialises nothing
//   FAKE_CUDA_DEVICES      how many devices there are (1)
//   FAKE_CUDA_MODPROBE     cuInit forks and executes a helper, as the real one does with nvidia-modprobe
//   FAKE_CUDA_THREADS      cuInit starts a thread that waits for ever
//   FAKE_CUDA_SELF_LOOKUP  cuInit looks its own name up with dlsym, as the driver of WSL does
//   FAKE_CUDA_NODES        there are devices, the files of devices.c, which cuInit opens and maps
//   FAKE_CUDA_INIT_WAITS   cuInit writes a byte to the first of these two descriptors ("5,6") and goes on when it
//                          has read one from the second
#define _GNU_SOURCE
#include "driver.h"
#include "checksum.h"
#include "devices.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum { ALLOCATIONS = 256, THREADS = 64, DEVICES = 16, BOOKS = 512 * 1024 };

struct context {
    int alive;
    CUdevice device;
    struct channel *channel;  // NULL where there are no devices
};

static struct {
    int initialised;
    pid_t owner, failed_in;
    volatile int *here;  // 1 in the process that initialised; the kernel clears its page in a forked child
    int devices;
    int primary_uses[DEVICES];
    struct context *primary[DEVICES];
    struct channel *channel;
    struct {
        pid_t tid;
        CUcontext context;
    } current[THREADS];
    void *allocations[ALLOCATIONS];
    uint64_t last_launch;
    unsigned long launches;
    // Runtimes that are told when a context ends: what is there changes, the room does not.
    struct {
        unsigned *tokens;
        size_t room;
        size_t length;
    } runtimes;
    pthread_key_t key;
} state = {.runtimes = {.room = 16}};
// As much as the real one keeps. What is in it tells whether all of it was put back.
static unsigned char books[BOOKS] = {1};

static int forked(void) { return (state.here && !*state.here) || state.owner != getpid(); }

CUresult stand_in_enter(void)
{
    return state.initialised && !forked() ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

#define ENTER()                                                                                                   \
    do {                                                                                                          \
        CUresult entered = stand_in_enter();                                                                      \
        if (entered)                                                                                              \
            return entered;                                                                                       \
    } while (0)

static int asked(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

// ---- starting

CUresult cuInit(unsigned flags);
// A second name of cuInit that no symbol lookup can be led astray by.
static CUresult own_cu_init(unsigned flags) __attribute__((alias("cuInit")));

static void look_itself_up(void)
{
    void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *found = self ? dlsym(self, "cuInit") : NULL;
    if (found != (void *)own_cu_init) {
        fprintf(stderr, "stand-in driver: its own lookup of cuInit gave %p, not its own %p\n", found,
                (void *)own_cu_init);
        abort();
    }
    dlclose(self);
}

static void run_helper(void)
{
    pid_t helper = fork();
    if (helper == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    while (waitpid(helper, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        fprintf(stderr, "stand-in driver: its helper ended with status %d\n", status);
        abort();
    }
}

// A thread that runs nothing of this library, so that a program may unload it.
static void *(*const wait_for_ever)(void *) = (void *(*)(void *))(void (*)(void))pause;

static void wait_for_the_test(const char *ends)
{
    int to = -1, from = -1;
    char byte = 1;
    if (sscanf(ends, "%d,%d", &to, &from) != 2 || write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
        abort();
}

static void start_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) == 0)
        pthread_detach(thread);
}

// What is kept for a thread, and taken down with it. (A driver that refuses everything does not even look.)
static void thread_ends(void *kept)
{
    pid_t owner = *(pid_t *)kept;
    free(kept);
    if (stand_in_enter() == CUDA_SUCCESS && owner != getpid()) {
        fprintf(stderr, "stand-in driver: what another process kept for a thread is taken down here\n");
        abort();
    }
}

static void keep_for_thread(void)
{
    pid_t *owner = malloc(sizeof *owner);
    if (owner) {
        *owner = getpid();
        pthread_setspecific(state.key, owner);
    }
}

// What was kept in the books is there, or nothing is.
static void check_books(unsigned char last)
{
    if (books[0] == 1 && books[BOOKS - 1] == last)
        return;
    fprintf(stderr, "stand-in driver: its data is neither what it was nor what it is\n");
    abort();
}

static CUresult start(void)
{
    if (state.initialised)
        return forked() ? CUDA_ERROR_NOT_INITIALIZED : CUDA_SUCCESS;
    check_books(0);
    if (asked("FAKE_CUDA_SELF_LOOKUP"))
        look_itself_up();
    if (asked("FAKE_CUDA_MODPROBE"))
        run_helper();
    if (state.failed_in && state.failed_in != getpid() && asked("FAKE_CUDA_NODES")) {
        fprintf(stderr, "stand-in driver: what another process's failed cuInit left is still there\n");
        abort();
    }
    if (asked("FAKE_CUDA_INIT_RESULT")) {
        state.failed_in = getpid();
        return atoi(getenv("FAKE_CUDA_INIT_RESULT"));
    }
    const char *devices = getenv("FAKE_CUDA_DEVICES");
    state.devices = devices ? atoi(devices) : 1;
    if (state.devices > DEVICES)
        state.devices = DEVICES;
    if (state.devices <= 0)
        return CUDA_ERROR_NO_DEVICE;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *(int *)page = 1;
    if (madvise(page, 4096, MADV_WIPEONFORK) == 0)
        state.here = page;
    else
        munmap(page, 4096);  // a kernel without it: the pid alone must tell
    state.owner = getpid();
    if (pthread_key_create(&state.key, thread_ends) != 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    // A device's own context is an object before anybody retains it.
    for (int i = 0; i < state.devices; i++)
        if (!(state.primary[i] = calloc(1, sizeof *state.primary[i])))
            return CUDA_ERROR_OUT_OF_MEMORY;
    if (asked("FAKE_CUDA_NODES"))
        devices_open();
    if (asked("FAKE_CUDA_NODES") || asked("FAKE_CUDA_THREADS"))
        start_thread();
    memset(books + 1, 0x5a, BOOKS - 1);
    if (asked("FAKE_CUDA_INIT_WAITS"))
        wait_for_the_test(getenv("FAKE_CUDA_INIT_WAITS"));
    state.initialised = 1;
    return CUDA_SUCCESS;
}

// Of threads that come at once one starts it, and the others wait for that.
static struct {
    pthread_mutex_t one;
    pid_t here;
} starting = {.one = PTHREAD_MUTEX_INITIALIZER};

CUresult cuInit(unsigned flags)
{
    if (state.initialised)
        return forked() ? CUDA_ERROR_NOT_INITIALIZED : CUDA_SUCCESS;
    if (flags)
        return CUDA_ERROR_INVALID_VALUE;
    if (starting.here && starting.here != getpid())  // the parent's thread that was at it is not here
        pthread_mutex_init(&starting.one, NULL);
    pthread_mutex_lock(&starting.one);
    starting.here = getpid();
    CUresult result = start();
    starting.here = 0;
    pthread_mutex_unlock(&starting.one);
    return result;
}

// The end of the process that initialised: whoever wrote into its channel meanwhile is found out.
__attribute__((destructor)) static void end(void)
{
    if (stand_in_enter() == CUDA_SUCCESS) {
        check_books(0x5a);
        devices_check(state.channel);
    }
}

CUresult cuDriverGetVersion(int *version)
{
    if (!version)
        return CUDA_ERROR_INVALID_VALUE;
    *version = 13000;
    return CUDA_SUCCESS;
}

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
};

static CUresult describe(CUresult code, const char **out, int text)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *out = text ? errors[i].text : errors[i].name;
            return CUDA_SUCCESS;
        }
    *out = NULL;
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult code, const char **out) { return describe(code, out, 0); }
CUresult cuGetErrorString(CUresult code, const char **out) { return describe(code, out, 1); }

// ---- devices

CUresult cuDeviceGetCount(int *count)
{
    ENTER();
    if (!count)
        return CUDA_ERROR_INVALID_VALUE;
    *count = state.devices;
    return CUDA_SUCCESS;
}

#define CHECK_DEVICE(device)                                                                                      \
    do {                                                                                                          \
        ENTER();                                                                                                  \
        if ((device) < 0 || (device) >= state.devices)                                                            \
            return CUDA_ERROR_INVALID_DEVICE;                                                                     \
    } while (0)

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    CHECK_DEVICE(ordinal);
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    CHECK_DEVICE(device);
    if (length <= 0)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(name, (size_t)length, "Stand-in GPU");
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    CHECK_DEVICE(device);
    enum { MAX_THREADS = 1, WARP = 10, PROCESSORS = 16, UNIFIED = 41, MAJOR = 75, MINOR = 76 };
    *value = attribute == MAX_THREADS  ? 1024
             : attribute == WARP       ? 32
             : attribute == PROCESSORS ? 132
             : attribute == UNIFIED    ? 1
             : attribute == MAJOR      ? 9
                                       : 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    CHECK_DEVICE(device);
    *bytes = (size_t)1 << 34;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(unsigned char uuid[16], CUdevice device)
{
    CHECK_DEVICE(device);
    memset(uuid, 0x40 + device, 16);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(unsigned char uuid[16], CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

// ---- contexts

static CUcontext *current_slot(void)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    for (int i = 0; i < THREADS; i++) {
        pid_t empty = 0;
        if (__atomic_load_n(&state.current[i].tid, __ATOMIC_ACQUIRE) == tid)
            return &state.current[i].context;
        if (__atomic_compare_exchange_n(&state.current[i].tid, &empty, tid, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            keep_for_thread();
            return &state.current[i].context;
        }
        if (empty == tid)
            return &state.current[i].context;
    }
    fprintf(stderr, "stand-in driver: more than %d threads\n", THREADS);
    abort();
}

static void begin_context(struct context *context, CUdevice device)
{
    context->alive = 1;
    context->device = device;
    if (asked("FAKE_CUDA_NODES") && !state.channel) {
        state.channel = devices_open_channel();
        start_thread();
    }
    context->channel = state.channel;
}

static struct context *new_context(CUdevice device)
{
    struct context *context = calloc(1, sizeof *context);
    if (context)
        begin_context(context, device);
    return context;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    CHECK_DEVICE(device);
    *flags = 0;
    *active = state.primary_uses[device] > 0;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    CHECK_DEVICE(device);
    state.primary_uses[device]++;
    begin_context(state.primary[device], device);
    *context = state.primary[device];
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    CHECK_DEVICE(device);
    if (state.primary_uses[device] == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (--state.primary_uses[device] == 0)
        state.primary[device]->alive = 0;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) { return cuDevicePrimaryCtxRelease_v2(device); }

CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device)
{
    (void)flags;
    CHECK_DEVICE(device);
    struct context *made = new_context(device);
    if (!made)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *current_slot() = *context = made;
    return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v3(CUcontext *context, void *affinity, int count, unsigned flags, CUdevice device)
{
    (void)affinity, (void)count;
    return cuCtxCreate_v2(context, flags, device);
}

CUresult cuCtxCreate_v4(CUcontext *context, void *params, unsigned flags, CUdevice device)
{
    (void)params;
    return cuCtxCreate_v2(context, flags, device);
}

CUresult cuCtxDestroy_v2(CUcontext context)
{
    if (!context)  // the real one looks at the handle before anything else
        return CUDA_ERROR_INVALID_VALUE;
    ENTER();
    struct context *ended = context;
    devices_touch(ended->channel);
    ended->alive = 0;
    if (*current_slot() == context)
        *current_slot() = NULL;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context)
{
    ENTER();
    *context = *current_slot();
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    ENTER();
    *current_slot() = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) { return cuCtxSetCurrent(context); }

CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    ENTER();
    if (context)
        *context = *current_slot();
    *current_slot() = NULL;
    return CUDA_SUCCESS;
}

#define CHECK_CONTEXT()                                                                                           \
    do {                                                                                                          \
        ENTER();                                                                                                  \
        if (!*current_slot())                                                                                     \
            return CUDA_ERROR_INVALID_CONTEXT;                                                                    \
        if (!((struct context *)*current_slot())->alive)                                                          \
            return CUDA_ERROR_CONTEXT_IS_DESTROYED;                                                               \
    } while (0)

CUresult cuCtxGetDevice(CUdevice *device)
{
    CHECK_CONTEXT();
    *device = ((struct context *)*current_slot())->device;
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(void)
{
    CHECK_CONTEXT();
    devices_check(((struct context *)*current_slot())->channel);
    return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version)
{
    (void)context;
    ENTER();
    *version = 13000;
    return CUDA_SUCCESS;
}

// ---- memory: the host's own

static CUresult allocate(void **out, size_t bytes)
{
    CHECK_CONTEXT();
    if (!out || !bytes)
        return CUDA_ERROR_INVALID_VALUE;
    void *block = calloc(1, bytes);
    for (int i = 0; block && i < ALLOCATIONS; i++)
        if (__sync_bool_compare_and_swap(&state.allocations[i], NULL, block)) {
            *out = block;
            return CUDA_SUCCESS;
        }
    free(block);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult release(void *block)
{
    ENTER();
    for (int i = 0; block && i < ALLOCATIONS; i++)
        if (__sync_bool_compare_and_swap(&state.allocations[i], block, NULL)) {
            free(block);
            return CUDA_SUCCESS;
        }
    return block ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
    void *block = NULL;
    CUresult result = allocate(&block, bytes);
    if (result == CUDA_SUCCESS)
        *out = (uintptr_t)block;
    return result;
}

CUresult cuMemFree_v2(CUdeviceptr block) { return release((void *)(uintptr_t)block); }
CUresult cuMemAllocHost_v2(void **out, size_t bytes) { return allocate(out, bytes); }
CUresult cuMemFreeHost(void *block) { return release(block); }

CUresult cuMemHostAlloc(void **out, size_t bytes, unsigned flags)
{
    (void)flags;
    return allocate(out, bytes);
}

CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    CHECK_CONTEXT();
    *free_bytes = (size_t)1 << 33;
    *total = (size_t)1 << 34;
    return CUDA_SUCCESS;
}

static CUresult copy(void *to, const void *from, size_t bytes)
{
    CHECK_CONTEXT();
    memcpy(to, from, bytes);
    return CUDA_SUCCESS;
}

#define HOST(pointer) ((void *)(uintptr_t)(pointer))

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) { return copy(HOST(to), from, bytes); }
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) { return copy(to, HOST(from), bytes); }
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy(HOST(to), HOST(from), bytes); }
CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy(HOST(to), HOST(from), bytes); }

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, void *stream)
{
    (void)stream;
    return copy(HOST(to), from, bytes);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, void *stream)
{
    (void)stream;
    return copy(to, HOST(from), bytes);
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count)
{
    CHECK_CONTEXT();
    memset(HOST(to), value, count);
    return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void *out, int attribute, CUdeviceptr pointer)
{
    ENTER();
    enum { MEMORY_TYPE = 2, TYPE_DEVICE = 2 };
    for (int i = 0; i < ALLOCATIONS; i++)
        if (state.allocations[i] && state.allocations[i] == HOST(pointer)) {
            *(unsigned *)out = attribute == MEMORY_TYPE ? TYPE_DEVICE : 0;
            return CUDA_SUCCESS;
        }
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuIpcGetMemHandle(void *handle, CUdeviceptr pointer)
{
    if (!pointer)  // the real one looks at the pointer before anything else
        return CUDA_ERROR_INVALID_VALUE;
    ENTER();
    memset(handle, 0, 64);
    return CUDA_SUCCESS;
}

// ---- streams, events, modules: a handle is a small allocation

static CUresult make(void **handle) { return allocate(handle, 64); }

CUresult cuStreamCreate(void **stream, unsigned flags)
{
    (void)flags;
    return make(stream);
}

CUresult cuStreamCreateWithPriority(void **stream, unsigned flags, int priority)
{
    (void)flags, (void)priority;
    return make(stream);
}

CUresult cuStreamDestroy_v2(void *stream) { return release(stream); }

CUresult cuEventCreate(void **event, unsigned flags)
{
    (void)flags;
    return make(event);
}

CUresult cuEventDestroy_v2(void *event) { return release(event); }

CUresult cuEventElapsedTime(float *milliseconds, void *start, void *end)
{
    (void)start, (void)end;
    ENTER();
    *milliseconds = 0.5f;
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(void **module, const void *image)
{
    if (!image)
        return CUDA_ERROR_INVALID_VALUE;
    return make(module);
}

CUresult cuModuleLoad(void **module, const char *path)
{
    if (!path)
        return CUDA_ERROR_INVALID_VALUE;
    return make(module);
}

CUresult cuModuleUnload(void *module) { return release(module); }

static char add_one, other_kernel;

CUresult cuModuleGetFunction(void **function, void *module, const char *name)
{
    (void)module;
    ENTER();
    *function = strcmp(name, "addone") == 0 ? &add_one : &other_kernel;
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, void *stream, void **params, void **extra)
{
    CHECK_CONTEXT();
    state.last_launch = launch_checksum(function, gx, gy, gz, bx, by, bz, shared, stream, params, extra);
    state.launches++;
    devices_submit(((struct context *)*current_slot())->channel);
    if (function == &add_one && params) {  // one int a thread, as the kernel of that name does on a GPU
        int *numbers = *(int **)params[0];
        for (unsigned i = 0; i < gx * bx; i++)
            numbers[i]++;
    }
    return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(void *stream, void (*function)(void *), void *data)
{
    (void)stream;
    CHECK_CONTEXT();
    function(data);
    return CUDA_SUCCESS;
}

// ---- for the tests alone: no driver has these

// Named outside the driver's pattern, so that nobody gates them.
uint64_t fake_cuda_last_launch(void) { return state.last_launch; }
unsigned long fake_cuda_launches(void) { return state.launches; }
// What a runtime gets by the driver's private table: an entry in the list of runtimes, whether it is there (709 is what
// the runtime then answers for everything), and a device's own context, whether it is retained or not.
CUresult stand_in_register(unsigned *token)
{
    ENTER();
    if (!state.runtimes.tokens && !(state.runtimes.tokens = calloc(state.runtimes.room, sizeof *token)))
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (state.runtimes.length == state.runtimes.room)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *token = 77 + (unsigned)state.runtimes.length;
    state.runtimes.tokens[state.runtimes.length++] = *token;
    return CUDA_SUCCESS;
}

CUresult stand_in_registered(unsigned token)
{
    ENTER();
    for (size_t i = 0; i < state.runtimes.length; i++)
        if (state.runtimes.tokens[i] == token)
            return CUDA_SUCCESS;
    return CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

CUresult stand_in_primary(CUcontext *context, CUdevice device)
{
    CHECK_DEVICE(device);
    *context = state.primary[device];
    return CUDA_SUCCESS;
}

int fake_cuda_initialised_here(void) { return stand_in_enter() == CUDA_SUCCESS; }

// Named inside the pattern, so that the gate takes them. Floating-point registers, mixed with the others.
int cuForkguardTestFloat(double a, float b, int c) { return (int)(a * 16 + (double)b * 4) + c; }

// Every register that can carry an argument, and some of the stack.
double cuForkguardTestAll(long a, long b, long c, long d, long e, long f, double g, double h, double i, double j,
                          double k, double l, double m, double n, long o, double p)
{
    return (double)(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f) + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l +
           13 * m + 14 * n + 15 * (double)o + 16 * p;
}

// A variadic function is told in a register how many floating-point registers are in use.
double cuForkguardTestVariadic(int count, ...)
{
    __builtin_va_list list;
    double sum = 0;
    __builtin_va_start(list, count);
    for (int i = 0; i < count; i++)
        sum += __builtin_va_arg(list, double) * (i + 1);
    __builtin_va_end(list);
    return sum;
}

// What the callback throws goes through this frame.
int cuForkguardTestCallback(void (*function)(void *), void *data)
{
    function(data);
    return 0;
}
