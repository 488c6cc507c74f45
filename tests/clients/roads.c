// Proves that a road to the driver leads to it, and that a call that came by it is seen. `roads ROAD SCENARIO`:
//
//   dlsym       dlopen("libcuda.so.1"), dlsym
//   dlsym-dev   the same, through the name libcuda.so
//   dlvsym      dlvsym, with a driver whose names have the version STAND_IN
//   default     the driver opened for all (RTLD_GLOBAL), names looked up with RTLD_DEFAULT
//   gpa1        cuGetProcAddress of CUDA 11.3 (four arguments), everything through it
//   gpa2        cuGetProcAddress_v2 (five arguments), everything through it, status looked at
//   gpa2-null   the same, with no place for the status
//   gpa-self    cuGetProcAddress asked for itself, at 11.3 and at 12.0, and those used
#include "client.h"

#include <dlfcn.h>

typedef CUresult get1(const char *, void **, int, uint64_t);
typedef CUresult get2(const char *, void **, int, uint64_t, int *);

static void *open_driver(const char *name, int how)
{
    void *library = dlopen(name, how);
    if (!library)
        give_up("%s", dlerror());
    return library;
}

// The version of each name that the scenarios were written for is the newest up to 12.0.
enum { VERSION = 12000 };

static void load_by_get1(struct driver *driver, get1 *get)
{
#define X(exported, base, parameters)                                                                             \
    if (get(#base, (void **)&driver->exported, VERSION, 0) != 0 || !driver->exported)                             \
        give_up("cuGetProcAddress does not know " #base);
    DRIVER_FUNCTIONS(X)
#undef X
}

static void load_by_get2(struct driver *driver, get2 *get, int with_status)
{
    int status;
#define X(exported, base, parameters)                                                                             \
    status = 77;                                                                                                  \
    if (get(#base, (void **)&driver->exported, VERSION, 0, with_status ? &status : NULL) != 0 ||                  \
        !driver->exported || status != (with_status ? 0 : 77))                                                    \
        give_up("cuGetProcAddress_v2 does not know " #base ": status %d", status);
    DRIVER_FUNCTIONS(X)
#undef X
}

#define IS(other) (strcmp(road, other) == 0)

int main(int count, char **arguments)
{
    if (count != 3)
        give_up("usage: roads ROAD SCENARIO");
    const char *road = arguments[1];
    struct driver driver = {0};

    if (IS("dlsym"))
        load_by_dlsym(&driver, open_driver("libcuda.so.1", RTLD_NOW));
    else if (IS("dlsym-dev"))
        load_by_dlsym(&driver, open_driver("libcuda.so", RTLD_NOW));
    else if (IS("default")) {
        open_driver("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        load_by_dlsym(&driver, RTLD_DEFAULT);
    } else if (IS("dlvsym")) {
        void *library = open_driver("libcuda.so.1", RTLD_NOW);
#define X(exported, base, parameters)                                                                             \
    *(void **)&driver.exported = dlvsym(library, #exported, "STAND_IN");                                      \
    if (!driver.exported)                                                                                         \
        give_up("no " #exported " by dlvsym: %s", dlerror());
        DRIVER_FUNCTIONS(X)
#undef X
    } else if (IS("gpa1")) {
        void *library = open_driver("libcuda.so.1", RTLD_NOW);
        load_by_get1(&driver, (get1 *)dlsym(library, "cuGetProcAddress"));
    } else if (IS("gpa2") || IS("gpa2-null")) {
        void *library = open_driver("libcuda.so.1", RTLD_NOW);
        load_by_get2(&driver, (get2 *)dlsym(library, "cuGetProcAddress_v2"), IS("gpa2"));
    } else if (IS("gpa-self")) {
        void *library = open_driver("libcuda.so.1", RTLD_NOW);
        get1 *first = (get1 *)dlsym(library, "cuGetProcAddress");
        get1 *one = NULL, *one_again = NULL;
        get2 *two = NULL, *two_again = NULL;
        int status = 77;
        if (first("cuGetProcAddress", (void **)&one, 11030, 0) != 0 || !one)
            give_up("cuGetProcAddress does not know itself at 11030");
        if (one("cuGetProcAddress", (void **)&two, 12000, 0) != 0 || !two || (void *)two == (void *)one)
            give_up("cuGetProcAddress does not know itself at 12000");
        if (two("cuGetProcAddress", (void **)&one_again, 11030, 0, &status) != 0 || one_again != one || status != 0)
            give_up("cuGetProcAddress_v2 does not give the older one: status %d", status);
        if (two("cuGetProcAddress", (void **)&two_again, 13000, 0, NULL) != 0 || two_again != two)
            give_up("cuGetProcAddress_v2 does not give itself");
        load_by_get1(&driver, one_again);
        memset(&driver, 0, sizeof driver);
        load_by_get2(&driver, two_again, 1);
    } else
        give_up("no road is called %s", road);
    return run_scenario(&driver, arguments[2]);
}
