// Proves that semaphores are what they are without the guard. `semaphores SCENARIO`; prints what was seen.
//
//   named      created exclusively, unlinked by the same function at once, and open in another process all the while
//   forked     the same, by a name that multiprocessing could have given, and inherited by a fork before the unlink
//   anonymous  200 as multiprocessing makes them: each counts for itself, a forked child shares them, all are closed
//   descriptors  how many fds 130 of them cost
//   closed     every fd is closed by the program, hundreds of times, and new ones are made
//   threads    made and closed by eight threads, while children are forked that share one
//   too_many   more than there is room for
//   no_large_files  where no file may be larger than a semaphore's
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

enum { MANY = 200, CHUNK = 64 };

// As multiprocessing makes one: both calls in one function.
static __attribute__((noinline)) sem_t *make(unsigned value)
{
    static _Atomic unsigned number;
    char name[64];
    snprintf(name, sizeof name, "/mp-test-%d-%u", getpid(), number++);
    sem_t *made = sem_open(name, O_CREAT | O_EXCL, 0600, value);
    if (made == SEM_FAILED)
        give_up("sem_open: %s", strerror(errno));
    if (sem_unlink(name) != 0)
        give_up("sem_unlink: %s", strerror(errno));
    return made;
}

static int value_of(sem_t *semaphore)
{
    int value = -1;
    sem_getvalue(semaphore, &value);
    return value;
}

static int descriptors(void)
{
    int found = 0;
    for (int fd = 0; fd < 2048; fd++)
        found += fcntl(fd, F_GETFD) >= 0;
    return found;
}

// Waits no longer than a test's patience.
static int wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience(10);
    return sem_timedwait(semaphore, &until);
}

