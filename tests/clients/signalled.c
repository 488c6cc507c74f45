// Proves that signals may land anywhere in the guard: a handler that calls the driver, looks names up and forks, run by
// a timer every few microseconds of the program's own processor time. `signalled WHAT`:
//
//   gate     the main program makes first calls: in child after child, each of which inherits nothing of CUDA
//   forks    the same after cuInit: the program forks children that leave CUDA alone; so does the handler
//   report   a child uses CUDA, and the handler goes on within its report: it calls the driver, and forks a child that
//            leaves CUDA alone
//   before, parent, child
//            a handler of the program's interrupts the guard's own fork, where that calls the program back before the
//            fork, after it in the parent, or in the child; and forks. Its child, and that of the fork that it
//            interrupted, use CUDA
//   stack N  a child uses CUDA in a handler that runs on an alternate stack with N bytes beside those that the kernel
//            itself needs there
//   tiny     a thread on the smallest stack there is forks a child, which uses CUDA
//
// Says at the end that the handler has run often enough, and found nothing wrong.
#include "client.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static struct driver driver;
static void *library;
// What the handler does, and what it found.
static int may_fork, runs, children, wrong;

// Runs that are enough to have met every place of what is interrupted.
enum { ENOUGH = 2000, NANOSECONDS = 100000 };

static void handle(int signal)
{
    (void)signal;
    int before = errno, version = 0;
    runs++;
    if (driver.cuDriverGetVersion(&version) != 0 || version == 0)
        wrong++;
    if (may_fork && runs % 16 == 0) {
        pid_t child = fork();
        int status = -1;
        if (child == 0) {
            if (driver.cuDriverGetVersion(&version) != 0)
                _exit(8);
            _exit(7);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 7 << 8)
            wrong++;
        children++;
    }
    errno = before;
}

static timer_t timer;

// From now on, in this process: a child has no timer of its parent's.
static void begin(int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | flags};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec time = {{0, NANOSECONDS}, {0, NANOSECONDS}};
    if (sigaction(SIGUSR2, &action, NULL) != 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &time, NULL) != 0)
        give_up("no timer");
}

static void end(void)
{
    timer_delete(timer);
    signal(SIGUSR2, SIG_IGN);
}

static void say_what_it_did(int least)
{
    end();
    if (wrong)
        give_up("%d of %d runs of the handler found something wrong", wrong, runs);
    if (runs < least)
        give_up("the handler ran %d times only", runs);
    say("the handler ran\n");
}

// Every harmless call, and names looked up again and again.
static void call(void)
{
    int version = 0;
    const char *text = NULL;
    if (driver.cuDriverGetVersion(&version) != 0 || driver.cuGetErrorName(3, &text) != 0 ||
        driver.cuGetErrorString(3, &text) != 0 || !dlsym(library, "cuLaunchKernel"))
        give_up("a call failed");
}

static void gate(void)
{
    begin(0);
    while (runs < ENOUGH) {
        pid_t child = fork();
        if (child == 0) {
            begin(0);
            use_device(&driver, "child");
            end();
            _exit(wrong ? 8 : 7);
        }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 7 << 8)
            give_up("a child ended with %d", status);
        call();
    }
    say_what_it_did(ENOUGH);
}

static void forks(void)
{
    may_fork = 1;
    begin(0);
    while (runs < ENOUGH) {
        pid_t child = fork();
        if (child == 0) {
            begin(0);
            for (int i = 0; i < 20; i++)
                call();
            end();
            _exit(wrong ? 8 : 7);
        }
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 7 << 8)
            give_up("a child ended with %d", status);
        call();
    }
    say_what_it_did(ENOUGH);
}

static void count(const char *who)
{
    int devices = -1;
    say("%s count %d\n", who, driver.cuDeviceGetCount(&devices));
}

static void report(void)
{
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            in_child();
            may_fork = 1;
            begin(0);
            count("child");
            _exit(3);
        }
        say_how_it_ended(child, "child");
    }
    count("parent");
}

static int raised;

static void raise_within(void)
{
    if (!raised++)
        raise(SIGUSR1);
}

static void fork_in_handler(int signal)
{
    (void)signal;
    pid_t child = fork();
    if (child == 0) {
        in_child();
        count("inner");
        _exit(3);
    }
    say_how_it_ended(child, "inner");
}

static void within(void (*where)(void (*)(void)))
{
    signal(SIGUSR1, fork_in_handler);
    where(raise_within);
    pid_t child = fork();
    if (child == 0) {
        in_child();
        count("outer");
        _exit(3);
    }
    say_how_it_ended(child, "outer");
    count("parent");
}

static void before(void (*handler)(void)) { pthread_atfork(handler, NULL, NULL); }
static void in_the_parent(void (*handler)(void)) { pthread_atfork(NULL, handler, NULL); }
static void in_the_child(void (*handler)(void)) { pthread_atfork(NULL, NULL, handler); }

static void use_in_handler(int signal)
{
    (void)signal;
    count("child");
    _exit(3);
}

// The stack's end is guarded: who needs more has a fault, and not somebody else's memory.
static void stack(size_t size)
{
    size += getauxval(AT_MINSIGSTKSZ);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *place = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED || mprotect(place, page, PROT_NONE) != 0)
        give_up("no stack");
    stack_t alternate = {.ss_sp = place + page + whole - size, .ss_size = size};
    struct sigaction action = {.sa_handler = use_in_handler, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&alternate, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        give_up("no alternate stack");
    pid_t child = fork();
    if (child == 0) {
        in_child();
        raise(SIGUSR1);
        _exit(4);
    }
    say_how_it_ended(child, "child");
    count("parent");
}

static void *use_in_child(void *unused)
{
    pid_t child = fork();
    if (child == 0) {
        in_child();
        count("child");
        _exit(3);
    }
    say_how_it_ended(child, "child");
    return unused;
}

static void tiny(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0 ||
        pthread_create(&thread, &attributes, use_in_child, NULL) != 0)
        give_up("no thread on %ld bytes", (long)PTHREAD_STACK_MIN);
    pthread_join(thread, NULL);
    count("parent");
}

int main(int argc, char **arguments)
{
    if (argc < 2 || (strcmp(arguments[1], "stack") == 0) != (argc == 3))
        give_up("usage: signalled WHAT [SIZE]");
    const char *what = arguments[1];
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
#define IS(other) (strcmp(what, other) == 0)
    if (IS("gate")) {
        gate();
        return 0;
    }
    if (driver.cuInit(0) != 0)
        give_up("cuInit");
    if (IS("forks"))
        forks();
    else if (IS("report"))
        report();
    else if (IS("before"))
        within(before);
    else if (IS("parent"))
        within(in_the_parent);
    else if (IS("child"))
        within(in_the_child);
    else if (IS("stack"))
        stack((size_t)atol(arguments[2]));
    else if (IS("tiny"))
        tiny();
    else
        give_up("nothing is called %s", what);
    return 0;
}
