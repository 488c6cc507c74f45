// A family: a process that has initialised CUDA and as many children as the argument says, or, with a second one, a tree
// so deep whose every process has so many. Says `ready` when all are there, and stays until its input ends; they end
// with it.
#include "steps.h"

#include <signal.h>
#include <sys/prctl.h>

static int told[2];

static void stay(void)
{
    for (;;)
        pause();
}

static void grow(long children, int depth)
{
    for (long i = 0; depth > 0 && i < children; i++) {
        pid_t parent = getpid();
        pid_t child = fork();
        if (child < 0)
            give_up("child %ld: %s", i, strerror(errno));
        if (child == 0) {
            char byte = 1;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(1);
            grow(children, depth - 1);
            if (write(told[1], &byte, 1) != 1)
                _exit(1);
            stay();
        }
    }
}

int main(int count, char **arguments)
{
    if (count < 2)
        give_up("usage: records CHILDREN [DEPTH]");
    long children = atol(arguments[1]);
    int depth = count > 2 ? atoi(arguments[2]) : 1;
    long all = 0, of_generation = 1;
    for (int i = 0; i < depth; i++)
        all += of_generation *= children;
    struct driver driver = load_driver();
    initialise(&driver);
    if (pipe(told) != 0)
        give_up("pipe: %s", strerror(errno));
    grow(children, depth);
    for (long i = 0; i < all; i++) {
        char byte;
        if (read(told[0], &byte, 1) != 1)
            give_up("a child of %ld does not come", i);
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
