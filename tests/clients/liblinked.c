// The library half of `host`: a plug-in linked with -lcuda, as PyCUDA's is. Nobody but it knows of libcuda.
#include "client.h"

#define X(exported, base, parameters) CUresult exported parameters;
DRIVER_FUNCTIONS(X)
#undef X
uint64_t fake_cuda_last_launch(void) __attribute__((weak));

int plugin_main(const char *scenario)
{
    const struct driver driver = {
#define X(exported, base, parameters) .exported = exported,
        DRIVER_FUNCTIONS(X)
#undef X
            .last_launch = fake_cuda_last_launch,
    };
    return run_scenario(&driver, scenario);
}
