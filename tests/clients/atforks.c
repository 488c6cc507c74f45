// Proves that a program whose fork handlers are busy forks as it would without the guard (libpwq#33): handlers
// registered before and after libcuda came, each looking names up, calling the driver, opening a library and
// registering a further handler. `atforks clean|use`
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>

static struct driver driver;
static void *library;
static int prepared, in_parent, in_the_child, extra;

static void count_extra(void) { extra++; }

static void busy(int *counter)
{
    int version = 0;
    ++*counter;
    if (!dlsym(library, "cuDriverGetVersion") || !dlsym(RTLD_DEFAULT, "getpid"))
        give_up("a lookup in a fork handler failed");
    if (driver.cuDriverGetVersion(&version) != 0 || version == 0)
        give_up("cuDriverGetVersion in a fork handler failed");
    void *opened = dlopen("libnext_two.so", RTLD_NOW);
    if (!opened)
        give_up("%s", dlerror());
    dlclose(opened);
}

static void prepare(void) { busy(&prepared); }
static void parent(void) { busy(&in_parent); }
static void child(void)
{
    busy(&in_the_child);
    pthread_atfork(NULL, NULL, count_extra);
}

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: atforks clean|use");
    for (int i = 0; i < 20; i++)
        pthread_atfork(prepare, parent, child);
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
    for (int i = 0; i < 20; i++)
        pthread_atfork(prepare, parent, child);
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");
    pid_t first = fork();
    if (first == 0) {
        in_child();
        say("child handlers %d %d %d\n", prepared, in_parent, in_the_child);
        pid_t second = fork();
        if (second == 0) {
            in_child();
            say("grandchild handlers %d %d %d %d\n", prepared, in_parent, in_the_child, extra);
            int devices;
            if (strcmp(arguments[1], "use") == 0)
                say("grandchild count %d\n", driver.cuDeviceGetCount(&devices));
            _exit(4);
        }
        say_how_it_ended(second, "grandchild");
        _exit(5);
    }
    say_how_it_ended(first, "child");
    say("parent handlers %d %d %d\n", prepared, in_parent, in_the_child);
    return 0;
}
