// The first of two libraries that define who_am_i; asks the loader for the one after itself.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

const char *who_am_i(void) { return "one"; }

const char *next_after_one(void)
{
    const char *(*next)(void) = (const char *(*)(void))dlsym(RTLD_NEXT, "who_am_i");
    return next ? next() : NULL;
}
