/* forkguard for C and C++: workers of a program that uses CUDA, by fork, as fresh processes.
 *
 * Under FORKGUARD_POLICY=exec, with libforkguard.so preloaded, a fork that comes after CUDA was
 * initialised is made a fresh process of the same program: the same command line, environment,
 * folder and descriptors, and no CUDA inherited. It runs `main` up to the registration of the
 * entry, and then the entry in place of the rest. In every other case (no guard, another policy,
 * CUDA not initialised, a fresh process not possible) nothing here does anything, and fork is
 * fork. So one path through the program serves both:
 *
 *     #include <forkguard.h>
 *     #include <cuda.h>
 *     #include <stdio.h>
 *     #include <sys/wait.h>
 *     #include <unistd.h>
 *
 *     struct job {
 *         int number;
 *     };
 *
 *     static void worker(const void *data, size_t len)
 *     {
 *         const struct job *job = (const struct job *)data;
 *         printf("worker %d of %zu bytes: cuInit %d\n", job->number, len, cuInit(0));
 *     }
 *
 *     int main(void)
 *     {
 *         forkguard_on_exec("worker", worker);  // first of all
 *         cuInit(0);
 *         for (int i = 0; i < 2; i++) {
 *             struct job job = {i};
 *             forkguard_exec_next("worker", &job, sizeof job);
 *             pid_t pid = fork();
 *             if (pid == 0) {                   // it was a fork
 *                 worker(&job, sizeof job);
 *                 exit(0);
 *             }
 *             waitpid(pid, NULL, 0);            // a child like any other
 *         }
 *         return 0;
 *     }
 *
 * What a worker may count on in both cases: its parent, its pid, the descriptors with their
 * numbers (but those of the GPU's driver), the environment, the folder, the signal mask, its
 * data. What only a fork has is not in a fresh process: variables that `main` has set, memory
 * that it has mapped, signal handlers, and whatever pthread_atfork handlers do. Pointers in the
 * data mean nothing there.
 *
 * Nothing is linked: the two functions look for the guard with dlsym, which before glibc 2.34 is
 * in libdl (-ldl).
 */
#ifndef FORKGUARD_H
#define FORKGUARD_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The preloaded library's function of this name, or NULL. */
static inline void *forkguard_lookup_(const char *name)
{
    /* RTLD_DEFAULT, which is defined with _GNU_SOURCE only. */
    void *found = dlsym((void *)0, name);
    if (!found)
        (void)dlerror(); /* the program's next dlerror() is not about this */
    return found;
}

/* Registers an entry. In a fresh process that was made for the entry of this name, calls it, and
 * then exit(0): it does not return. Everywhere else it returns at once.
 *
 * To be called at the beginning of main, whatever the arguments: what stands before it is done
 * again in each fresh process. A fresh process whose entry is never registered ends with exit
 * code 127, and says so. Up to 256 names of up to 255 bytes. */
static inline void forkguard_on_exec(const char *name, void (*entry)(const void *data, size_t len))
{
    int (*is_here)(const char *, const void **, size_t *);
    void *found = forkguard_lookup_("forkguard_entry");
    const void *data = NULL;
    size_t len = 0;
    if (!found)
        return;
    memcpy(&is_here, &found, sizeof is_here);
    if (is_here(name, &data, &len)) {
        entry(data, len);
        exit(0);
    }
}

/* Says for which entry this thread's next fork() is made, and what it is given: `len` bytes (up
 * to 1 GiB) at `data`, copied by that fork. `name` and `data` must stay until then. The next
 * fork() of this thread, _Fork(), forkpty() and daemon() included, uses it up; these three always
 * are forks. */
static inline void forkguard_exec_next(const char *name, const void *data, size_t len)
{
    void (*next)(const char *, const void *, size_t);
    void *found = forkguard_lookup_("forkguard_exec_next");
    if (!found)
        return;
    memcpy(&next, &found, sizeof next);
    next(name, data, len);
}

#ifdef __cplusplus
}
#endif

#endif
