// Proves what a command finds that runs in the place of a forked process. `in_place WHAT`: the parent says its signals
// as the kernel lists them, changes them and its environment, initialises CUDA and forks; the child says its pid, then
// uses CUDA in this way:
//
//   once      counts devices
//   threads   four threads, on the smallest stacks there are, count devices at the same moment; each says what it
//             was answered
//   title     as `once`, after the program wrote over its arguments, as servers do to show a title
//   broken    as `once`, with a variable in the environment that cannot be read
//   bare      as `once`, after the program took the guard out of its environment
//   huge      as `once`, with more in the environment than the kernel lets a program begin with
//
// The child's pipe to the parent is descriptor 9, closed on exec; the parent says what comes out of it.
#include "client.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

static struct driver driver;
static pthread_barrier_t together;

static void say_signals(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
            say("%s", line);
    if (status)
        fclose(status);
}

static void handler(int signal) { (void)signal; }

static void change_signals(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGHUP, handler);
}

static void *count_devices(void *unused)
{
    pthread_barrier_wait(&together);
    int count = -1;
    say("count %d\n", driver.cuDeviceGetCount(&count));
    return unused;
}

static int threads(void)
{
    pthread_t all[4];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN);
    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], &small, count_devices, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 2)
        give_up("usage: in_place WHAT");
    char what[16], *page = NULL;
    snprintf(what, sizeof what, "%s", arguments[1]);
    say_signals();
    change_signals();
    setenv("SET_BY_THE_PROGRAM", "yes", 1);
    if (strcmp(what, "title") == 0) {
        memset(arguments[0], 'x', strlen(arguments[0]));
        memset(arguments[1], 'y', strlen(arguments[1]));
    } else if (strcmp(what, "broken") == 0) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        strcpy(page, "BROKEN=1");
        putenv(page);
    } else if (strcmp(what, "bare") == 0) {
        unsetenv("LD_PRELOAD");
        unsetenv("FORKGUARD_POLICY");
    } else if (strcmp(what, "huge") == 0) {
        char *value = malloc(100 * 1024 + 1), name[16];
        memset(value, 'v', 100 * 1024);
        value[100 * 1024] = 0;
        for (int i = 0; i < 80; i++) {
            snprintf(name, sizeof name, "HUGE%d", i);
            setenv(name, value, 1);
        }
    }

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || dup3(ends[1], 9, O_CLOEXEC) != 9)
        give_up("no pipe");
    close(ends[1]);
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");

    pid_t child = fork();
    if (child == 0) {
        in_child();
        say("child %d of %d\n", getpid(), getppid());
        if (page)
            mprotect(page, 4096, PROT_NONE);
        if (strcmp(what, "threads") == 0)
            _exit(threads());
        int devices = -1;
        int result = driver.cuDeviceGetCount(&devices);
        say("count %d\n", result);
        // As it was before the attempt: still closed on exec, the signals still the program's.
        say("closed on exec %d\n", fcntl(9, F_GETFD) == FD_CLOEXEC);
        say_signals();
        _exit(result);
    }
    close(9);
    char piped[256];
    ssize_t got;
    while ((got = read(ends[0], piped, sizeof piped)) > 0)
        say("through the pipe: %.*s", (int)got, piped);
    say_how_it_ended(child, "child");
    int devices = -1;
    say("parent count %d\n", driver.cuDeviceGetCount(&devices));
    return 0;
}
