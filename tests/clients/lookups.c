// Proves that lookups which are not the driver's business, or only look like it, have the answers they would have
// without the guard. `lookups CASE`; each prints what it found and ends with 0 when that is right.
//
//   next-main      RTLD_NEXT from the program: an ordinary name, twice (HAMi-core#279: the second gave NULL)
//   next-library   RTLD_NEXT from a library: it must find the definition after that library, not after the guard
//                  (HAMi#2903: the hook had become the caller), twice
//   next-missing   RTLD_NEXT for the driver's names where no libcuda follows: NULL
//   next-local     RTLD_NEXT and RTLD_DEFAULT for the driver's names with a libcuda opened RTLD_LOCAL: NULL
//   default-absent RTLD_DEFAULT for the driver's names while no libcuda is loaded: NULL
//   wrong-handle   a driver's name asked of a library that has none, libm: NULL and an error text (HAMi-core: crash)
//   null-name      errors: an unknown name gives NULL and a dlerror that names it
//   lookalikes     names that begin with cu but are not the driver's (HAMi-core#215): cudnn, cufft, curl, true pointers
//   lookalike-driver-name  a library of its own that exports cuGetWell, outside libcuda: true pointer
//   no-v2          names that the driver does not have stay unknown (nvshare#18)
//   null-out       cuGetProcAddress without a place for its answer, or without a name, refuses (HAMi-core#333)
//   same-pointer   two lookups of a name give one pointer, by whatever way
//   dladdr         the address of a function that is not the driver's belongs to its own library
//   versioned      dlvsym: memcpy at two versions of libc differ as they do without the guard
#include "client.h"

#include <dlfcn.h>

#define IS(other) (strcmp(wanted, other) == 0)
#define expect(condition, ...)                                                                                    \
    do {                                                                                                          \
        if (!(condition))                                                                                         \
            give_up(__VA_ARGS__);                                                                                 \
    } while (0)

// The file that an address lies in.
static const char *home(void *address)
{
    Dl_info where;
    if (!address || !dladdr(address, &where) || !where.dli_fname)
        return "nowhere";
    const char *slash = strrchr(where.dli_fname, '/');
    return slash ? slash + 1 : where.dli_fname;
}

static void *open_library(const char *name, int how)
{
    void *library = dlopen(name, how);
    expect(library, "%s", dlerror());
    return library;
}

// Ours, so that RTLD_NEXT from the program has something to go past.
int getpagesize_for_test(void) { return 1; }

