// Proves that a stack is read by the code that is loaded now. A plugin is loaded, called, and unloaded, and then another
// build of it, by turns; each time what the plugin calls forks, and the child uses CUDA.
#include "client.h"

#include <dlfcn.h>

static CUresult (*init)(unsigned);

static int fork_and_use(void)
{
    pid_t child = fork();
    if (child == 0) {
        in_child();
        _exit(init(0) != 0);
    }
    return say_how_it_ended(child, "child");
}

static void *call(const char *name)
{
    void *plugin = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    int (*function)(int (*)(void)) = plugin ? (int (*)(int (*)(void)))dlsym(plugin, "plugin_call") : NULL;
    if (!function)
        give_up("%s has no plugin_call", name);
    function(fork_and_use);
    if (dlclose(plugin) != 0)
        give_up("%s stays", name);
    return (void *)function;
}

int main(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    init = driver ? (CUresult(*)(unsigned))dlsym(driver, "cuInit") : NULL;
    if (!init || init(0))
        give_up("cuInit failed");
    void *first = call("libplugin_small.so");
    void *second = call("libplugin_large.so");
    void *third = call("libplugin_small.so");
    say("%s\n", first == second && second == third ? "in one place" : "elsewhere");
    return 0;
}
