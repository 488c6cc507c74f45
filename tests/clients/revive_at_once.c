// Proves that threads whose calls come at once take nothing from a forked child that gets a driver of its own.
// `revive_at_once SCENARIO`, on a machine with the stand-in's devices.
//
//   runtime      of two threads' first cuInit one starts the runtime API while the other is not back yet; the runtime
//                works in a forked child
//   fork         meanwhile a child is forked, which is to wait for nobody
//   nvml         one opens a descriptor of NVML's while the other is not back yet; a forked child has it
//   descriptors  one comes to cuInit when the other is back; the child has no descriptor of the parent's driver
//   table        in the child: while one thread's call gets it the driver, a runtime asks for the driver's tables
//   dropped, starting, handler
//                in the child: while one thread's call gets it the driver, and has dropped what is the parent's, or has
//                the driver start, another one forks, or a handler that interrupts it; the grandchild works, too
//
// A thread is held where the guard asks the C library for something (this program has `memcpy` and `dlopen` of its own)
// or in a signal handler, until the other one has come as far as it can: to its end, or to where it waits.
#include "client.h"
#include "devices.h"
#include "init_waits.h"
#include "libcudart_like.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static struct driver cuda;

static void must(CUresult result, const char *what)
{
    if (result != 0)
        give_up("%s answered %d", what, result);
}

// ---- one thread and the other

static pthread_t start(void *(*function)(void *))
{
    pthread_t id;
    if (pthread_create(&id, NULL, function, NULL) != 0)
        give_up("no thread");
    return id;
}

static pid_t own_tid(void) { return (pid_t)syscall(SYS_gettid); }

static void read_of_thread(pid_t tid, const char *what, char *into, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, into, room - 1);
    if (length < 0)
        give_up("%s: %s", path, strerror(errno));
    into[length] = 0;
    close(fd);
}

// Whether it sleeps at a lock; where the kernel does not tell of what, whether it sleeps.
static int waits(pid_t tid)
{
    char where[64], line[512];
    read_of_thread(tid, "wchan", where, sizeof where);
    if (where[0] && strcmp(where, "0") != 0)
        return strstr(where, "futex") != NULL;
    read_of_thread(tid, "stat", line, sizeof line);
    char *name_ends = strrchr(line, ')');
    return name_ends && strncmp(name_ends, ") S", 3) == 0;
}

// What a thread does that another one looks at: its number once it has begun, and whether it is at its end.
struct course {
    atomic_int tid, ended;
};

static void until_as_far_as_it_can(struct course *other)
{
    while (!other->tid || (!other->ended && !waits(other->tid)))
        sched_yield();
}

static void until_its_end(struct course *other)
{
    while (!other->ended)
        sched_yield();
}

static struct course first, second;

static void *initialises(struct course *course)
{
    course->tid = own_tid();
    must(cuda.cuInit(0), "cuInit");
    course->ended = 1;
    return NULL;
}

static void *first_initialises(void *unused) { return (void)unused, initialises(&first); }
static void *second_initialises(void *unused) { return (void)unused, initialises(&second); }

// ---- where the guard's calls are held

enum { MORE_THAN_A_CUINIT_COPIES = 256 * 1024 };
static atomic_int holds_copy, holds_loader, interrupts_copy;
static sem_t is_held;

// The guard's copy of the driver's data is the only one so large that a thread makes in its cuInit.
void *memcpy(void *to, const void *from, size_t length)
{
    if (length > MORE_THAN_A_CUINIT_COPIES && own_tid() == interrupts_copy) {
        interrupts_copy = 0;
        raise(SIGUSR1);
    }
    if (length > MORE_THAN_A_CUINIT_COPIES && own_tid() == holds_copy) {
        holds_copy = 0;
        sem_post(&is_held);
        until_as_far_as_it_can(&second);
    }
    return memmove(to, from, length);
}

// The guard's last step before it looks at the devices: it keeps the driver from being unloaded.
void *dlopen(const char *name, int flags)
{
    static void *(*real)(const char *, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "dlopen");
    if (holds_loader && flags & RTLD_NODELETE) {
        if (own_tid() == first.tid) {
            sem_post(&is_held);
            until_as_far_as_it_can(&second);
        } else if (own_tid() == second.tid) {
            until_its_end(&first);
        }
    }
    return real(name, flags);
}

// ---- the scenarios

static pid_t forked(void)
{
    pid_t child = fork();
    if (child < 0)
        give_up("fork: %s", strerror(errno));
    if (child == 0)
        in_child();
    return child;
}

static void *is_held_at_the_copy(void *unused)
{
    holds_copy = own_tid();
    return first_initialises(unused);
}

static void runtime(void)
{
    int count;
    pthread_t other = start(is_held_at_the_copy);
    sem_wait(&is_held);
    second.tid = own_tid();
    say("parent runtime %d\n", runtime_count(&count));
    second.ended = 1;
    pthread_join(other, NULL);
    pid_t child = forked();
    if (child == 0) {
        say("child runtime %d\n", runtime_call());
        exit(7);
    }
    say_how_it_ended(child, "child");
    say("parent runtime %d\n", runtime_call());
}

