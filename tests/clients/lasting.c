// Proves what is seen from outside of a program without Python. `lasting`: initialises CUDA, forks, says so, and stays;
// so does its child.
#include "client.h"

#include <dlfcn.h>

int main(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    CUresult (*init)(unsigned);
    *(void **)&init = dlsym(library, "cuInit");
    if (!init || init(0) != 0)
        give_up("cuInit failed");
    pid_t child = fork();
    if (child < 0)
        give_up("no child");
    if (child != 0)
        say("forked %d\n", child);
    while (1)
        pause();
}
