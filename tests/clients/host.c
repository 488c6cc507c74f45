// Proves that the driver is found, and its use seen, when only a plug-in opened by dlopen is linked with it.
// `host local|global|deepbind LIBRARY SCENARIO`: deepbind makes the plug-in look in its own libraries before
// any preloaded one, so the guard cannot see it; it must then be as if there were no guard.
#include "client.h"

#include <dlfcn.h>

int main(int count, char **arguments)
{
    if (count != 4)
        give_up("usage: host local|global|deepbind LIBRARY SCENARIO");
    int how = RTLD_NOW | (strcmp(arguments[1], "global") == 0     ? RTLD_GLOBAL
                          : strcmp(arguments[1], "deepbind") == 0 ? RTLD_LOCAL | RTLD_DEEPBIND
                                                                  : RTLD_LOCAL);
    void *plugin = dlopen(arguments[2], how);
    if (!plugin)
        give_up("%s", dlerror());
    int (*run)(const char *) = (int (*)(const char *))dlsym(plugin, "plugin_main");
    if (!run)
        give_up("%s", dlerror());
    return run(arguments[3]);
}
