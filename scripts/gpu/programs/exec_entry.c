/* A C program whose workers are forked after CUDA, with include/forkguard.h: a worker sums an array
 * that it had on the GPU. One path serves both: without the guard the fork is a fork, and the
 * driver refuses the worker with 3; under policy exec it is a fresh process that runs the entry. */
#include <cuda.h>
#include <forkguard.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
    int from;
};

static CUresult use(int from, int *sum) {
    CUdevice device;
    CUcontext context;
    CUdeviceptr memory;
    int numbers[4] = {from, from + 1, from + 2, from + 3}, back[4] = {0};
    CUresult answer;
    if ((answer = cuInit(0)) || (answer = cuDeviceGet(&device, 0)) ||
        (answer = cuDevicePrimaryCtxRetain(&context, device)) || (answer = cuCtxSetCurrent(context)) ||
        (answer = cuMemAlloc(&memory, sizeof numbers)) ||
        (answer = cuMemcpyHtoD(memory, numbers, sizeof numbers)) ||
        (answer = cuMemcpyDtoH(back, memory, sizeof back)) || (answer = cuMemFree(memory)))
        return answer;
    *sum = back[0] + back[1] + back[2] + back[3];
    return answer;
}

static void worker(const void *data, size_t len) {
    const struct job *job = data;
    int sum = -1;
    CUresult answer = len == sizeof *job ? use(job->from, &sum) : CUDA_ERROR_UNKNOWN;
    printf("task: answers %d, sum %d\n", answer, sum);
    fflush(stdout);
}

int main(void) {
    forkguard_on_exec("worker", worker);
    int sum = -1;
    CUresult answer = use(0, &sum);
    printf("parent: answers %d, sum %d\n", answer, sum);
    fflush(stdout);
    for (int number = 1; number <= 2; number++) {
        struct job job = {number * 10};
        forkguard_exec_next("worker", &job, sizeof job);
        pid_t child = fork();
        if (child == 0) {
            worker(&job, sizeof job);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        printf("child exit: %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
        fflush(stdout);
    }
    answer = use(0, &sum);
    printf("parent again: answers %d, sum %d\n", answer, sum);
    return 0;
}
