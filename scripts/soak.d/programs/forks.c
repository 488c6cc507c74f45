// Forks of a process that has initialised CUDA, one after the other; the children leave CUDA alone, but for what is no
// use of it. Steps: see steps.h. A round is a fork.
#include "steps.h"

static struct driver driver;
static long done;

static void be_a_child(long round, pid_t parent)
{
    int version;
    if (getppid() != parent)
        _exit(2);
    switch (round % 4) {
    case 0:
        // Asks what may be asked everywhere.
        _exit(driver.version(&version) == 0 ? 0 : 3);
    case 1:
        // Ends as a program does: what it inherited is taken down.
        fclose(stdin);
        exit(0);
    default:
        _exit(0);
    }
}

static void work(long rounds)
{
    pid_t parent = getpid();
    for (long i = 0; i < rounds; i++, done++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            be_a_child(done, parent);
        if (child < 0)
            give_up("fork %ld: %s", done, strerror(errno));
        if (waitpid(child, &status, 0) != child || status != 0)
            give_up("the child of fork %ld ended with status %#x", done, status);
    }
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        give_up("a child is left that nobody made");
}

int main(void)
{
    driver = load_driver();
    initialise(&driver);
    return follow_steps(work, NULL);
}
