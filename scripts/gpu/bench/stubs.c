// Takes the guard's stubs out of the process that loads this, puts them back, and counts the calls that go through them.
//
// A program that is guarded holds, wherever it keeps the driver's functions, addresses of stubs. Each of these words can
// be exchanged for the true function's address and back while the program stands between two pieces of work: the same
// process, with its memory where it is, then goes with the guard in its way and without it, by turns. What is left out
// of that are the guard's hooks in other functions than the driver's.
//
// Counting leaves the program's words alone: the slots, by which the stubs find the functions, lead over a counter.
//
// Knows the machine code of src/gate/x86_64.rs. May be loaded where there is no guard; then there is nothing to find.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the stubs are known on x86-64 only"
#endif

// CAPACITY and TRAP are the gate's, as are the instructions that make up a STUB.
enum { CAPACITY = 2048, TRAP = 16, STUB = 17, MOST = 1 << 16, PAGE = 4096, PAGES = 256, THUNK = 32, AT_ONCE = 1024 };
#define PRESENT_OR_SWAPPED (UINT64_C(3) << 62)

struct place {
    uint64_t address, stub, target;
};

// All that this holds of stubs is in one shared mapping, which the search passes over.
struct held {
    struct place places[MOST];
    uint64_t there[PAGES];
    uint64_t words[PAGES * PAGE / 8];
    int64_t was[CAPACITY];
    uint64_t counted[CAPACITY];
    uint8_t thunks[CAPACITY][THUNK];
};

static struct held *held;
static int found;
// The guard's memory, all of it and what of it is code; its first trap and slot.
static uint64_t guard_from, guard_to, code_from, code_to, traps;
static int64_t *slots;

struct region {
    uint64_t from, to;
    unsigned long file;
    char access[5], path[256];
};

static int next_region(FILE *maps, struct region *region)
{
    char line[512];
    if (!fgets(line, sizeof line, maps))
        return 0;
    region->path[0] = 0;
    return sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu %255s", &region->from, &region->to, region->access, &region->file,
                  region->path) >= 4;
}

static int stub_at(uint64_t address, uint64_t *trap, int64_t **slot)
{
    if (address < code_from || address > code_to - STUB)
        return 0;
    const uint8_t *code = (const uint8_t *)address;
    if (memcmp(code, "\x4c\x8d\x1d", 3) != 0 || memcmp(code + 7, "\x4c\x03\x1d", 3) != 0 ||
        memcmp(code + 14, "\x41\xff\xe3", 3) != 0)
        return 0;
    int32_t distance;
    memcpy(&distance, code + 3, sizeof distance);
    *trap = address + 7 + (uint64_t)(int64_t)distance;
    memcpy(&distance, code + 10, sizeof distance);
    *slot = (int64_t *)(address + 14 + (uint64_t)(int64_t)distance);
    return 1;
}

// Where the guard is in this process; 0 where it is not.
static int look_at_the_guard(void)
{
    void *known = dlsym(RTLD_DEFAULT, "forkguard_violation");
    FILE *maps = known ? fopen("/proc/self/maps", "r") : NULL;
    if (!maps)
        return 0;
    struct region region;
    unsigned long file = 0;
    while (next_region(maps, &region))
        if (region.from <= (uint64_t)known && (uint64_t)known < region.to) {
            file = region.file;
            code_from = region.from;
            code_to = region.to;
        }
    rewind(maps);
    guard_from = guard_to = 0;
    while (next_region(maps, &region)) {
        // What follows the file's mappings and has no name are its variables that begin as zeros.
        int follows = guard_to == region.from && region.file == 0 && region.path[0] == 0;
        if (region.file == file || follows) {
            guard_from = guard_from ? guard_from : region.from;
            guard_to = region.to;
        }
    }
    fclose(maps);
    for (uint64_t at = code_from; at < code_to; at++) {
        uint64_t trap;
        int64_t *slot;
        uint32_t index;
        if (!stub_at(at, &trap, &slot) || trap < code_from || trap + TRAP > code_to ||
            memcmp((const void *)trap, "\x41\xbb", 2) != 0)
            continue;
        memcpy(&index, (const uint8_t *)trap + 2, sizeof index);
        if (index >= CAPACITY)
            continue;
        traps = trap - (uint64_t)index * TRAP;
        slots = slot - index;
        return 1;
    }
    return 0;
}

static int begin(void)
{
    if (held)
        return 1;
    if (!look_at_the_guard())
        return 0;
    void *room = mmap(NULL, sizeof *held, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    held = room == MAP_FAILED ? NULL : room;
    return held != NULL;
}

// Another thread may give memory back meanwhile: the kernel reads and writes, and says so where it cannot.
static int moved(uint64_t address, void *mine, size_t size, int write)
{
    struct iovec here = {mine, size}, there = {(void *)address, size};
    ssize_t done = write ? process_vm_writev(getpid(), &here, 1, &there, 1, 0)
                         : process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    return done == (ssize_t)size;
}

static void search_words(uint64_t from, size_t bytes)
{
    if (!moved(from, held->words, bytes, 0))
        return;
    for (size_t word = 0; word < bytes / 8; word++) {
        uint64_t trap, stub = held->words[word];
        int64_t *slot;
        // An empty slot's function was not called yet, and its address is the guard's to know.
        if (!stub_at(stub, &trap, &slot) || *slot == 0 || found == MOST)
            continue;
        held->places[found++] = (struct place){from + 8 * word, stub, trap + (uint64_t)*slot};
    }
}

// Of pages that the program has used; to read the others would give it some.
static void search(int pagemap, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += (uint64_t)PAGES * PAGE) {
        size_t pages = (to - at) / PAGE < PAGES ? (to - at) / PAGE : PAGES;
        if (pread(pagemap, held->there, pages * 8, (off_t)(at / PAGE * 8)) != (ssize_t)(pages * 8))
            return;
        for (size_t page = 0; page < pages;) {
            size_t first = page;
            while (page < pages && held->there[page] & PRESENT_OR_SWAPPED)
                page++;
            if (page > first)
                search_words(at + first * PAGE, (page - first) * PAGE);
            else
                page++;
        }
    }
}

