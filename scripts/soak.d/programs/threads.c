// Sixty-four threads that call the driver, a thousand times at once, while eight threads fork: `threads [VIOLATION]`. Every child
// looks at one thing and ends. With an argument every twentieth child uses CUDA, which must end it with that wait status;
// the answer of a step tells their numbers. Steps: see steps.h. A round is a fork of each of the eight.
#include "steps.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CALLERS = 64, FORKERS = 8, VIOLATES = 20, MOST = 100000 };

static struct driver driver;
static atomic_long calls, forks, violators;
static pid_t violating[MOST];
static int expected = -1;
static long rounds_of_step;

static void *call(void *unused)
{
    enum { AT_ONCE = 1000 };
    int number;
    while (1) {
        for (int i = 0; i < AT_ONCE; i += 2)
            if (driver.count(&number) != 0 || number != 1 || driver.version(&number) != 0)
                give_up("the driver refuses a thread of the process that initialised it");
        atomic_fetch_add_explicit(&calls, AT_ONCE, memory_order_relaxed);
        usleep(4000);  // or the machine does nothing else, forks included
    }
    return unused;
}

static void be_a_child(long number, int violates)
{
    int answer;
    alarm(60);  // a lock that is held for ever shows as death by SIGALRM
    if (violates) {
        driver.count(&answer);
        _exit(3);
    }
    switch (number % 3) {
    case 0:
        _exit(driver.version(&answer) == 0 ? 0 : 1);
    case 1:
        _exit(dlsym(RTLD_DEFAULT, "nextafterf") || dlsym(RTLD_DEFAULT, "getpid") ? 0 : 2);
    default:
        _exit(0);
    }
}

static void *fork_on(void *unused)
{
    for (long i = 0; i < rounds_of_step; i++) {
        long number = atomic_fetch_add(&forks, 1);
        int violates = expected >= 0 && number % VIOLATES == 0, status = 0;
        pid_t child = fork();
        if (child == 0)
            be_a_child(number, violates);
        if (child < 0 || waitpid(child, &status, 0) != child)
            give_up("fork %ld: %s", number, strerror(errno));
        if (WIFSIGNALED(status))
            status = WTERMSIG(status);
        if (status != (violates ? expected : 0))
            give_up("the child of fork %ld ended with status %#x", number, status);
        if (violates)
            violating[atomic_fetch_add(&violators, 1)] = child;
    }
    return unused;
}

static void work(long rounds)
{
    pthread_t forkers[FORKERS];
    rounds_of_step = rounds;
    atomic_store(&violators, 0);
    if (rounds * FORKERS > MOST)
        give_up("a step is too long");
    for (int i = 0; i < FORKERS; i++)
        if (pthread_create(&forkers[i], NULL, fork_on, NULL) != 0)
            give_up("no thread");
    for (int i = 0; i < FORKERS; i++)
        pthread_join(forkers[i], NULL);
}

static void tell(void)
{
    long count = atomic_load(&violators);
    printf(", \"calls\": %ld, \"forks\": %ld, \"violators\": [", atomic_load(&calls), atomic_load(&forks));
    for (long i = 0; i < count; i++)
        printf("%s%d", i ? ", " : "", violating[i]);
    printf("]");
}

int main(int count, char **arguments)
{
    pthread_t caller;
    if (count > 1)
        expected = (int)strtol(arguments[1], NULL, 0);
    driver = load_driver();
    initialise(&driver);
    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&caller, NULL, call, NULL) != 0)
            give_up("no thread");
    return follow_steps(work, tell);
}
