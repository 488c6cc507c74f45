// Functions whose names begin as the driver's do, in a library that is not the driver: cuDNN, cuFFT, curl and one
// that borrows the driver's very names.
#define LIKE(name)                                                                                                \
    int name(int x) { return x + 2; }
LIKE(cudnnCreate)
LIKE(cufftExecC2C)
LIKE(cublasCreate_v2)
LIKE(cusparseCreate)
LIKE(cudaMalloc)
LIKE(cupti_like)
LIKE(curl_easy_init)
LIKE(cu)
LIKE(custom)
LIKE(cuGetWell)
LIKE(cuMemAlloc_v2)
LIKE(cuvidLike)
