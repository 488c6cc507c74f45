// Proves that a program of the runtime API is seen and not disturbed: every name of the driver asked through
// cuGetProcAddress_v2 and the private table found unchanged. Built twice, with the runtime as a shared library and
// linked in statically. `cudart SCENARIO`
#include "libcudart_like.h"

int main(int count, char **arguments)
{
    if (count != 2)
        give_up("usage: cudart SCENARIO");
    int result = runtime_start();
    if (result != 0)
        give_up("the runtime did not start: error %d", result);
    say("names asked %d given %d\n", runtime_asked(), runtime_given());
    return run_scenario(runtime_driver(), arguments[1]);
}
