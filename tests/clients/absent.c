// Proves what a forked child finds in which CUDA is absent. `absent HOW`: the parent initialises CUDA, with a context and
// memory, and forks; the child says what the driver answers, of each class of call, and what its environment is.
//
//   fork        by fork
//   clone       by the bare system call, which nobody sees
//   grandchild  a child of the child, which asked nothing, does all that
//   threads     eight threads of the child at the same moment, one question each
//   crowded     by fork, with no variable for devices and an environment of its own making
//   constant    by fork, with an environment that may not be written
//   line        a line of forks, each of the one before; the last says how many mappings it has more than the first
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static struct driver driver;
static pthread_barrier_t together;
static CUdeviceptr memory;
static CUcontext context;

extern char **environ;

static void say_environment(const char *who)
{
    const char *devices = getenv("CUDA_VISIBLE_DEVICES");
    say("%s devices \"%s\"\n", who, devices ? devices : "unset");
}

static void ask(const char *who)
{
    int number = 7;
    CUdevice device = 7;
    void *handle = NULL;
    CUdeviceptr block = 7;
    const char *name = NULL;
    say("%s init %d", who, driver.cuInit(0));
    say(" count %d", driver.cuDeviceGetCount(&number));
    say(" (%d) get %d", number, driver.cuDeviceGet(&device, 0));
    say(" alloc %d", driver.cuMemAlloc_v2(&block, 64));
    say(" stream %d\n", driver.cuStreamCreate(&handle, 0));
    say("%s again init %d", who, driver.cuInit(0));
    say(" count %d\n", driver.cuDeviceGetCount(&number));
    say("%s harmless %d", who, driver.cuDriverGetVersion(&number));
    say(" %s", driver.cuGetErrorName(100, &name) == 0 ? name : "?");
    say(" probe %d", driver.cuPointerGetAttribute(&number, 2, memory));
    say(" teardown %d", driver.cuMemFree_v2(memory));
    say(" %d\n", driver.cuCtxDestroy_v2(context));
    say_environment(who);
    fflush(stdout);
    if (system("echo \"its program devices \\\"${CUDA_VISIBLE_DEVICES-unset}\\\" home \\\"$HOME\\\"\"") != 0)
        give_up("no shell");
}

static void *count_devices(void *unused)
{
    int count = -1;
    (void)unused;
    pthread_barrier_wait(&together);
    return (void *)(intptr_t)driver.cuDeviceGetCount(&count);
}

static void count_in_threads(void)
{
    enum { COUNT = 8 };
    pthread_t threads[COUNT];
    pthread_barrier_init(&together, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, count_devices, NULL) != 0)
            give_up("no thread");
    for (int i = 0; i < COUNT; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        say("thread count %d\n", (int)(intptr_t)answer);
    }
}

static int count_mappings(void)
{
    FILE *list = fopen("/proc/self/maps", "r");
    if (!list)
        give_up("no list of the mappings");
    int lines = 0;
    for (int c; (c = fgetc(list)) != EOF;)
        lines += c == '\n';
    fclose(list);
    return lines;
}

static void fork_on(int left, int before)
{
    if (left == 0) {
        say("the last has %d mappings more\n", count_mappings() - before);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        fork_on(left - 1, before);
        exit(0);
    }
    if (waitpid(child, NULL, 0) != child)
        give_up("no child");
}

int main(int count, char **arguments)
{
    const char *how = count == 2 ? arguments[1] : "";
    static char *own[] = {"HOME=/own", "PATH=/usr/bin:/bin", NULL};
    static char *const constant[] = {"CUDA_VISIBLE_DEVICES=3", "HOME=/own", "PATH=/usr/bin:/bin", NULL};
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
    if (driver.cuInit(0) != 0 || driver.cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
        driver.cuCtxSetCurrent(context) != 0 || driver.cuMemAlloc_v2(&memory, 64) != 0)
        give_up("no CUDA in the parent");
    if (strcmp(how, "crowded") == 0)
        environ = own;
    if (strcmp(how, "constant") == 0)
        environ = (char **)constant;
    pid_t child = strcmp(how, "clone") == 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    if (child == 0) {
        in_child();
        if (strcmp(how, "grandchild") == 0) {
            pid_t grandchild = fork();
            if (grandchild == 0) {
                ask("grandchild");
                _exit(7);
            }
            say_how_it_ended(grandchild, "grandchild");
        } else if (strcmp(how, "threads") == 0) {
            count_in_threads();
        } else if (strcmp(how, "line") == 0) {
            fork_on(20, count_mappings());
        } else {
            ask("child");
        }
        exit(7);
    }
    say_how_it_ended(child, "child");
    say_environment("parent");
    say("parent sync %d alloc %d\n", driver.cuCtxSynchronize(), driver.cuMemAlloc_v2(&memory, 64));
    return 0;
}
