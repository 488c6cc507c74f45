/*
 * Functions that are libc's since glibc 2.34 and were libdl's and libpthread's before: hidden copies that call them.
 *
 * The library would have to need libdl and libpthread by name, and every process on a newer system would load two
 * empty files for nothing, which costs as much as half of all else that the guard does at a start. So each function is
 * taken from wherever it is when the program is loaded; where it was in none of the program's libraries then, it is
 * looked for when it is called: who calls it has come by a library that needs it.
 *
 * stubs reads the names from this file, and leaves them out of what the C library offers by name alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif

/* The library's own, which asks the true one. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));

#define LATER(result, name, parameters, arguments, otherwise)                                                          \
    extern result offered_##name parameters __attribute__((weak));                                                    \
    __asm__(".symver offered_" #name ", " #name "@" OLDEST);                                                           \
    result name parameters {                                                                                          \
        result(*function) parameters = offered_##name;                                                                \
        if (!function && dlsym)                                                                                       \
            function = (result(*) parameters)dlsym(NULL, #name);                                                      \
        return function ? function arguments : (otherwise);                                                           \
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
