// Initialises CUDA before the program it is preloaded into begins, as a profiler's or a message-passing library's
// constructor does.
#include <dlfcn.h>
#include <stdlib.h>

__attribute__((constructor)) static void begin(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*init)(unsigned) = NULL;
    if (driver)
        *(void **)&init = dlsym(driver, "cuInit");
    if (!init || init(0) != 0)
        abort();
}
