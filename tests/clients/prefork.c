// Proves that the workers of a C pre-fork server use CUDA with include/forkguard.h, which one path of the program serves
// with and without the guard. `prefork SOCKET WORKERS [HOW]`: the parent listens, initialises CUDA and forks workers; it
// then is a client of its own server and says what it was answered. HOW is a list of words, split by commas:
//
//   plain      never names an entry: the workers are forks
//   before     the parent leaves CUDA alone
//   after      CUDA is initialised between naming the entry and the fork
//   thread     a second thread forks
//   nested     the worker that gets a request has a worker of its own do it
//   huge       with more in the environment than the kernel lets a program begin with
//   closed     the executable is removed before the fork
//   title      the program has written over its arguments
//   full       no descriptor is free at the fork
//   limit      files may not be larger than 8 KiB, and the data is 1 MiB
//   spawned    between naming the entry and the fork a program is started by posix_spawn
//
// `prefork worker FD`: a worker alone, on a descriptor that listens.
#include "client.h"
#include "../../include/forkguard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

struct job {
    pid_t parent;
    int listener;
    int number;
    signed char flags[2048];
    char how[64];
    char padding[];
};

static struct driver driver;
// What a fork inherits and a fresh process does not.
static int main_went_on;
static const char *how = "";

static int is(const char *word)
{
    size_t len = strlen(word);
    for (const char *at = how; (at = strstr(at, word)); at += len)
        if ((at == how || at[-1] == ',') && (at[len] == 0 || at[len] == ','))
            return 1;
    return 0;
}

static void open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static void answer(int connection, const char *request, const struct job *job)
{
    char reply[256];
    int init = driver.cuInit(0), count = -1;
    int counted = driver.cuDeviceGetCount(&count);
    snprintf(reply, sizeof reply, "%s: init %d count %d %s", request, init, counted,
             main_went_on ? "forked" : "fresh");
    if (job && job->parent != getppid())
        snprintf(reply, sizeof reply, "the parent is %d, not %d", getppid(), job->parent);
    if (write(connection, reply, strlen(reply)) < 0)
        give_up("no answer can be given");
}

static void nested(const void *data, size_t len)
{
    const int *connection = data;
    if (len != sizeof *connection)
        give_up("%zu bytes of data", len);
    in_child();
    open_driver();
    answer(*connection, "nested", NULL);
}

static void serve(int listener, const struct job *job)
{
    in_child();
    open_driver();
    if (driver.cuInit(0) != 0)
        give_up("the worker's cuInit failed");
    for (;;) {
        char request[64] = {0};
        int connection = accept(listener, NULL, NULL);
        if (connection < 0 || read(connection, request, sizeof request - 1) <= 0)
            give_up("no request: %s", strerror(errno));
        if (strcmp(request, "stop") == 0)
            exit(job ? 10 + job->number : 9);
        if (is("nested")) {
            forkguard_exec_next("nested", &connection, sizeof connection);
            pid_t child = fork();
            if (child == 0) {
                nested(&connection, sizeof connection);
                exit(0);
            }
            int status = -1;
            if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
                give_up("the worker's worker ended with %d", status);
        } else
            answer(connection, request, job);
        close(connection);
    }
}

// A descriptor's flags, -1 where there is none; what the guard keeps for itself is no descriptor of the program's.
static int flags_of(int fd)
{
    char path[32], target[32] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "/memfd:forkguard ", 17) == 0)
        return -1;
    return fcntl(fd, F_GETFD);
}

// What a worker has of its parent, fork or not: descriptors with their flags, and no others; the signal mask.
static void check_what_crossed(const struct job *job)
{
    for (int fd = 0; fd < (int)sizeof job->flags; fd++) {
        int flags = flags_of(fd);
        if (flags != job->flags[fd])
            give_up("descriptor %d has flags %d", fd, flags);
    }
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    if (!sigismember(&blocked, SIGUSR2) || sigismember(&blocked, SIGTERM))
        give_up("another signal mask");
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "FORKGUARD_ENTRY", 15) == 0)
            give_up("%s", *variable);
}

static void worker(const void *data, size_t len)
{
    const struct job *job = data;
    if (len < sizeof *job)
        give_up("%zu bytes of data", len);
    for (size_t i = sizeof *job; i < len; i++)
        if (((const char *)data)[i] != 'p')
            give_up("the data is not what it was");
    how = job->how;
    check_what_crossed(job);
    serve(job->listener, job);
}

