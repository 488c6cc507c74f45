// The stand-in for XLA's plugin for CUDA, and for one of another device: a table of functions given out by GetPjrtApi, of which a few do something. As
// with the real one, an operation is handed to a thread of the plugin's own, which a forked child does not have: the
// operation waits for ever there, and no driver call is made.
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>

enum {
    ERROR_MESSAGE = 1,
    EVENT_ON_READY = 9,
    CLIENT_CREATE = 10,
    CLIENT_DESTROY = 11,
    CLIENT_LOOKUP_DEVICE = 17,
    LOADED_EXECUTABLE_EXECUTE = 55,
    BUFFER_DESTROY = 58,
    BUFFER_READY_EVENT = 72,
    FUNCTIONS = 120,
};

// The form of PJRT_Api (xla/pjrt/c/pjrt_c_api.h): its size, a list of extensions, a version, then functions.
static struct {
    size_t size;
    void *extensions;
    struct {
        size_t size;
        void *extensions;
        int major, minor;
    } version;
    void *(*functions[FUNCTIONS])(void *);
} api;

// PJRT_Error_Message_Args.
struct message {
    size_t size;
    void *extensions;
    const void *error;
    const char *text;
    size_t length;
};

static pthread_t worker;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int asked, done;

static void *work(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (asked == done)
            pthread_cond_wait(&changed, &lock);
        done = asked;
        pthread_cond_broadcast(&changed);
    }
    return unused;
}

// Each answers NULL, which is "no error", or a text.
static void *nothing(void *unused)
{
    (void)unused;
    return NULL;
}

static void *create(void *unused)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CUresult (*init)(unsigned) = driver ? (CUresult(*)(unsigned))dlsym(driver, "cuInit") : NULL;
    (void)unused;
    if (!init || init(0) != 0)
        return "no CUDA";
    return pthread_create(&worker, NULL, work, NULL) == 0 ? NULL : "no thread";
}

static void *message(void *arguments)
{
    struct message *message = arguments;
    message->text = message->error;
    message->length = strlen(message->text);
    return NULL;
}

static void *lookup(void *unused)
{
    (void)unused;
    return "no such device";
}

// As the real one does, it waits for its thread.
static void *destroy_client(void *unused)
{
    (void)unused;
    pthread_join(worker, NULL);
    return NULL;
}

static void *execute(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    asked++;
    pthread_cond_broadcast(&changed);
    while (asked != done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

// What waits for work, and what gives out the thing to wait for, which needs no thread.
static void *on_ready(void *unused) { return execute(unused); }

static void *ready_event(void *unused)
{
    (void)unused;
    return asked < 0 ? "never" : NULL;
}

const void *GetPjrtApi(void)
{
    if (api.size == 0) {
        api.extensions = &lock;  // anything: it must come through unchanged
        api.version.size = sizeof api.version;
        api.version.minor = 90;
        for (int i = 0; i < FUNCTIONS; i++)
            api.functions[i] = nothing;
        api.functions[ERROR_MESSAGE] = message;
        api.functions[CLIENT_CREATE] = create;
        api.functions[CLIENT_DESTROY] = destroy_client;
        api.functions[CLIENT_LOOKUP_DEVICE] = lookup;
        api.functions[LOADED_EXECUTABLE_EXECUTE] = execute;
        api.functions[EVENT_ON_READY] = on_ready;
        api.functions[BUFFER_READY_EVENT] = ready_event;
        api.functions[FUNCTIONS - 1] = NULL;  // a plugin leaves out what it does not have
        api.size = sizeof api;
    }
    return &api;
}
