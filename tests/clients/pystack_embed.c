// A program that is not Python and takes Python in: libpython is loaded locally, so that no lookup by name finds it
// (nor do extension modules: the script gets the functions it needs from here).
//
//     pystack_embed LIBPYTHON before|script|twice|after|fork|during|left SCRIPT
//
// It calls cuInit once: before Python is loaded, from the script (which runs "twice", in one Python after another, and
// with the functions of Python in reach), after Python has ended ("fork": and then once more
// in a child that it forks, whose exit status is the answer), or from a thread that
// Python knew, while Python ends ("during") or when it has ended ("left"). In the last two the script starts the
// thread, which waits in C.
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *(*build_value)(const char *, ...), *(*save_thread)(void);
static sem_t thread_waits, thread_may_go, thread_done;

static void *must(void *found, const char *what)
{
    if (!found) {
        fprintf(stderr, "%s: %s\n", what, dlerror());
        exit(2);
    }
    return found;
}

static int init_driver(void)
{
    void *driver = must(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), "libcuda.so.1");
    int (*init)(unsigned);
    *(void **)&init = must(dlsym(driver, "cuInit"), "cuInit");
    return init(0);
}

static void *none(void)
{
    return build_value("");
}

// What the script may call; all are called with the GIL held.
static void *script_init_driver(void *self, void *arguments)
{
    (void)self, (void)arguments;
    init_driver();
    return none();
}

// Where the script's thread goes; it never comes back to an interpreter that is no more.
__attribute__((noreturn)) static void *script_wait_then_init(void *self, void *arguments)
{
    (void)self, (void)arguments;
    save_thread();
    sem_post(&thread_waits);
    sem_wait(&thread_may_go);
    init_driver();
    sem_post(&thread_done);
    for (;;)
        pause();
}

// Called by the script's last destructor, "during".
static void *script_let_thread_go(void *self, void *arguments)
{
    (void)self, (void)arguments;
    sem_post(&thread_may_go);
    sem_wait(&thread_done);
    return none();
}

// As Python.h has it.
struct method {
    const char *name;
    void *(*function)(void *, void *);
    int flags;
    const char *doc;
};
enum { NO_ARGUMENTS = 4 };
static struct method methods[] = {
    {"init_driver", script_init_driver, NO_ARGUMENTS, NULL},
    {"wait_then_init", script_wait_then_init, NO_ARGUMENTS, NULL},
    {"let_thread_go", script_let_thread_go, NO_ARGUMENTS, NULL},
};

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

    int scope = strcmp(when, "twice") ? RTLD_LOCAL : RTLD_GLOBAL;
    void *python = must(dlopen(argv[1], RTLD_NOW | scope), argv[1]);
    void (*initialize)(int);
    int (*run)(const char *, void *);
    int (*finalize)(void);
    *(void **)&initialize = must(dlsym(python, "Py_InitializeEx"), "Py_InitializeEx");
    *(void **)&run = must(dlsym(python, "PyRun_SimpleStringFlags"), "PyRun_SimpleStringFlags");
    *(void **)&finalize = must(dlsym(python, "Py_FinalizeEx"), "Py_FinalizeEx");
    void *(*add_module)(const char *), *(*new_function)(struct method *, void *, void *);
    int (*set)(void *, const char *, void *);
    *(void **)&build_value = must(dlsym(python, "Py_BuildValue"), "Py_BuildValue");
    *(void **)&save_thread = must(dlsym(python, "PyEval_SaveThread"), "PyEval_SaveThread");
    *(void **)&add_module = must(dlsym(python, "PyImport_AddModule"), "PyImport_AddModule");
    *(void **)&new_function = must(dlsym(python, "PyCFunction_NewEx"), "PyCFunction_NewEx");
    *(void **)&set = must(dlsym(python, "PyObject_SetAttrString"), "PyObject_SetAttrString");
    for (int round = !strcmp(when, "twice") ? 0 : 1; round < 2; round++) {
        initialize(0);
        for (size_t each = 0; each < sizeof methods / sizeof *methods; each++)
            if (set(add_module("__main__"), methods[each].name, new_function(&methods[each], NULL, NULL)))
                return 5;
        if (run(argv[3], NULL))
            return 3;
        if (!strcmp(when, "left") || !strcmp(when, "during")) {
            // The thread has to be in C, without the GIL, when Python ends.
            void (*restore_thread)(void *);
            *(void **)&restore_thread = must(dlsym(python, "PyEval_RestoreThread"), "PyEval_RestoreThread");
            void *state = save_thread();
            sem_wait(&thread_waits);
            restore_thread(state);
        }
        if (finalize())
            return 4;
    }

    if (!strcmp(when, "after") || !strcmp(when, "fork"))
        init_driver();
    if (!strcmp(when, "fork")) {
        pid_t child = fork();
        if (!child)
            _exit(init_driver());
        int status;
        waitpid(child, &status, 0);
        printf("child exited %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    }
    if (!strcmp(when, "left")) {
        sem_post(&thread_may_go);
        sem_wait(&thread_done);
    }
    puts("ended");
    fflush(stdout);
    // Without destructors: the thread is still there.
    _exit(0);
}
