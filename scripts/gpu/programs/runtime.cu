/* A runtime-API program, built once with the static and once with the shared cudart.
 * The parent initialises CUDA through the runtime, or with `counts` only counts devices; the forked child allocates
 * and runs a kernel. Today cudaMalloc answers 3 (cudaErrorInitializationError) in the child. */
#include <cuda_runtime.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__global__ void square(int *numbers) { numbers[threadIdx.x] = threadIdx.x * threadIdx.x; }

static int sum_of_squares(int *memory) {
    int numbers[32], sum = 0;
    square<<<1, 32>>>(memory);
    if (cudaMemcpy(numbers, memory, sizeof numbers, cudaMemcpyDeviceToHost) != cudaSuccess)
        return -1;
    for (int number : numbers)
        sum += number;
    return sum;
}

int main(int count, char **arguments) {
    int devices = 0;
    bool counts = count > 1 && strcmp(arguments[1], "counts") == 0;
    cudaError_t answer = counts ? cudaGetDeviceCount(&devices) : cudaFree(nullptr); // INIT
    printf("parent: %s answers %d\n", counts ? "cudaGetDeviceCount" : "cudaFree", (int)answer);
    fflush(stdout);
    pid_t child = fork(); // FORK
    if (child == 0) {
        int *memory = nullptr;
        answer = cudaMalloc(&memory, 1024); // USE
        printf("child: cudaMalloc answers %d\n", (int)answer);
        if (answer == cudaSuccess)
            printf("child: %d\n", sum_of_squares(memory));
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child exit: %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    if (counts) {
        int *memory = nullptr;
        printf("parent goes on: %d\n", cudaMalloc(&memory, 1024) == cudaSuccess ? sum_of_squares(memory) : -1);
    }
    return 0;
}
