// Proves what a forked process has that uses CUDA under the policy revive: a driver that works as in any process,
// and a parent that goes on as if nothing had happened. `revive SCENARIO`, on a machine with the stand-in's devices;
// every scenario ends with the parent's own work, and the driver itself ends a parent whose channel another process
// has written into.
//
//   work           the parent asks for devices, forks; the child's first call is a query, and it works
//   init           the same, the child's first call is cuInit, and it asks a second time
//   retried        the parent's first cuInit fails, its second does not
//   silent         the child uses no CUDA
//   one-by-one     200 children, one after the other
//   at-once        16 children at once
//   deep           children of children of children
//   threads        the child's threads come at once
//   from-thread    a thread forks
//   thread-ends    the same, and in the child that thread ends before the process does
//   other-works    the same, but in the child another thread is the one that uses CUDA
//   clone          the child is made by the bare system call
//   clone-files    the same, sharing its descriptors with the parent
//   handler        the child's first call comes from a handler that runs inside fork
//   failing        cuInit fails in the child
//   killed         the child is killed while it is in its cuInit
//   meanwhile      the fork is made while another thread is in the parent's cuInit
//   context        the parent works, and has a context; so does the child
//   exit           as context, and the child's exit handlers and destructors take down what is the parent's, and its own
//   misuse         as context, but the child uses the parent's context
//   object         the parent has created something without a context; the child works
//   large          as context, in a process with 2000 mappings; five children, one after the other
//   others         decoder, encoder and optical flow are used in the parent, then in the child
//   moved          libcuda is unloaded in the parent and loaded elsewhere
//   moved-decoder  the decoder is
//   protected      libcuda's data is made read-only in the child
//   unused         the decoder is loaded in the parent and not used there
//   descriptors    descriptors of the devices that are not libcuda's: which stay open in the child
//   nvml           the same with NVML's library loaded
//   runtime        the runtime API is started in the child, which forks again
#include "client.h"
#include "devices.h"
#include "init_waits.h"
#include "libcudart_like.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static struct driver cuda;
static void *library;

static void must(CUresult result, const char *what)
{
    if (result != 0)
        give_up("%s answered %d", what, result);
}

static void open_driver(void)
{
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&cuda, library);
}

struct objects {
    CUcontext context;
    CUdeviceptr memory;
    void *stream, *module, *kernel;
};

static void make(struct objects *made)
{
    must(cuda.cuDevicePrimaryCtxRetain(&made->context, 0), "cuDevicePrimaryCtxRetain");
    must(cuda.cuCtxSetCurrent(made->context), "cuCtxSetCurrent");
    must(cuda.cuMemAlloc_v2(&made->memory, 1024), "cuMemAlloc_v2");
    must(cuda.cuStreamCreate(&made->stream, 0), "cuStreamCreate");
    must(cuda.cuModuleLoadData(&made->module, "image"), "cuModuleLoadData");
    must(cuda.cuModuleGetFunction(&made->kernel, made->module, "addone"), "cuModuleGetFunction");
}

static CUresult launch(struct objects *made)
{
    void *parameters[] = {&made->memory};
    return cuda.cuLaunchKernel(made->kernel, 1, 1, 1, 256, 1, 1, 0, made->stream, parameters, NULL);
}

// Numbers through the device and back.
static void use(struct objects *made)
{
    int numbers[256];
    for (int i = 0; i < 256; i++)
        numbers[i] = 3 * i;
    must(cuda.cuMemcpyHtoD_v2(made->memory, numbers, sizeof numbers), "cuMemcpyHtoD_v2");
    must(launch(made), "cuLaunchKernel");
    must(cuda.cuCtxSynchronize(), "cuCtxSynchronize");
    must(cuda.cuMemcpyDtoH_v2(numbers, made->memory, sizeof numbers), "cuMemcpyDtoH_v2");
    for (int i = 0; i < 256; i++)
        if (numbers[i] != 3 * i + 1)
            give_up("the kernel did not do its work: number %d is %d", i, numbers[i]);
}

static void take_down(struct objects *made)
{
    must(cuda.cuModuleUnload(made->module), "cuModuleUnload");
    must(cuda.cuStreamDestroy_v2(made->stream), "cuStreamDestroy_v2");
    must(cuda.cuMemFree_v2(made->memory), "cuMemFree_v2");
    must(cuda.cuDevicePrimaryCtxRelease_v2(0), "cuDevicePrimaryCtxRelease_v2");
}

