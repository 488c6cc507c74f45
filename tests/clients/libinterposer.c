// Somebody else's interposer of cuInit, as a profiler brings one: counts the calls and goes on to the next cuInit.
// It must never be given itself, or the guard's function that would lead back to it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int calls, depth;

int interposer_calls(void) { return calls; }

int cuInit(unsigned flags)
{
    calls++;
    if (++depth > 1) {
        dprintf(2, "interposer: asked RTLD_NEXT for cuInit and came back to itself\n");
        exit(91);
    }
    int result = 0;
    for (int i = 0; i < 2; i++) {  // twice, because one guard's second answer was NULL
        int (*next)(unsigned) = (int (*)(unsigned))dlsym(RTLD_NEXT, "cuInit");
        if (!next || next == cuInit) {
            dprintf(2, "interposer: RTLD_NEXT gave %s\n", next ? "itself" : "NULL");
            exit(92);
        }
        result = next(flags);
    }
    depth--;
    return result;
}
