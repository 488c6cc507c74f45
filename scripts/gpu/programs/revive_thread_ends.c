/* The thread that forked ends in the child, before the child does. What the driver keeps for a thread it keeps where
 * the C library calls it back at the thread's end: what the parent's driver kept there is of no use to the child's.
 * Today the child has no CUDA. */
#include <cuda.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_t forking;
static pid_t child = -1;

/* Fills memory on the device and reads it back. */
static int work(void) {
    CUdevice device;
    CUcontext context;
    CUdeviceptr memory;
    unsigned char back = 0;
    int failed = cuDeviceGet(&device, 0) || cuDevicePrimaryCtxRetain(&context, device) || cuCtxSetCurrent(context) ||
                 cuMemAlloc(&memory, 64) || cuMemsetD8(memory, 42, 64) || cuMemcpyDtoH(&back, memory + 63, 1) ||
                 cuMemFree(memory);
    return !failed && back == 42;
}

static void *exits_after(void *unused) {
    pthread_join(forking, NULL);
    printf("child: works in another thread %d\n", work());
    fflush(stdout);
    exit(0);
    return unused;
}

static void *forks(void *unused) {
    printf("parent: works %d\n", work());
    fflush(stdout);
    child = fork(); // FORK
    if (child == 0) {
        pthread_t other;
        printf("child: works %d\n", work()); // USE
        fflush(stdout);
        forking = pthread_self();
        if (pthread_create(&other, NULL, exits_after, NULL))
            _exit(1);
    }
    return unused;
}

int main(void) {
    pthread_t thread;
    int status = 0;
    if (cuInit(0) || pthread_create(&thread, NULL, forks, NULL) || pthread_join(thread, NULL)) // INIT
        return 1;
    waitpid(child, &status, 0);
    printf("child exit: %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    printf("parent goes on: works %d\n", work());
    return 0;
}