// How many words of the program's memory are addresses of stubs; -1 where there is no guard.
int stubs_find(void)
{
    if (!begin())
        return -1;
    FILE *maps = fopen("/proc/self/maps", "r");
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    found = 0;
    struct region region;
    while (maps && pagemap >= 0 && next_region(maps, &region)) {
        int own = region.from >= guard_from && region.to <= guard_to;
        int device = strncmp(region.path, "/dev/", 5) == 0;
        // This thread's own stack has what this search left there.
        if (memcmp(region.access, "rw", 2) == 0 && region.access[3] == 'p' && !own && !device &&
            strcmp(region.path, "[stack]") != 0)
            search(pagemap, region.from, region.to);
    }
    if (maps)
        fclose(maps);
    if (pagemap >= 0)
        close(pagemap);
    return found;
}

// Words between `held->words` and their places, in one system call, for there may be a thousand of them; one by one where
// some of the memory was given back meanwhile. Words that cannot be read are zeros.
static void move_words(struct iovec *there, int count, int write)
{
    struct iovec here = {held->words, (size_t)count * 8};
    ssize_t done = write ? process_vm_writev(getpid(), &here, 1, there, (unsigned long)count, 0)
                         : process_vm_readv(getpid(), &here, 1, there, (unsigned long)count, 0);
    if (done == (ssize_t)here.iov_len)
        return;
    for (int number = 0; number < count; number++)
        if (!moved((uint64_t)there[number].iov_base, &held->words[number], 8, write) && !write)
            held->words[number] = 0;
}

// Of the words found, those that are what they were are exchanged; returns how many. The others are not written: they
// are the program's.
static int exchange(int out)
{
    struct iovec there[AT_ONCE];
    int done = 0;
    for (int first = 0; first < found; first += AT_ONCE) {
        struct place *places = &held->places[first];
        int count = found - first < AT_ONCE ? found - first : AT_ONCE, same = 0;
        for (int number = 0; number < count; number++)
            there[number] = (struct iovec){(void *)places[number].address, 8};
        move_words(there, count, 0);
        for (int number = 0; number < count; number++) {
            if (held->words[number] != (out ? places[number].stub : places[number].target))
                continue;
            there[same] = there[number];
            held->words[same++] = out ? places[number].target : places[number].stub;
        }
        move_words(there, same, 1);
        done += same;
    }
    return done;
}

// From now on the program calls the driver itself.
int stubs_out(void)
{
    return exchange(1);
}

// From now on the program calls the stubs again.
int stubs_in(void)
{
    return exchange(0);
}

// From now on calls are counted. A slot that is empty is left to the gate, and its calls are not.
void stubs_count(void)
{
    if (!begin())
        return;
    for (int index = 0; index < CAPACITY; index++) {
        int64_t slot = __atomic_load_n(&slots[index], __ATOMIC_RELAXED);
        uint64_t trap = traps + (uint64_t)index * TRAP, target = trap + (uint64_t)slot;
        uint8_t *thunk = held->thunks[index];
        held->counted[index] = 0;
        held->was[index] = slot;
        if (!slot)
            continue;
        // lock inc qword ptr [rip + …]; movabs r11, target; jmp r11
        int32_t distance = (int32_t)((uint8_t *)&held->counted[index] - (thunk + 8));
        memcpy(thunk, "\xf0\x48\xff\x05", 4);
        memcpy(thunk + 4, &distance, 4);
        memcpy(thunk + 8, "\x49\xbb", 2);
        memcpy(thunk + 10, &target, 8);
        memcpy(thunk + 18, "\x41\xff\xe3", 3);
        __atomic_store_n(&slots[index], (int64_t)((uint64_t)thunk - trap), __ATOMIC_RELEASE);
    }
}

// Ends counting, and tells of each function that was called, in a line: its name and how often. Returns how many calls.
uint64_t stubs_counted(char *text, size_t size)
{
    uint64_t all = 0;
    size_t used = 0;
    if (size)
        text[0] = 0;
    for (int index = 0; held && index < CAPACITY; index++) {
        uint64_t trap = traps + (uint64_t)index * TRAP, calls = held->counted[index];
        int64_t counting = (int64_t)((uint64_t)held->thunks[index] - trap);
        // What a fork or the gate has written meanwhile stays.
        if (held->was[index])
            __atomic_compare_exchange_n(&slots[index], &counting, held->was[index], 0, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED);
        if (!held->was[index] || !calls)
            continue;
        all += calls;
        Dl_info told;
        int known = dladdr((void *)(trap + (uint64_t)held->was[index]), &told) && told.dli_sname;
        int wrote = snprintf(text + used, size - used, "%s %lu\n", known ? told.dli_sname : "?", calls);
        if (wrote > 0 && used + (size_t)wrote < size)
            used += (size_t)wrote;
    }
    return all;
}