struct start {
    struct job *job;
    size_t len;
    pid_t child;
};

static void initialise(void)
{
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");
}

static void *start(void *place)
{
    struct start *this = place;
    forkguard_exec_next("worker", this->job, this->len);
    if (is("after"))
        initialise();
    if (is("spawned")) {
        char *const command[] = {"true", NULL};
        pid_t child;
        if (posix_spawn(&child, "/bin/true", NULL, NULL, command, environ) != 0 || waitpid(child, NULL, 0) != child)
            give_up("posix_spawn failed");
    }
    this->child = fork();
    if (this->child == 0) {
        worker(this->job, this->len);
        exit(0);
    }
    return NULL;
}

static void ask(const char *path, const char *request, int answered)
{
    struct sockaddr_un address = address_of(path);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0 ||
        write(connection, request, strlen(request)) < 0)
        give_up("nobody listens: %s", strerror(errno));
    char reply[256] = {0};
    ssize_t got = 0, more;
    while ((more = read(connection, reply + got, sizeof reply - 1 - (size_t)got)) > 0)
        got += more;
    if (answered)
        say("%s\n", reply);
    close(connection);
}

static void change_environment(void)
{
    char *value = malloc(100 * 1024 + 1), name[16];
    memset(value, 'v', 100 * 1024);
    value[100 * 1024] = 0;
    for (int i = 0; i < 80; i++) {
        snprintf(name, sizeof name, "HUGE%d", i);
        setenv(name, value, 1);
    }
}

static void fill_descriptors(void)
{
    struct rlimit limit = {64, 64};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0) {
    }
}

int main(int count, char **arguments)
{
    forkguard_on_exec("worker", worker);
    forkguard_on_exec("nested", nested);
    if (count == 3 && strcmp(arguments[1], "worker") == 0) {
        serve(atoi(arguments[2]), NULL);
        return 0;
    }
    if (count < 3)
        give_up("usage: prefork SOCKET WORKERS [HOW] | prefork worker FD");
    char path[108], words[64];
    snprintf(path, sizeof path, "%s", arguments[1]);
    snprintf(words, sizeof words, "%s", count > 3 ? arguments[3] : "");
    int workers = atoi(arguments[2]);
    how = words;
    main_went_on = 1;
    say("main goes on\n");

    struct sockaddr_un address = address_of(path);
    int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), listener = 20;
    if (dup3(first, listener, O_CLOEXEC) != listener || close(first) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0)
        give_up("cannot listen at %s: %s", path, strerror(errno));
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    open_driver();
    if (!is("before") && !is("after"))
        initialise();
    if (is("huge"))
        change_environment();
    if (is("closed")) {
        char self[4096] = {0};
        if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || unlink(self) != 0)
            give_up("the executable cannot be removed");
    }
    if (is("title"))
        for (int i = 0; i < count; i++)
            memset(arguments[i], 'x', strlen(arguments[i]));
    size_t len = sizeof(struct job);
    if (is("limit")) {
        struct rlimit limit = {8192, 8192};
        setrlimit(RLIMIT_FSIZE, &limit);
        len += 1 << 20;
    }
    struct job *job = malloc(len);
    memset(job, 'p', len);
    job->parent = getpid();
    job->listener = listener;
    snprintf(job->how, sizeof job->how, "%s", how);

    pid_t children[16];
    for (int i = 0; i < workers && i < 16; i++) {
        job->number = i;
        struct start this = {job, len, -1};
        if (is("full"))
            fill_descriptors();
        for (int fd = 0; fd < (int)sizeof job->flags; fd++)
            job->flags[fd] = (signed char)flags_of(fd);
        if (is("thread")) {
            pthread_t thread;
            pthread_create(&thread, NULL, start, &this);
            pthread_join(thread, NULL);
        } else if (is("plain")) {
            this.child = fork();
            if (this.child == 0) {
                worker(job, len);
                exit(0);
            }
        } else
            start(&this);
        children[i] = this.child;
    }
    if (is("full"))
        for (int fd = 21; fd < 64; fd++)
            close(fd);
    // Where no worker is left, nobody listens, and this client is told so.
    close(listener);
    for (int i = 0; i < 2 * workers; i++)
        ask(path, "count", 1);
    for (int i = 0; i < workers; i++)
        ask(path, "stop", 0);
    for (int i = 0; i < workers; i++)
        say_how_it_ended(children[i], "worker");
    return 0;
}
