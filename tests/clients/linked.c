// Proves that a call of a program that was linked with -lcuda is seen: it looks nothing up, the loader does.
// `linked SCENARIO`
#include "client.h"

#define X(exported, base, parameters) CUresult exported parameters;
DRIVER_FUNCTIONS(X)
#undef X
uint64_t fake_cuda_last_launch(void) __attribute__((weak));

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: linked SCENARIO");
    const struct driver driver = {
#define X(exported, base, parameters) .exported = exported,
        DRIVER_FUNCTIONS(X)
#undef X
            .last_launch = fake_cuda_last_launch,
    };
    return run_scenario(&driver, arguments[1]);
}
