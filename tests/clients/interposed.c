// Proves that another interposer of cuInit lives beside the guard: the program is linked with libinterposer and
// then libcuda, and each gets the next in line. `interposed`
#include "client.h"

int cuInit(unsigned);
int cuDeviceGetCount(int *);
int interposer_calls(void);

int main(void)
{
    int count = -1;
    say("init %d\n", cuInit(0));
    say("interposer calls %d\n", interposer_calls());
    say("count %d\n", cuDeviceGetCount(&count));
    say("devices %d\n", count);
    return 0;
}
