// Proves that a decoder's calls are seen: libnvcuvid.so.1 is opened by dlopen and has the driver under it, as
// ffmpeg uses them. `cuvid use|child-use|child-teardown|child-clean`
#include "client.h"

#include <dlfcn.h>

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: cuvid use|child-use|child-teardown|child-clean");
    void *cuda = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    void *cuvid = dlopen("libnvcuvid.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!cuda || !cuvid)
        give_up("%s", dlerror());
    CUresult (*init)(unsigned) = (CUresult(*)(unsigned))dlsym(cuda, "cuInit");
    CUresult (*create)(void **, void *) = (CUresult(*)(void **, void *))dlsym(cuvid, "cuvidCreateDecoder");
    CUresult (*decode)(void *, void *) = (CUresult(*)(void *, void *))dlsym(cuvid, "cuvidDecodePicture");
    CUresult (*destroy)(void *) = (CUresult(*)(void *))dlsym(cuvid, "cuvidDestroyDecoder");
    if (!init || !create || !decode || !destroy)
        give_up("%s", dlerror());
    void *decoder = NULL;
    int parameters[64] = {0};
    say("before init: create %d\n", create(&decoder, parameters));
    say("init %d\n", init(0));
    say("create %d decode %d\n", create(&decoder, parameters), decode(decoder, parameters));
    if (strcmp(arguments[1], "use") == 0) {
        say("destroy %d\n", destroy(decoder));
        return 0;
    }
    pid_t child = fork();
    if (child == 0) {
        in_child();
        if (strcmp(arguments[1], "child-use") == 0)
            say("child decode %d\n", decode(decoder, parameters));
        else if (strcmp(arguments[1], "child-teardown") == 0)
            say("child destroy %d\n", destroy(decoder));
        _exit(3);
    }
    say_how_it_ended(child, "child");
    say("parent decode %d\n", decode(decoder, parameters));
    return 0;
}