static void work(const char *who)
{
    struct objects made;
    int count = 0;
    must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
    make(&made);
    use(&made);
    take_down(&made);
    if (who)
        say("%s worked\n", who);
}

static pid_t forked(void)
{
    pid_t child = fork();
    if (child < 0)
        give_up("fork: %s", strerror(errno));
    if (child == 0)
        in_child();
    return child;
}

static pid_t working_child(void)
{
    pid_t child = forked();
    if (child == 0) {
        work(NULL);
        exit(7);
    }
    return child;
}

static void expect_seven(pid_t child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
        give_up("a child ended with status %#x", status);
}

static void *counts_devices(void *start)
{
    int count = -1;
    pthread_barrier_wait(start);
    return (void *)(intptr_t)(cuda.cuDeviceGetCount(&count) * 100 + count);
}

// All threads' first call comes at one moment.
static void many_threads(void)
{
    enum { COUNT = 8 };
    pthread_t threads[COUNT];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, counts_devices, &start) != 0)
            give_up("no thread");
    for (int i = 0; i < COUNT; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        say("thread %d\n", (int)(intptr_t)answer);
    }
}

static void *forks_and_waits(void *unused)
{
    expect_seven(working_child());
    say("thread's child worked\n");
    return unused;
}

static void *exits_after(void *thread)
{
    pthread_join(*(pthread_t *)thread, NULL);
    exit(7);
}

static void *thread(void *(*function)(void *))
{
    pthread_t id;
    void *answer;
    if (pthread_create(&id, NULL, function, NULL) != 0 || pthread_join(id, &answer) != 0)
        give_up("no thread");
    return answer;
}

static void *works(void *unused)
{
    work("child");
    return unused;
}

static int elsewhere;

static void *forks_and_ends(void *unused)
{
    static pthread_t forking, other;
    CUcontext none;
    must(cuda.cuCtxGetCurrent(&none), "cuCtxGetCurrent");
    pid_t child = forked();
    if (child == 0) {
        if (elsewhere)
            thread(works);
        else
            work("child");
        forking = pthread_self();
        if (pthread_create(&other, NULL, exits_after, &forking) != 0)
            give_up("no thread");
    } else {
        say_how_it_ended(child, "child");
    }
    return unused;
}

static void deep(int level)
{
    pid_t child = forked();
    if (child == 0) {
        int count;
        must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
        if (level > 1)
            deep(level - 1);
        work(NULL);
        exit(7);
    }
    expect_seven(child);
    say("level %d worked\n", level);
}

static void bare_clone(unsigned long flags)
{
    pid_t child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        in_child();
        work(NULL);
        _exit(7);
    }
    expect_seven(child);
    say("clone worked, parent has its %d descriptors\n", descriptors_of_devices());
}

static int handler_count;

static void counts_in_fork(void)
{
    must(cuda.cuDeviceGetCount(&handler_count), "cuDeviceGetCount in a handler");
}

static void *initialises(void *unused)
{
    must(cuda.cuInit(0), "cuInit in a thread");
    return unused;
}

static struct objects parents;

static void takes_down_the_parents(void)
{
    const CUresult results[] = {
        cuda.cuModuleUnload(parents.module), cuda.cuStreamDestroy_v2(parents.stream),
        cuda.cuMemFree_v2(parents.memory), cuda.cuCtxDestroy_v2(parents.context),
        cuda.cuDevicePrimaryCtxRelease_v2(0),
    };
    say("exit handler");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        say(" %d", results[i]);
    say("\n");
}

static int is_parent = 1;

__attribute__((destructor)) static void destroys_the_parents(void)
{
    if (!is_parent && parents.context)
        say("destructor %d\n", cuda.cuCtxDestroy_v2(parents.context));
}

static void *must_open(const char *name)
{
    void *opened = dlopen(name, RTLD_NOW);
    if (!opened)
        give_up("%s", dlerror());
    return opened;
}

// Gives a library back, as often as it was opened here. Whether it is loaded all the same.
static int stays(void *handle, int opened)
{
    char name[256];
    snprintf(name, sizeof name, "%s", ((struct link_map *)handle)->l_name);
    while (opened--)
        dlclose(handle);
    void *still = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
    if (still)
        dlclose(still);
    return still != NULL;
}

