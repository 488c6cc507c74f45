// Proves that a C++ exception thrown in a callback goes through the first call of a driver function, that is
// through the guard's trap, to the caller's handler, and that destructors run on the way. `throws`
#include "client.h"

#include <dlfcn.h>
#include <stdexcept>

static int destroyed;

struct Witness {
    ~Witness() { destroyed++; }
};

static void throw_it(void *text)
{
    Witness inner;
    throw std::runtime_error(static_cast<const char *>(text));
}

int main()
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    auto call = reinterpret_cast<int (*)(void (*)(void *), void *)>(dlsym(library, "cuForkguardTestCallback"));
    if (!call)
        give_up("%s", dlerror());
    for (int round = 0; round < 2; round++) {  // the trap first, the filled slot then
        char text[] = "through the driver";
        try {
            Witness outer;
            call(throw_it, text);
            give_up("the callback did not throw");
        } catch (const std::runtime_error &error) {
            say("caught: %s, %d destroyed\n", error.what(), destroyed);
        }
    }
    return 0;
}
