/*
 * Functions that are libc's since glibc 2.34 and were libdl's and libpthread's before: hidden copies that call them.
 *
 * The library would have to need libdl and libpthread by name, and every process on a newer system would load two
 * empty files for nothing, which costs as much as half of all else that the guard does at a start. So each function is
 * looked for when it is first called: who calls it has come by a library that needs it. A weak reference would not do: it
 * has a version, a version goes with the library that has it, and where that one (libc) turns out not to have the
 * function, an old loader ends the process.
 *
 * stubs reads the names from this file, and leaves them out of what the C library offers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* The library's own, which asks the true one. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));

#define LATER(result, name, parameters, arguments, otherwise)                                                          \
    static result(*found_##name) parameters;                                                                          \
    result name parameters {                                                                                          \
        if (!found_##name && dlsym)                                                                                   \
            found_##name = (result(*) parameters)dlsym(NULL, #name);                                                  \
        return found_##name ? found_##name arguments : (otherwise);                                                   \
    }

LATER(void *, dlopen, (const char *path, int mode), (path, mode), NULL)
LATER(int, dlclose, (void *handle), (handle), -1)
LATER(char *, dlerror, (void), (), NULL)
LATER(int, pthread_create,
      (pthread_t *restrict into, const pthread_attr_t *restrict how, void *(*start)(void *), void *restrict argument),
      (into, how, start, argument), EAGAIN)
LATER(int, pthread_join, (pthread_t thread, void **result), (thread, result), ESRCH)
LATER(int, pthread_attr_setstacksize, (pthread_attr_t *how, size_t size), (how, size), EINVAL)
LATER(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value), EINVAL)

/* Always libc's, and for the calling thread alone on Linux. */
int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict before) {
    return sigprocmask(how, set, before) ? errno : 0;
}

/* Called in forked children, where the loader's lock may be held for ever. */
__attribute__((constructor)) static void find_what_children_call(void) {
    if (dlsym)
        found_pthread_setspecific = (int (*)(pthread_key_t, const void *))dlsym(NULL, "pthread_setspecific");
}
