/* What the languages call: cuInit by dlsym, as their own bindings do. */
#include <dlfcn.h>

void ask(int *answer) {
    static int (*init)(unsigned);
    void *driver;

    if (!init && (driver = dlopen("libcuda.so.1", RTLD_NOW)))
        init = (int (*)(unsigned))dlsym(driver, "cuInit");
    *answer = init ? init(0) : -2;
}
