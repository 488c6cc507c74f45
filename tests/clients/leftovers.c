// Proves that a call is judged by the functions that have not returned, and not by what they left on the stack.
// `leftovers USE`: the child has the address of code inside `exit` among its own variables (as it stands on a stack
// where `exit` was called from) and uses CUDA; `leftovers EXIT`: it does so from an exit handler.
#include "client.h"

#include <dlfcn.h>

static CUresult (*init)(unsigned);

// Far above the call, so that it lies between the frame that calls and the stack's end.
static int use(uintptr_t left_over)
{
    volatile uintptr_t words[64];
    for (int i = 0; i < 64; i++)
        words[i] = left_over;
    say("child: %d\n", init(0));
    return words[63] == left_over;
}

// Some bytes into the function, where a call in it could return to.
static uintptr_t inside_exit(void) { return (uintptr_t)dlsym(RTLD_DEFAULT, "exit") + 9; }

static void at_exit(void) { use(inside_exit()); }

int main(int count, char **arguments)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    if (count != 2 || !driver)
        give_up("usage: leftovers USE|EXIT, with a libcuda");
    init = (CUresult(*)(unsigned))dlsym(driver, "cuInit");
    if (init(0))
        give_up("cuInit failed");
    pid_t child = fork();
    if (child == 0) {
        in_child();
        if (strcmp(arguments[1], "EXIT") == 0) {
            atexit(at_exit);
            exit(7);
        }
        _exit(use(inside_exit()) ? 7 : 1);
    }
    say_how_it_ended(child, "child");
    return 0;
}
