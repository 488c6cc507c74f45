/* A C program linked with -lcuda: its calls reach the driver through the symbol search order.
 * The parent initialises CUDA and makes a context, the forked child counts devices.
 * Today the child's call answers 3 and the program has to guess why. */
#include <cuda.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    CUdevice device;
    CUcontext context;
    CUresult answer = cuInit(0); // INIT
    printf("parent: cuInit answers %d\n", answer);
    cuDeviceGet(&device, 0);
    printf("parent: context answers %d\n", cuDevicePrimaryCtxRetain(&context, device));
    fflush(stdout);
    pid_t child = fork(); // FORK
    if (child == 0) {
        int count = 0;
        answer = cuDeviceGetCount(&count); // USE
        printf("child: cuDeviceGetCount answers %d\n", answer);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child exit: %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}
