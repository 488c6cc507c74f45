// Proves that entries are a thread's own: eight threads each start 25 workers, at the same time, while a ninth changes
// the environment, opens and closes files, and forks children of its own. Each worker ends with a number made from its
// data; a thread that is told another one, or another pid, says so, and a worker that has another one's data. `entry_threads kill`: one worker is killed.
#include "client.h"
#include "../../include/forkguard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { THREADS = 8, ROUNDS = 25 };

struct job {
    int thread;
    int round;
    char padding[5000];
};

static struct driver driver;
static atomic_int done, wrong, right;

static void open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
}

static int number_of(const struct job *job) { return 1 + (job->thread * ROUNDS + job->round) % 80; }

// What other threads were passing on at that moment is for their workers alone.
static void has_nothing_of_others(void)
{
    char path[32], target[64];
    for (int fd = 3; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        if (strstr(target, "forkguard-entry"))
            give_up("%d is what another worker was told", fd);
    }
}

static void work(const void *data, size_t len)
{
    const struct job *job = data;
    in_child();
    if (len != sizeof *job || job->padding[4999] != (char)number_of(job))
        give_up("the data is not what it was");
    has_nothing_of_others();
    open_driver();
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");
    exit(number_of(job));
}

static void hang(const void *data, size_t len)
{
    (void)data;
    (void)len;
    in_child();
    for (;;)
        pause();
}

static void *start(void *number)
{
    static struct job jobs[THREADS];
    struct job *job = &jobs[(int)(intptr_t)number];
    job->thread = (int)(intptr_t)number;
    for (job->round = 0; job->round < ROUNDS; job->round++) {
        int status = -1;
        memset(job->padding, number_of(job), sizeof job->padding);
        forkguard_exec_next("work", job, sizeof *job);
        pid_t child = fork();
        if (child == 0) {
            work(job, sizeof *job);
            exit(0);
        }
        if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
            WEXITSTATUS(status) == number_of(job))
            right++;
        else
            wrong++;
    }
    return NULL;
}

static void *disturb(void *unused)
{
    char name[16];
    for (int i = 0; !done; i++) {
        snprintf(name, sizeof name, "DISTURB%d", i % 50);
        setenv(name, "a value", 1);
        int file = open("/dev/null", O_RDONLY | (i & 1 ? O_CLOEXEC : 0));
        if (i % 10 == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            waitpid(child, NULL, 0);
        }
        close(file);
        unsetenv(name);
    }
    return unused;
}

int main(int count, char **arguments)
{
    forkguard_on_exec("work", work);
    forkguard_on_exec("hang", hang);
    open_driver();
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");
    if (count > 1 && strcmp(arguments[1], "kill") == 0) {
        forkguard_exec_next("hang", NULL, 0);
        pid_t child = fork();
        if (child == 0)
            hang(NULL, 0);
        kill(child, SIGKILL);
        say_how_it_ended(child, "worker");
        return 0;
    }
    pthread_t all[THREADS], other;
    pthread_create(&other, NULL, disturb, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&all[i], NULL, start, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(all[i], NULL);
    done = 1;
    pthread_join(other, NULL);
    say("right %d wrong %d\n", right, wrong);
    return 0;
}
