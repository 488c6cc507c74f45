// Proves that an operation of JAX in a forked child is seen although no driver call is made: it goes through the
// plugin's table of functions. `pjrt PLUGIN use|child-use|child-clean|child-errors`: the parent creates a client and
// executes; the child executes (and waits for ever, until its alarm), or only reads the list of devices and frees an
// array, or reads the errors that it is given, and frees the client.
#include "client.h"

#include <dlfcn.h>

enum {
    ERROR_DESTROY = 0,
    ERROR_MESSAGE = 1,
    ERROR_GET_CODE = 2,
    EVENT_ON_READY = 9,
    CLIENT_CREATE = 10,
    CLIENT_DESTROY = 11,
    CLIENT_DEVICES = 15,
    CLIENT_LOOKUP_DEVICE = 17,
    LOADED_EXECUTABLE_EXECUTE = 55,
    BUFFER_DESTROY = 58,
    BUFFER_READY_EVENT = 72,
};

// The arguments of the functions about errors, as pjrt_c_api.h has them.
struct error {
    size_t size;
    void *extensions;
    void *error;
    union {
        int code;
        struct {
            const char *text;
            size_t length;
        };
    };
};

struct api {
    size_t size;
    void *extensions;
    struct {
        size_t size;
        void *extensions;
        int major, minor;
    } version;
    void *(*functions[120])(void *);
};

static const char *outcome(void *error) { return error ? error : "well"; }

struct on_ready {
    size_t size;
    void *extensions, *event;
    void (*callback)(void *error, void *argument);
    void *argument;
};

static void ready(void *error, void *argument) { *(void **)argument = error; }

static void read_errors(const struct api *api)
{
    char parent[32];
    struct error read = {.size = sizeof read, .error = api->functions[LOADED_EXECUTABLE_EXECUTE](NULL)};
    if (!read.error)
        give_up("the child executed");
    if (api->functions[ERROR_GET_CODE](&read))
        give_up("no code");
    say("child code %d\n", read.code);
    api->functions[ERROR_MESSAGE](&read);
    snprintf(parent, sizeof parent, "parent process (pid %d)", (int)getppid());
    say("child message %s\n", memmem(read.text, read.length, parent, strlen(parent)) ? "names the parent" : read.text);
    api->functions[ERROR_DESTROY](&read);
    void *told = NULL;
    struct on_ready wait = {.size = sizeof wait, .callback = ready, .argument = &told};
    say("child event %s\n", outcome(api->functions[BUFFER_READY_EVENT](NULL)));
    const char *waited = outcome(api->functions[EVENT_ON_READY](&wait));
    say("child wait %s, called back with %s\n", waited, told == read.error ? "the error" : "another thing");
    read.error = api->functions[CLIENT_LOOKUP_DEVICE](NULL);
    api->functions[ERROR_MESSAGE](&read);
    say("child lookup: %.*s\n", (int)read.length, read.text);
    say("child client destroyed %s\n", outcome(api->functions[CLIENT_DESTROY](NULL)));
}

int main(int count, char **arguments)
{
    if (count != 3)
        give_up("usage: pjrt PLUGIN use|child-use|child-clean|child-errors");
    void *plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin)
        give_up("%s", dlerror());
    const struct api *(*get)(void) = (const struct api *(*)(void))dlsym(plugin, "GetPjrtApi");
    if (!get)
        give_up("%s", dlerror());
    const struct api *api = get();
    if (api->size != sizeof *api || !api->extensions || api->version.minor != 90 || api->functions[119] ||
        get() != api)
        give_up("the table is not what the plugin made");
    say("create %s\n", outcome(api->functions[CLIENT_CREATE](NULL)));
    say("execute %s\n", outcome(api->functions[LOADED_EXECUTABLE_EXECUTE](NULL)));
    if (strcmp(arguments[2], "use") == 0)
        return 0;
    pid_t child = fork();
    if (child == 0) {
        say("child devices %s\n", outcome(api->functions[CLIENT_DEVICES](NULL)));
        say("child destroy %s\n", outcome(api->functions[BUFFER_DESTROY](NULL)));
        if (strcmp(arguments[2], "child-errors") == 0) {
            alarm(patience(2));
            read_errors(api);
        }
        if (strcmp(arguments[2], "child-use") == 0) {
            alarm(patience(2));
            say("child execute %s\n", outcome(api->functions[LOADED_EXECUTABLE_EXECUTE](NULL)));
        }
        _exit(3);
    }
    say_how_it_ended(child, "child");
    say("execute %s\n", outcome(api->functions[LOADED_EXECUTABLE_EXECUTE](NULL)));
    return 0;
}
