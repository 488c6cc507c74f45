// A program that is not Python and takes Python in: libpython is loaded locally, so that no lookup by name finds it.
//
//     pystack_embed LIBPYTHON before|script|after|during|left SCRIPT
//
// It calls cuInit once: before Python is loaded, from the script, after Python has ended, or from a thread that
// Python knew, while Python ends ("during") or when it has ended ("left"). In the last two the script starts the
// thread, which waits in C.
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sem_t thread_waits, thread_may_go, thread_done;

static void *must(void *found, const char *what)
{
    if (!found) {
        fprintf(stderr, "%s: %s\n", what, dlerror());
        exit(2);
    }
    return found;
}

// The script's way to the driver, too.
int init_driver(void)
{
    void *driver = must(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), "libcuda.so.1");
    int (*init)(unsigned);
    *(void **)&init = must(dlsym(driver, "cuInit"), "cuInit");
    return init(0);
}

// Where the script's thread goes; it never comes back to an interpreter that is no more.
void wait_then_init(void)
{
    sem_post(&thread_waits);
    sem_wait(&thread_may_go);
    init_driver();
    sem_post(&thread_done);
    for (;;)
        pause();
}

// The script calls it when the thread has been started.
void wait_for_thread(void)
{
    sem_wait(&thread_waits);
}

// The script's last destructor calls it "during".
void let_thread_go(void)
{
    sem_post(&thread_may_go);
    sem_wait(&thread_done);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const char *when = argv[2];
    sem_init(&thread_waits, 0, 0);
    sem_init(&thread_may_go, 0, 0);
    sem_init(&thread_done, 0, 0);
    if (!strcmp(when, "before"))
        init_driver();

    void *python = must(dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), argv[1]);
    void (*initialize)(int);
    int (*run)(const char *, void *);
    int (*finalize)(void);
    *(void **)&initialize = must(dlsym(python, "Py_InitializeEx"), "Py_InitializeEx");
    *(void **)&run = must(dlsym(python, "PyRun_SimpleStringFlags"), "PyRun_SimpleStringFlags");
    *(void **)&finalize = must(dlsym(python, "Py_FinalizeEx"), "Py_FinalizeEx");
    initialize(0);
    if (run(argv[3], NULL))
        return 3;
    if (finalize())
        return 4;

    if (!strcmp(when, "after"))
        init_driver();
    if (!strcmp(when, "left"))
        let_thread_go();
    puts("ended");
    fflush(stdout);
    // Without destructors: the thread is still there.
    _exit(0);
}
