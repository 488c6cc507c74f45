// An allocator that finds libc's with dlsym when it is first called, as jemalloc and tebako's do: dlsym may itself
// allocate, and whoever interposes dlsym must not allocate or look up in a circle (jemalloc#443, tebako#527). To be
// preloaded together with the guard, in either order.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t), *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int resolving;

static char early[16384];
static size_t early_used;

static void *from_early(size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (early_used + bytes > sizeof early) {
        static const char message[] = "allocator: looking up in a circle\n";
        if (write(2, message, sizeof message - 1) < 0)
            _exit(93);
        _exit(92);
    }
    early_used += bytes;
    return early + early_used - bytes;
}

static int is_early(const void *block) { return (const char *)block >= early && (const char *)block < early + sizeof early; }

// True when libc's functions are known; false while they are being looked up.
static int ready(void)
{
    if (real_free)
        return 1;
    if (resolving)
        return 0;
    resolving = 1;
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    resolving = 0;
    return real_free != NULL;
}

void *malloc(size_t bytes) { return ready() ? real_malloc(bytes) : from_early(bytes); }
void *calloc(size_t count, size_t bytes) { return ready() ? real_calloc(count, bytes) : from_early(count * bytes); }

void *realloc(void *block, size_t bytes)
{
    if (!is_early(block) && ready())
        return real_realloc(block, bytes);
    void *moved = malloc(bytes);
    size_t room = (size_t)(early + sizeof early - (char *)block);
    if (moved && block)
        memcpy(moved, block, bytes < room ? bytes : room);
    return moved;
}

void free(void *block)
{
    if (block && !is_early(block) && ready())
        real_free(block);
}
