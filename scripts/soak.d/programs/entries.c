// Starts of workers of C by fork, after CUDA, one after the other; under the policy exec each is a fresh process that
// begins at its entry. Steps: see steps.h. A round is a worker that was given its number and has CUDA, which a forked
// one cannot have.
#include "forkguard.h"
#include "steps.h"

static struct driver driver;
static long done;

static int answer(long round)
{
    return (int)(1 + round % 100);
}

static void worker(const void *data, size_t len)
{
    long round;
    int devices;
    if (len != sizeof round)
        _exit(101);
    memcpy(&round, data, sizeof round);
    driver = load_driver();
    if (driver.init(0) != 0 || driver.count(&devices) != 0)
        _exit(102);
    exit(answer(round));
}

static void work(long rounds)
{
    for (long i = 0; i < rounds; i++, done++) {
        int status = 0;
        forkguard_exec_next("worker", &done, sizeof done);
        pid_t child = fork();
        if (child == 0)
            _exit(103);  // it was a fork
        if (child < 0)
            give_up("start %ld: %s", done, strerror(errno));
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != answer(done))
            give_up("the worker of start %ld ended with status %#x", done, status);
    }
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        give_up("a child is left that nobody made");
}

int main(void)
{
    forkguard_on_exec("worker", worker);
    driver = load_driver();
    initialise(&driver);
    return follow_steps(work, NULL);
}
