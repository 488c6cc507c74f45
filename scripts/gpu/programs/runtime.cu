/* A runtime-API program, built once with the static and once with the shared cudart.
 * The parent initialises CUDA through the runtime, the forked child allocates.
 * Today cudaMalloc answers 3 (cudaErrorInitializationError) in the child. */
#include <cuda_runtime.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main() {
    cudaError_t answer = cudaFree(nullptr); // INIT
    printf("parent: cudaFree answers %d\n", (int)answer);
    fflush(stdout);
    pid_t child = fork(); // FORK
    if (child == 0) {
        void *memory = nullptr;
        answer = cudaMalloc(&memory, 1024); // USE
        printf("child: cudaMalloc answers %d\n", (int)answer);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child exit: %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}
