// Proves that a function's first call, which goes through the guard's trap, is a call like any other: whatever
// registers its arguments are in, and whoever looks at the stack from within. `calls CASE`
//
//   floats     double, float and int; then every argument register and the stack; then a variadic function
//   eleven     a kernel launch's eleven arguments
//   backtrace  from a callback within the first call backtrace(3) sees main
//   threads    many threads make the first call of many functions at once
//   errno      a first call leaves errno alone
//   recursive  a first call made from a callback within a first call
#include "client.h"
#include "../driver/checksum.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>

#define IS(other) (strcmp(wanted, other) == 0)
#define expect(condition, ...)                                                                                    \
    do {                                                                                                          \
        if (!(condition))                                                                                         \
            give_up(__VA_ARGS__);                                                                                 \
    } while (0)

static void *library;

static void *function(const char *name)
{
    void *found = dlsym(library, name);
    expect(found, "%s", dlerror());
    return found;
}

static int seen_main;
int main(int, char **);

static void look_back(void *unused)
{
    void *addresses[64];
    (void)unused;
    int depth = backtrace(addresses, 64);
    for (int i = 0; i < depth; i++) {
        Dl_info where;
        if (dladdr(addresses[i], &where) && where.dli_saddr == (void *)main)
            seen_main = 1;
    }
}

static void call_again(void *data)
{
    CUresult (*count)(int *) = (CUresult(*)(int *))function("cuDeviceGetCount");
    *(CUresult *)data = count((int[]){0});
}

enum { CALLERS = 16 };
static pthread_barrier_t all_there;

static void *first_calls(void *unused)
{
    static const char *const names[] = {"cuDeviceGetCount", "cuDeviceGet", "cuCtxGetCurrent"};
    void *place = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CUresult (*call)(void *, int) = (CUresult(*)(void *, int))function(names[i]);
        pthread_barrier_wait(&all_there);
        CUresult result = call(&place, 0);
        expect(result == 0, "%s answered %d", names[i], result);
    }
    return unused;
}

int main(int count, char **arguments)
{
    expect(count == 2, "usage: calls CASE");
    const char *wanted = arguments[1];
    library = dlopen("libcuda.so.1", RTLD_NOW);
    expect(library, "%s", dlerror());
    CUresult (*init)(unsigned) = (CUresult(*)(unsigned))function("cuInit");
    expect(init(0) == 0, "cuInit failed");

    if (IS("floats")) {
        int (*mixed)(double, float, int) = (int (*)(double, float, int))function("cuForkguardTestFloat");
        expect(mixed(2.5, 1.25f, 7) == 52, "double, float and int did not arrive: %d", mixed(2.5, 1.25f, 7));
        double (*all)(long, long, long, long, long, long, double, double, double, double, double, double, double,
                      double, long, double);
        *(void **)&all = function("cuForkguardTestAll");
        double sum = all(1, 2, 3, 4, 5, 6, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9, 10.5);
        double right = 91 + 7 * 1.5 + 8 * 2.5 + 9 * 3.5 + 10 * 4.5 + 11 * 5.5 + 12 * 6.5 + 13 * 7.5 + 14 * 8.5 +
                       15 * 9 + 16 * 10.5;
        expect(sum == right, "the sum over all registers is %f, not %f", sum, right);
        double (*variadic)(int, ...) = (double (*)(int, ...))function("cuForkguardTestVariadic");
        sum = variadic(9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0);
        expect(sum == 285.0, "the variadic sum is %f", sum);
    } else if (IS("eleven")) {
        struct driver driver;
        CUcontext context;
        load_by_dlsym(&driver, library);
        expect(driver.cuDevicePrimaryCtxRetain(&context, 0) == 0 && driver.cuCtxSetCurrent(context) == 0, "no context");
        void *extra[2] = {0}, *parameters[2] = {0};
        void *kernel = (void *)0x8877665544332211;
        CUresult result = driver.cuLaunchKernel(kernel, 0xfffffff1, 2, 3, 4, 5, 6, 0xfffffff7, &driver, parameters, extra);
        expect(result == 0, "cuLaunchKernel answered %d", result);
        uint64_t right = launch_checksum(kernel, 0xfffffff1, 2, 3, 4, 5, 6, 0xfffffff7, &driver, parameters, extra);
        expect(driver.last_launch() == right, "the eleven arguments did not arrive");
    } else if (IS("backtrace")) {
        backtrace((void *[1]){0}, 1);  // loads its library before, not within, the call
        int (*callback)(void (*)(void *), void *);
        *(void **)&callback = function("cuForkguardTestCallback");
        callback(look_back, NULL);
        expect(seen_main, "main is not in the backtrace");
    } else if (IS("threads")) {
        pthread_t threads[CALLERS];
        pthread_barrier_init(&all_there, NULL, CALLERS);
        for (int i = 0; i < CALLERS; i++)
            expect(pthread_create(&threads[i], NULL, first_calls, NULL) == 0, "no thread");
        for (int i = 0; i < CALLERS; i++)
            pthread_join(threads[i], NULL);
    } else if (IS("errno")) {
        CUresult (*devices)(int *) = (CUresult(*)(int *))function("cuDeviceGetCount");
        int number;
        errno = 4242;
        devices(&number);
        expect(errno == 4242, "errno became %d", errno);
    } else if (IS("recursive")) {
        CUresult inner = 77;
        int (*callback)(void (*)(void *), void *);
        *(void **)&callback = function("cuForkguardTestCallback");
        callback(call_again, &inner);
        expect(inner == 0, "the inner call answered %d", inner);
    } else
        give_up("no case is called %s", wanted);
    say("%s right\n", wanted);
    return 0;
}