static void fork_meanwhile(void)
{
    int count;
    pthread_t other = start(is_held_at_the_copy);
    sem_wait(&is_held);
    second.tid = own_tid();
    pid_t child = forked();
    if (child == 0) {
        must(cuda.cuInit(0), "cuInit in the child");
        must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount in the child");
        exit(7);
    }
    say_how_it_ended(child, "child");
    second.ended = 1;
    pthread_join(other, NULL);
    must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
}

static int in_handler[2], leave_handler[2];

static void holds_its_thread(int signal)
{
    (void)signal;
    write_byte(in_handler[1]);
    read_byte(leave_handler[0]);
}

static void nvml(void)
{
    if (pipe(in_handler) != 0 || pipe(leave_handler) != 0 || !dlopen("libnvidia-ml.so", RTLD_NOW))
        give_up("no pipes, or no NVML");
    signal(SIGUSR1, holds_its_thread);
    init_is_to_wait();
    pthread_t one = start(first_initialises);
    until_there();
    pthread_t other = start(second_initialises);
    until_as_far_as_it_can(&second);
    if (pthread_kill(other, SIGUSR1) != 0)
        give_up("no signal");
    read_byte(in_handler[0]);
    unsetenv("FAKE_CUDA_INIT_WAITS");
    let_go_on();
    pthread_join(one, NULL);
    int opened = open_device();
    write_byte(leave_handler[1]);
    pthread_join(other, NULL);
    pid_t child = forked();
    if (child == 0) {
        int count;
        must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
        say("child has it %d\n", is_same(opened));
        exit(7);
    }
    say_how_it_ended(child, "child");
}

static void descriptors(void)
{
    holds_loader = 1;
    pthread_t one = start(first_initialises);
    sem_wait(&is_held);
    pthread_t other = start(second_initialises);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    holds_loader = 0;
    say("parent has %d\n", descriptors_of_devices());
    pid_t child = forked();
    if (child == 0) {
        int count;
        must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
        say("child has %d\n", descriptors_of_devices());
        exit(7);
    }
    say_how_it_ended(child, "child");
}

static CUresult (*get_table)(const void **, const unsigned char *);

static void *counts(void *unused)
{
    int count;
    must(cuda.cuDeviceGetCount(&count), "cuDeviceGetCount");
    return unused;
}

static void *asks_for_the_table(void *unused)
{
    static const unsigned char uuid[16] = {0x6b, 0xd5, 0xfb, 0x6c};
    const void *table;
    second.tid = own_tid();
    must(get_table(&table, uuid), "cuGetExportTable");
    second.ended = 1;
    return unused;
}

static void table(void *library)
{
    int count;
    *(void **)&get_table = dlsym(library, "cuGetExportTable");
    say("parent runtime %d\n", runtime_count(&count));
    pid_t child = forked();
    if (child == 0) {
        init_is_to_wait();
        pthread_t one = start(counts);
        until_there();
        pthread_t other = start(asks_for_the_table);
        until_as_far_as_it_can(&second);
        say("child has a table before its driver %d\n", second.ended);
        let_go_on();
        pthread_join(one, NULL);
        pthread_join(other, NULL);
        say("child runtime %d\n", runtime_call());
        exit(7);
    }
    say_how_it_ended(child, "child");
}

static void grandchild(int signal)
{
    (void)signal;
    pid_t child = forked();
    if (child == 0) {
        unsetenv("FAKE_CUDA_INIT_WAITS");
        say("grandchild runtime %d\n", runtime_call());
        _exit(7);
    }
    say_how_it_ended(child, "grandchild");
}

static void *is_held_when_dropped(void *unused)
{
    holds_copy = own_tid();
    return counts(unused);
}

static void dropped(void)
{
    pthread_t other = start(is_held_when_dropped);
    sem_wait(&is_held);
    second.tid = own_tid();
    grandchild(0);
    second.ended = 1;
    pthread_join(other, NULL);
}

static void starting(void)
{
    init_is_to_wait();
    pthread_t other = start(counts);
    until_there();
    grandchild(0);
    let_go_on();
    pthread_join(other, NULL);
}

static void handler(void)
{
    signal(SIGUSR1, grandchild);
    interrupts_copy = own_tid();
    counts(NULL);
}

static void forked_meanwhile(void (*meanwhile)(void))
{
    int count;
    say("parent runtime %d\n", runtime_count(&count));
    pid_t child = forked();
    if (child == 0) {
        meanwhile();
        say("child runtime %d\n", runtime_call());
        exit(7);
    }
    say_how_it_ended(child, "child");
    say("parent runtime %d\n", runtime_call());
}

int main(int count, char **arguments)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (count != 2 || !library)
        give_up("usage: revive_at_once SCENARIO, with a libcuda");
    load_by_dlsym(&cuda, library);
    sem_init(&is_held, 0, 0);
#define IS(other) (strcmp(arguments[1], other) == 0)
    if (IS("runtime"))
        runtime();
    else if (IS("fork"))
        fork_meanwhile();
    else if (IS("nvml"))
        nvml();
    else if (IS("descriptors"))
        descriptors();
    else if (IS("table"))
        table(library);
    else if (IS("dropped"))
        forked_meanwhile(dropped);
    else if (IS("starting"))
        forked_meanwhile(starting);
    else if (IS("handler"))
        forked_meanwhile(handler);
    else
        give_up("no scenario is called %s", arguments[1]);
    return 0;
}