int main(int count, char **arguments)
{
    expect(count == 2, "usage: lookups CASE");
    const char *wanted = arguments[1];

    if (IS("next-local"))
        open_library("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (IS("next-main")) {
        for (int i = 0; i < 2; i++) {
            void *found = dlsym(RTLD_NEXT, "getpagesize");
            expect(strncmp(home(found), "libc.so", 7) == 0, "lookup %d of getpagesize: %s", i, home(found));
            expect(dlsym(RTLD_NEXT, "getpagesize_for_test") == NULL, "what only the program has was found after it");
        }
    } else if (IS("next-library")) {
        // libnext_one and libnext_two both define who_am_i; one is in front. Asked from within one, RTLD_NEXT is two.
        open_library("libnext_one.so", RTLD_NOW | RTLD_GLOBAL);
        const char *(*next_of_one)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "next_after_one");
        expect(next_of_one, "%s", dlerror());
        for (int i = 0; i < 2; i++) {
            const char *next = next_of_one();
            expect(next && strcmp(next, "two") == 0, "lookup %d from the library gave %s", i, next ? next : "NULL");
        }
    } else if (IS("next-missing") || IS("default-absent") || IS("next-local")) {
        void *const wheres[] = {IS("default-absent") ? RTLD_DEFAULT : RTLD_NEXT,
                                IS("next-missing") ? RTLD_NEXT : RTLD_DEFAULT};
        static const char *const names[] = {"cuInit", "cuGetProcAddress", "cuGetProcAddress_v2", "cuMemAlloc_v2"};
        for (int i = 0; i < 2; i++)
            for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
                void *found = dlsym(wheres[i], names[n]);
                expect(!found, "%s was found in %s though no libcuda is there for all", names[n], home(found));
                const char *error = dlerror();
                expect(error && strstr(error, names[n]), "dlerror does not name %s: %s", names[n], error);
            }
    } else if (IS("wrong-handle")) {
        void *math = open_library("libm.so.6", RTLD_NOW);
        for (int with_driver = 0; with_driver < 2; with_driver++) {
            void *found = dlsym(math, "cuInit");
            expect(!found, "libm has a cuInit, in %s", home(found));
            const char *error = dlerror();
            expect(error && strstr(error, "cuInit"), "dlerror does not name cuInit: %s", error);
            expect(dlsym(math, "cos"), "libm has no cos");
            open_library("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
        }
        expect(!dlsym(RTLD_DEFAULT, "cuInit"), "a libcuda opened RTLD_LOCAL was found by RTLD_DEFAULT");
    } else if (IS("null-name")) {
        void *driver = open_library("libcuda.so.1", RTLD_NOW);
        expect(!dlsym(driver, "cuNoSuchFunction"), "cuNoSuchFunction was found");
        const char *error = dlerror();
        expect(error && strstr(error, "cuNoSuchFunction"), "dlerror does not name it: %s", error);
        expect(!dlerror(), "dlerror gave its error twice");
        expect(!dlvsym(driver, "cuInit", "STAND_IN"), "cuInit was found at a version that the driver does not have");
        expect(strstr((error = dlerror()) ? error : "", "STAND_IN"), "dlerror does not name the version: %s", error);
        expect(!dlsym(driver, ""), "a function without a name was found");
        expect(!dlvsym(driver, "no_such_thing", "NO_1.0"), "no_such_thing was found");
        expect(!dlsym(driver, "cu"), "a function called cu was found");
    } else if (IS("lookalikes")) {
        void *library = open_library("liblookalikes.so", RTLD_NOW);
        open_library("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        static const char *const names[] = {"cudnnCreate", "cufftExecC2C", "cublasCreate_v2", "curl_easy_init",
                                            "cusparseCreate", "cudaMalloc", "cupti_like", "cu", "custom"};
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            void *found = dlsym(library, names[n]);
            expect(strcmp(home(found), "liblookalikes.so") == 0, "%s was found in %s", names[n], home(found));
            int (*function)(int) = (int (*)(int))found;
            expect(function(40) == 42, "%s does not work", names[n]);
        }
    } else if (IS("lookalike-driver-name")) {
        void *library = open_library("liblookalikes.so", RTLD_NOW | RTLD_LOCAL);
        open_library("libcuda.so.1", RTLD_NOW);
        static const char *const names[] = {"cuGetWell", "cuMemAlloc_v2", "cuvidLike"};
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            void *found = dlsym(library, names[n]);
            expect(strcmp(home(found), "liblookalikes.so") == 0, "%s was found in %s", names[n], home(found));
            expect(((int (*)(int))found)(40) == 42, "%s does not work", names[n]);
        }
    } else if (IS("no-v2")) {
        void *driver = open_library("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        static const char *const names[] = {"cuInit_v2", "cuDeviceGetCount_v2", "cuMemAlloc_v3", "cuStreamSynchronize_v2"};
        CUresult (*get)(const char *, void **, int, uint64_t, int *) = NULL;
        *(void **)&get = dlsym(driver, "cuGetProcAddress_v2");
        expect(get, "no cuGetProcAddress_v2");
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            void *found = (void *)1;
            int status = 77;
            expect(!dlsym(driver, names[n]), "%s was found", names[n]);
            expect(!dlsym(RTLD_DEFAULT, names[n]), "%s was found by RTLD_DEFAULT", names[n]);
            expect(get(names[n], &found, 13000, 0, &status) == 0 && !found && status == 1,
                   "cuGetProcAddress_v2 of %s: %p, status %d", names[n], found, status);
        }
    } else if (IS("null-out")) {
        void *driver = open_library("libcuda.so.1", RTLD_NOW), *found = NULL;
        CUresult (*one)(const char *, void **, int, uint64_t) = NULL;
        CUresult (*two)(const char *, void **, int, uint64_t, int *) = NULL;
        *(void **)&one = dlsym(driver, "cuGetProcAddress"), *(void **)&two = dlsym(driver, "cuGetProcAddress_v2");
        expect(one && two, "%s", dlerror());
        for (int i = 0; i < 2; i++) {
            int status = 77;
            expect(one("cuInit", NULL, 12000, 0) == 1, "no place for the answer was not refused");
            expect(two("cuInit", NULL, 12000, 0, &status) == 1, "no place for the answer was not refused by _v2");
            expect(one(NULL, &found, 12000, 0) == 1, "no name was not refused");
            expect(two(NULL, &found, 12000, 0, NULL) == 1, "no name was not refused by _v2");
            expect(one("cuNoSuch", &found, 12000, 0) == 500 && !found, "cuNoSuch was found");
            expect(two("cuNoSuch", &found, 12000, 0, NULL) == 0 && !found, "cuNoSuch was found by _v2");
            expect(two("cuGetProcAddress", &found, 11020, 0, &status) == 0 && !found && status == 2,
                   "cuGetProcAddress at 11.2: %p, status %d", found, status);
        }
    } else if (IS("same-pointer")) {
        void *driver = open_library("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        CUresult (*get)(const char *, void **, int, uint64_t, int *) = NULL;
        *(void **)&get = dlsym(driver, "cuGetProcAddress_v2");
        void *one = dlsym(driver, "cuMemAlloc_v2"), *two = dlsym(RTLD_DEFAULT, "cuMemAlloc_v2"), *three = NULL;
        void *older = NULL, *per_thread = NULL;
        expect(get && get("cuMemAlloc", &three, 12000, 0, NULL) == 0, "cuGetProcAddress_v2 does not know cuMemAlloc");
        expect(one && one == two && one == three, "three ways, three pointers: %p %p %p", one, two, three);
        expect(get("cuMemAlloc", &older, 2000, 0, NULL) == 0 && older && older != one,
               "cuMemAlloc of CUDA 2.0 is %p, the same as _v2", older);
        expect(older == dlsym(driver, "cuMemAlloc"), "cuMemAlloc of CUDA 2.0 is not what dlsym gives");
        expect(get("cuLaunchKernel", &per_thread, 12000, 2, NULL) == 0 &&
                   per_thread == dlsym(driver, "cuLaunchKernel_ptsz"),
               "the per-thread-stream form of cuLaunchKernel is %p", per_thread);
    } else if (IS("dladdr")) {
        expect(strncmp(home((void *)dlsym(RTLD_DEFAULT, "getppid")), "libc.so", 7) == 0, "getppid is not in libc");
    } else if (IS("versioned")) {
        // Each architecture has its own two versions of something.
#ifdef __x86_64__
        const char *name = "memcpy", *before = "GLIBC_2.2.5", *since = "GLIBC_2.14";
#else
        const char *name = "pthread_create", *before = "GLIBC_2.17", *since = "GLIBC_2.34";
#endif
        void *old = dlvsym(RTLD_DEFAULT, name, before), *new = dlvsym(RTLD_DEFAULT, name, since);
#ifdef __x86_64__
        expect(old != new, "%s's two versions are one: %p", name, old);
#endif
        expect(old && new, "%s's two versions: %p %p", name, old, new);
        expect(!dlvsym(RTLD_DEFAULT, name, "GLIBC_9.9"), "%s of a version that is not was found", name);
        expect(dlvsym(RTLD_NEXT, name, since) == new, "RTLD_NEXT's %s is another", name);
    } else
        give_up("no case is called %s", wanted);
    say("%s right\n", wanted);
    return 0;
}
