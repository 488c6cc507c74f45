// Proves that the header serves C++, and what becomes of entries that are not as they should be. `entries WHAT`:
//
//   throws     the entry throws what main catches
//   empty      no data, and a name that is not text
//   unknown    the name is registered nowhere
//   nameless   the name is empty
//   large      more data than can be passed
//   astray     data that is not there
//   driver     the entry says which of the descriptors 7 and 8 it has
//   keeps      as driver; 8 is open, and closed on exec
//   loops      the fresh process comes to start workers before it came to the registration
//   ends       the fresh process ends before it came to the registration
//   _Fork, forkpty     the fork is one of these, and the next fork is not for the entry either
#include "../../include/forkguard.h"
#include "client.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pty.h>
#include <string>

static driver driver;

static void throws(const void *, size_t) { throw std::string("thrown by the entry"); }

static void has(const void *, size_t)
{
    for (int fd = 7; fd <= 8; fd++)
        say("%s %d\n", fcntl(fd, F_GETFD) >= 0 ? "has" : "has no", fd);
}

static void says(const void *data, size_t len)
{
    in_child();
    say("entry: %zu bytes%s\n", len, data ? "" : ", no place");
}

static void use(const char *who)
{
    in_child();
    int count = -1;
    say("%s: count %d\n", who, driver.cuDeviceGetCount(&count));
    _exit(3);
}

static void start(const char *name, const void *data, size_t len)
{
    forkguard_exec_next(name, data, len);
    pid_t child = fork();
    if (child == 0)
        use("forked");
    say_how_it_ended(child, "worker");
}

static void start_otherwise(const std::string &way)
{
    int terminal = 0;
    forkguard_exec_next("throws", nullptr, 0);
    pid_t child = way == "_Fork" ? _Fork() : forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0)
        use(way.c_str());
    say_how_it_ended(child, way.c_str());
    child = fork();
    if (child == 0)
        use("next");
    say_how_it_ended(child, "next");
}

static int run(const std::string &what)
{
    // A program that registers only in its first run.
    bool again = getenv("STARTED") != nullptr;
    setenv("STARTED", "1", 1);
    forkguard_on_exec("throws", throws);
    forkguard_on_exec("\xff\n", says);
    forkguard_on_exec("has", has);
    if (!again)
        forkguard_on_exec("late", says);
    if (again && what == "ends") {
        printf("ended like any program\n");
        return 0;
    }
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        give_up("%s", dlerror());
    load_by_dlsym(&driver, library);
    if (driver.cuInit(0) != 0)
        give_up("cuInit failed");
    static char byte = 'x';
    if (what == "throws")
        start("throws", &byte, 1);
    else if (what == "empty")
        start("\xff\n", nullptr, 0);
    else if (what == "driver")
        start("has", nullptr, 0);
    else if (what == "keeps" && dup3(0, 8, O_CLOEXEC) == 8)
        start("has", nullptr, 0);
    else if (what == "unknown")
        start("elsewhere", &byte, 1);
    else if (what == "nameless")
        start("", &byte, 1);
    else if (what == "large")
        start("throws", &byte, (size_t)1 << 40);
    else if (what == "astray")
        start("throws", (const void *)16, 100);
    else if (what == "loops" || what == "ends")
        start("late", &byte, 1);
    else if (what == "_Fork" || what == "forkpty")
        start_otherwise(what);
    else
        give_up("nothing is called %s", what.c_str());
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: entries WHAT");
    try {
        return run(arguments[1]);
    } catch (const std::string &thrown) {
        say("main caught: %s\n", thrown.c_str());
        return 8;
    }
}
