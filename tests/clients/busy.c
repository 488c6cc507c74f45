// Proves that a fork while other threads are in lookups and first calls leaves no lock held in the child
// (mirrord#3659): three threads look names up and call the driver without pause, the main thread forks again and
// again, and every child looks up, loads a library and calls as well. `busy before|after`: the forks come before anybody initialised
// (children use CUDA) or after (children only look up, and ask for the version).
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

static void *library;
static atomic_int stop;

static void look_up_all(void)
{
#define F(name) #name,
#define D(name)
    static const char *const names[] = {
#include "../driver/libcuda.def"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!dlsym(library, names[i]))
            give_up("%s", dlerror());
}

static void *be_busy(void *unused)
{
    int version, status;
    void *found;
    while (!atomic_load(&stop)) {
        CUresult (*get)(const char *, void **, int, uint64_t, int *) = NULL;
        CUresult (*get_version)(int *) = NULL;
        *(void **)&get = dlsym(library, "cuGetProcAddress_v2");
        if (!get || get("cuDriverGetVersion", (void **)&get_version, 12000, 0, &status) != 0 || !get_version ||
            get_version(&version) != 0)
            give_up("a busy thread was refused");
        for (int version_asked = 2000; version_asked < 13000; version_asked += 500)
            get("cuMemAlloc", &found, version_asked, 0, &status);
    }
    return unused;
}

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: busy before|after");
    int after = strcmp(arguments[1], "after") == 0;
    pthread_t threads[3];
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    struct driver driver;
    load_by_dlsym(&driver, library);
    if (after && driver.cuInit(0) != 0)
        give_up("cuInit failed");
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, be_busy, NULL);
    for (int round = 0; round < 100; round++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(patience(10));  // a lock that is held for ever shows as death by SIGALRM
            int number;
            look_up_all();
            if (!dlopen("libnext_two.so", RTLD_NOW))  // the loader's own locks must be free, too
                give_up("%s", dlerror());
            CUresult result = driver.cuDriverGetVersion(&number);
            if (!after)
                result |= driver.cuInit(0) | driver.cuDeviceGetCount(&number);
            _exit(result);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            give_up("the child of round %d ended with status %#x", round, status);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    say("every child was well\n");
    return 0;
}