static void named(const char *self)
{
    char name[64];
    snprintf(name, sizeof name, "/test-%d", getpid());
    sem_t *made = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    if (made == SEM_FAILED)
        give_up("sem_open: %s", strerror(errno));
    char *const arguments[] = {(char *)self, "post", name, NULL};
    int ready[2], status;
    pid_t other;
    // The other says on its standard output that it has it open, and posts when its standard input ends.
    int start[2];
    if (pipe(ready) != 0 || pipe(start) != 0)
        give_up("pipe");
    fcntl(start[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
    posix_spawn_file_actions_adddup2(&actions, start[0], 0);
    if (posix_spawn(&other, self, &actions, NULL, arguments, environ) != 0)
        give_up("%s cannot be started", self);
    char byte;
    if (read(ready[0], &byte, 1) != 1)
        give_up("the other did not open it");
    if (sem_unlink(name) != 0)
        give_up("sem_unlink: %s", strerror(errno));
    close(start[1]);
    say("posted: %s\n", wait_for(made) == 0 ? "yes" : "no");
    waitpid(other, &status, 0);
    sem_close(made);
}

static int post(const char *name)
{
    char byte;
    sem_t *made = sem_open(name, 0);
    if (made == SEM_FAILED)
        return 1;
    if (write(1, "x", 1) != 1 || read(0, &byte, 1) != 0)
        return 2;
    return sem_post(made);
}

static void forked(void)
{
    char name[64];
    snprintf(name, sizeof name, "/mp-test-%d", getpid());
    sem_t *there = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    pid_t child = there == SEM_FAILED ? -1 : fork();
    if (child == 0) {
        in_child();
        _exit(wait_for(there) != 0);
    }
    sem_unlink(name);
    sem_post(there);
    say_how_it_ended(child, "child");
    sem_close(there);
}

static void anonymous(void)
{
    sem_t *made[MANY];
    for (int each = 0; each < MANY; each++)
        made[each] = make(each);
    for (int each = 0; each < MANY; each++)
        sem_post(made[each]);
    pid_t child = fork();
    if (child == 0) {
        in_child();
        for (int each = 0; each < MANY; each++)
            sem_post(made[each]);
        // What it makes itself is its own, what it closes only closed here.
        sem_t *own = make(7);
        for (int each = 0; each < MANY; each++)
            sem_close(made[each]);
        _exit(value_of(own) != 7);
    }
    say_how_it_ended(child, "child");
    int right = 0;
    for (int each = 0; each < MANY; each++)
        right += value_of(made[each]) == each + 2;
    say("right: %d\n", right);
    // In another order than that of their making.
    for (int each = 0; each < MANY; each++)
        sem_close(made[each * 7 % MANY]);
    sem_t *again = make(3);
    say("again: %d\n", value_of(again));
    sem_close(again);
}

static void cost(void)
{
    int before = descriptors();
    sem_t *made[2 * CHUNK + 2];
    for (int each = 0; each < 2 * CHUNK + 2; each++)
        made[each] = make(1);
    say("%d\n", descriptors() - before);
    for (int each = 0; each < 2 * CHUNK + 2; each++)
        sem_close(made[each]);
    say("%d\n", descriptors() - before);
}

static void closed(void)
{
    int right = 0;
    for (int round = 0; round < 600; round++) {
        sem_t *one = make(round), *other = make(1);
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        // Another file has the number now, and is not to be closed with the semaphore.
        int null = open("/dev/null", O_RDONLY);
        int high = fcntl(null, F_DUPFD, 500);
        sem_post(one);
        right += value_of(one) == round + 1 && value_of(other) == 1;
        sem_close(one);
        sem_close(other);
        if (fcntl(high, F_GETFD) < 0)
            give_up("a file of the program's was closed");
        close(null);
        close(high);
    }
    say("right: %d\n", right);
}

static void *make_and_close(void *wrong)
{
    for (int round = 0; round < 400; round++) {
        sem_t *made[10];
        for (int each = 0; each < 10; each++)
            made[each] = make(each);
        for (int each = 0; each < 10; each++)
            sem_post(made[each]);
        for (int each = 0; each < 10; each++)
            if (value_of(made[each]) != each + 1)
                ++*(_Atomic int *)wrong;
        for (int each = 0; each < 10; each++)
            sem_close(made[(each + round) % 10]);
    }
    return NULL;
}

static void in_threads(void)
{
    _Atomic int wrong = 0;
    int well = 0;
    pthread_t threads[8];
    for (int each = 0; each < 8; each++)
        pthread_create(&threads[each], NULL, make_and_close, &wrong);
    for (int round = 0; round < 40; round++) {
        int status = -1;
        sem_t *shared = make(0);
        // The C library's own lock may be held for ever in the child: no sem_open there.
        pid_t child = fork();
        if (child == 0) {
            in_child();
            _exit(sem_post(shared));
        }
        well += wait_for(shared) == 0;
        waitpid(child, &status, 0);
        sem_close(shared);
    }
    for (int each = 0; each < 8; each++)
        pthread_join(threads[each], NULL);
    say("wrong: %d, children well: %d\n", wrong, well);
}

static void too_many(void)
{
    enum { TOO_MANY = 256 * CHUNK + 100 };
    static sem_t *made[TOO_MANY];
    int right = 0;
    for (int each = 0; each < TOO_MANY; each++)
        made[each] = make(each);
    for (int each = 0; each < TOO_MANY; each++)
        right += sem_post(made[each]) == 0 && value_of(made[each]) == each + 1;
    say("right: %d\n", right);
    for (int each = TOO_MANY; each--;)
        sem_close(made[each]);
}

static void no_large_files(void)
{
    const struct rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    sem_t *made = make(4);
    say("%d\n", value_of(made));
    sem_close(made);
}

int main(int count, char **arguments)
{
    const char *scenario = count > 1 ? arguments[1] : "";
    if (!strcmp(scenario, "post") && count == 3)
        return post(arguments[2]);
    if (!strcmp(scenario, "named"))
        named(arguments[0]);
    else if (!strcmp(scenario, "forked"))
        forked();
    else if (!strcmp(scenario, "anonymous"))
        anonymous();
    else if (!strcmp(scenario, "descriptors"))
        cost();
    else if (!strcmp(scenario, "closed"))
        closed();
    else if (!strcmp(scenario, "threads"))
        in_threads();
    else if (!strcmp(scenario, "too_many"))
        too_many();
    else if (!strcmp(scenario, "no_large_files"))
        no_large_files();
    else
        give_up("no scenario is called %s", scenario);
    return 0;
}
