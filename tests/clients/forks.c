// Proves that a child which inherited CUDA is known as such, however it came to be. `forks WAY use|clean`: the
// parent initialises, a child is made, and with `use` it counts devices (the driver refuses with 3).
//
//   fork        fork()
//   _Fork       _Fork(), which runs no handlers
//   forkpty     forkpty(): the child speaks through a terminal, what it says there is passed on to ours
//   daemon      daemon(): the child is its own session's, its parent is gone
//   half-daemon the same where /dev/null is no device: daemon() says in the child that it failed, and that goes on
//   thread      fork() called by a second thread
//   init-thread cuInit called by a second thread that has ended, fork() by the first
//   clone       the raw system call clone
//   clone3      the raw system call clone3
//   pidns       a child in a new pid namespace, where it is process 1
//   same-pid    two pid namespaces within each other: the process that initialised is number 1 of the outer one,
//               its child is number 1 of the inner one
//   grandchild  fork() in a child of fork()
//   vfork       vfork() and exec of /bin/true
//   spawn       posix_spawn of /bin/true
//   system      system("true")
// Exits 77 where the kernel forbids new pid namespaces.
#include "client.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static struct driver driver;
static int use;
#define IS(other) (strcmp(way, other) == 0)

static void initialise(void)
{
    CUresult result = driver.cuInit(0);
    if (result != 0)
        give_up("cuInit answered %d", result);
}

static void *initialise_in_thread(void *unused)
{
    initialise();
    return unused;
}

// The child's work; it never returns. The number it ends with says how far it came.
static void child_works(void)
{
    in_child();
    int result = 9;
    if (use) {
        int count = -1;
        result = driver.cuDeviceGetCount(&count);
        say("child count %d\n", result);
    }
    _exit(result);
}

static void *fork_in_thread(void *place)
{
    pid_t child = fork();
    if (child == 0)
        child_works();
    *(pid_t *)place = child;
    return NULL;
}

// Passes on what the child says through its terminal until it has gone.
static void pass_on(int terminal)
{
    char buffer[4096];
    ssize_t got;
    while ((got = read(terminal, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0 && write(1, buffer, (size_t)got) < 0)
            give_up("cannot pass on what the child says");
    }
}

static pid_t raw_clone(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static pid_t raw_clone3(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static pid_t into_new_pid_namespace(void)
{
    pid_t child = raw_clone(CLONE_NEWPID);
    if (child < 0 && (errno == EPERM || errno == EINVAL || errno == ENOSYS || errno == ENOSPC)) {
        say("no new pid namespace here\n");
        exit(77);
    }
    return child;
}

int main(int count, char **arguments)
{
    if (count != 3)
        give_up("usage: forks WAY use|clean");
    const char *way = arguments[1];
    use = strcmp(arguments[2], "use") == 0;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);

    pid_t child = -1;
    if (IS("same-pid")) {
        child = into_new_pid_namespace();
        if (child == 0) {
            in_child();
            initialise();
            pid_t inner = into_new_pid_namespace();
            if (inner == 0) {
                if (getpid() != 1)
                    give_up("the inner child's pid is %d", getpid());
                child_works();
            }
            if (getpid() != 1)
                give_up("the outer child's pid is %d", getpid());
            say_how_it_ended(inner, "child");
            _exit(0);
        }
        say_how_it_ended(child, "outer");
        return 0;
    }
    if (IS("daemon") || IS("half-daemon")) {
        // daemon() ends its caller, so the caller is a child made before anything was initialised, and what it
        // leaves behind becomes ours to wait for.
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        child = fork();
        if (child == 0) {
            initialise();
            int whole = IS("daemon");
            errno = 0;
            if (daemon(1, whole) != (whole ? 0 : -1) || errno != (whole ? 0 : ENODEV))
                give_up("daemon did not end as it should");
            child_works();
        }
        say_how_it_ended(child, "caller");
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT) != 0)
            give_up("what daemon() left behind did not come to us");
        say_how_it_ended(ended.si_pid, "child");
        return 0;
    }

    if (IS("init-thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, initialise_in_thread, NULL);
        pthread_join(thread, NULL);
    } else
        initialise();

    if (IS("fork") || IS("init-thread")) {
        child = fork();
        if (child == 0)
            child_works();
    } else if (IS("_Fork")) {
        child = _Fork();
        if (child == 0)
            child_works();
    } else if (IS("forkpty")) {
        int terminal;
        child = forkpty(&terminal, NULL, NULL, NULL);
        if (child == 0)
            child_works();
        pass_on(terminal);
    } else if (IS("thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, fork_in_thread, &child);
        pthread_join(thread, NULL);
    } else if (IS("clone") || IS("clone3") || IS("pidns")) {
        child = IS("clone") ? raw_clone(0) : IS("clone3") ? raw_clone3() : into_new_pid_namespace();
        if (child == 0)
            child_works();
    } else if (IS("grandchild")) {
        child = fork();
        if (child == 0) {
            pid_t grandchild = fork();
            if (grandchild == 0)
                child_works();
            say_how_it_ended(grandchild, "grandchild");
            _exit(0);
        }
    } else if (IS("vfork")) {
        child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
    } else if (IS("spawn")) {
        char *const command[] = {"true", NULL};
        if (posix_spawn(&child, "/bin/true", NULL, NULL, command, environ) != 0)
            give_up("posix_spawn failed");
    } else if (IS("system")) {
        say("system %d\n", system("true"));
        child = fork();
        if (child == 0)
            _exit(9);
    } else
        give_up("no way to fork is called %s", way);

    say_how_it_ended(child, "child");
    int devices = -1;
    CUresult result = driver.cuDeviceGetCount(&devices);
    say("parent count %d\n", result);
    return 0;
}
