// Proves where the first call of a function goes: prints, for a function as `dlsym` gave it, whether its stub leads to
// the function already or to the gate; in a process, after cuInit in it, and in its forked child. x86-64: a stub is
// `lea trap(%rip), %r11; add slot(%rip), %r11; jmp *%r11`, and leads to the gate while its slot is 0.
#include "client.h"

#include <dlfcn.h>

static const unsigned char lea[] = {0x4c, 0x8d, 0x1d}, add[] = {0x4c, 0x03, 0x1d};

static const char *leads(void *library, const char *name)
{
    const unsigned char *stub = dlsym(library, name);
    int32_t distance;
    int64_t slot;
    if (!stub || memcmp(stub, lea, sizeof lea) != 0 || memcmp(stub + 7, add, sizeof add) != 0)
        give_up("%s is no stub", name);
    memcpy(&distance, stub + 10, sizeof distance);
    memcpy(&slot, stub + 14 + distance, sizeof slot);
    return slot ? "to the function" : "to the gate";
}

static void tell(const char *where, void *library)
{
    static const char *const names[] = {"cuInit", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        printf("%s, %s leads %s\n", where, names[i], leads(library, names[i]));
    fflush(stdout);
}

int main(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    tell("before", library);
    if (((CUresult(*)(unsigned))dlsym(library, "cuInit"))(0) != 0)
        give_up("cuInit failed");
    tell("after", library);
    pid_t child = fork();
    if (child == 0) {
        tell("child", library);
        _exit(0);
    }
    return say_how_it_ended(child, "child");
}