// As many as a large program has: neighbours with other rights are not joined.
static void map_much(void)
{
    for (int i = 0; i < 2000; i++)
        if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED)
            give_up("no mapping");
}

static int protect_data(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size, (void)unused;
    if (!strstr(object->dlpi_name, "libcuda.so"))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t last = (object->dlpi_addr + header->p_vaddr + header->p_memsz - 1) & ~(page - 1);
        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) && mprotect((void *)last, page, PROT_READ) != 0)
            give_up("no protection");
    }
    return 1;
}

static CUresult (*decode)(void *, void *);

static void *open_decoder(void)
{
    void *decoder = must_open("libnvcuvid.so.1");
    *(void **)&decode = dlsym(decoder, "cuvidDecodePicture");
    return decoder;
}

static int run(const char *scenario)
{
    pid_t child;
    int count = 0;

#define IS(other) (strcmp(scenario, other) == 0)
    if (IS("retried")) {
        setenv("FAKE_CUDA_INIT_RESULT", "304", 1);
        say("first %d\n", cuda.cuInit(0));
        unsetenv("FAKE_CUDA_INIT_RESULT");
    }
    if (IS("meanwhile")) {
        pthread_t other;
        init_is_to_wait();
        if (pthread_create(&other, NULL, initialises, NULL) != 0)
            give_up("no thread");
        until_there();
        unsetenv("FAKE_CUDA_INIT_WAITS");
        expect_seven(working_child());
        say("child worked\n");
        let_go_on();
        pthread_join(other, NULL);
        work("parent");
        return 0;
    }
    if (strncmp(scenario, "counted", 7) == 0) {
        say("parent runtime %d\n", runtime_count(&count));
        child = forked();
        if (child == 0) {
            if (IS("counted-beside")) {  // a context that is nobody's own
                CUcontext made;
                must(cuda.cuCtxCreate_v2(&made, 0, 0), "cuCtxCreate");
                must(cuda.cuCtxSetCurrent(NULL), "cuCtxSetCurrent");
            }
            if (IS("counted-twice")) {
                say("child runtime %d\n", runtime_count(&count));
                pid_t grandchild = forked();
                if (grandchild == 0) {
                    say("grandchild runtime %d\n", runtime_call());
                    exit(7);
                }
                say_how_it_ended(grandchild, "grandchild");
            }
            say("child runtime %d\n", runtime_call());
            say("child runtime %d\n", runtime_call());
            exit(7);
        }
        say_how_it_ended(child, "child");
        say("parent runtime %d\n", runtime_call());
        return 0;
    }
    int before = IS("descriptors") || IS("nvml") ? open_device() : -1;
    must(cuda.cuInit(0), "cuInit");
    must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");

    if (IS("work") || IS("retried") || IS("silent")) {
        child = forked();
        if (child == 0) {
            if (!IS("silent"))
                work("child");
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("object")) {
        CUresult (*create)(void **, unsigned) = NULL;
        void *graph;
        *(void **)&create = dlsym(library, "cuGraphCreate");
        must(create(&graph, 0), "cuGraphCreate");
        child = forked();
        if (child == 0) {
            work("child");
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("init")) {
        child = forked();
        if (child == 0) {
            say("child init %d\n", cuda.cuInit(0));
            say("child init %d\n", cuda.cuInit(0));
            work("child");
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("one-by-one")) {
        for (int i = 0; i < 200; i++)
            expect_seven(working_child());
        say("200 children worked\n");
    } else if (IS("at-once")) {
        pid_t children[16];
        for (int i = 0; i < 16; i++)
            children[i] = working_child();
        work("parent meanwhile");
        for (int i = 0; i < 16; i++)
            expect_seven(children[i]);
        say("16 children worked\n");
    } else if (IS("deep")) {
        deep(3);
    } else if (IS("threads")) {
        child = forked();
        if (child == 0) {
            many_threads();
            work("child");
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("from-thread")) {
        thread(forks_and_waits);
    } else if (IS("thread-ends")) {
        thread(forks_and_ends);
    } else if (IS("other-works")) {
        elsewhere = 1;
        thread(forks_and_ends);
    } else if (IS("clone")) {
        bare_clone(0);
    } else if (IS("clone-files")) {
        bare_clone(CLONE_FILES);
    } else if (IS("handler")) {
        pthread_atfork(NULL, NULL, counts_in_fork);
        child = working_child();
        expect_seven(child);
        say("child worked\n");
    } else if (IS("failing")) {
        child = forked();
        if (child == 0) {
            setenv("FAKE_CUDA_INIT_RESULT", "304", 1);
            say("child count %d\n", cuda.cuDeviceGetCount(&count));
            say("child count %d\n", cuda.cuDeviceGetCount(&count));
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("killed")) {
        init_is_to_wait();
        child = working_child();
        until_there();
        kill(child, SIGKILL);
        say_how_it_ended(child, "child");
        unsetenv("FAKE_CUDA_INIT_WAITS");
        expect_seven(working_child());
        say("next child worked\n");
    } else if (IS("context") || IS("exit") || IS("misuse")) {
        make(&parents);
        use(&parents);
        child = forked();
        if (child == 0) {
            is_parent = 0;
            if (IS("exit"))
                atexit(takes_down_the_parents);
            if (IS("misuse")) {
                say("misuse %d\n", cuda.cuCtxSetCurrent(parents.context));
                say("misuse %d\n", launch(&parents));
            }
            work("child");
            if (!IS("exit"))
                _exit(7);
            exit(7);
        }
        say_how_it_ended(child, "child");
        use(&parents);
        take_down(&parents);
    } else if (IS("large")) {
        map_much();
        make(&parents);
        for (int i = 0; i < 5; i++)
            expect_seven(working_child());
        use(&parents);
        take_down(&parents);
    } else if (IS("others")) {
        void *encode = must_open("libnvidia-encode.so.1"), *flow = must_open("libnvidia-opticalflow.so.1");
        CUresult (*encoder)(void **), (*flows)(unsigned, void **);
        void *functions;
        open_decoder();
        *(void **)&encoder = dlsym(encode, "NvEncodeAPICreateInstance");
        *(void **)&flows = dlsym(flow, "NvOFAPICreateInstanceCuda");
        say("parent %d %d %d\n", decode(NULL, NULL), encoder(&functions), flows(80, &functions));
        child = forked();
        if (child == 0) {
            say("child decodes %d\n", decode(NULL, NULL));
            say("child %d %d %d\n", decode(NULL, NULL), encoder(&functions), flows(80, &functions));
            exit(7);
        }
        say_how_it_ended(child, "child");
        say("parent %d %d %d\n", decode(NULL, NULL), encoder(&functions), flows(80, &functions));
    } else if (IS("reopened")) {
        say("driver stays %d\n", stays(library, 1));
        open_driver();
        child = forked();
        if (child == 0) {
            work("child");
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("reopened-decoder")) {
        void *decoder = open_decoder();
        say("parent decodes %d\n", decode(NULL, NULL));
        say("decoder stays %d\n", stays(decoder, 1));
        open_decoder();
        say("parent decodes %d\n", decode(NULL, NULL));
        child = forked();
        if (child == 0) {
            say("child decodes %d\n", decode(NULL, NULL));
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("protected")) {
        child = forked();
        if (child == 0) {
            dl_iterate_phdr(protect_data, NULL);
            say("child count %d\n", cuda.cuDeviceGetCount(&count));
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("unused")) {
        must_open("libnvcuvid.so.1");
        child = forked();
        if (child == 0) {
            work("child");
            open_decoder();
            say("child decodes %d\n", decode(NULL, NULL));
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("descriptors") || IS("nvml")) {
        if (IS("nvml"))
            must_open("libnvidia-ml.so");
        int after = open_device();
        child = forked();
        if (child == 0) {
            work(NULL);
            say("child has before %d after %d\n", is_same(before), is_same(after));
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else if (IS("runtime")) {
        child = forked();
        if (child == 0) {
            say("child runtime %d\n", runtime_start());
            say("child runtime %d\n", runtime_call());
            pid_t grandchild = forked();
            if (grandchild == 0) {
                say("grandchild runtime %d\n", runtime_call());
                say("grandchild count %d\n", cuda.cuDeviceGetCount(&count));
                exit(7);
            }
            say_how_it_ended(grandchild, "grandchild");
            say("child runtime %d\n", runtime_call());
            exit(7);
        }
        say_how_it_ended(child, "child");
    } else {
        give_up("no scenario is called %s", scenario);
    }
    work("parent");
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: revive SCENARIO");
    open_driver();
    return run(arguments[1]);
}
