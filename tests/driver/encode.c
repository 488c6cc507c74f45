// The stand-in for libnvidia-encode.so.1, of which programs look one function up: it gives the others, in a table.
#include "session.h"

CUresult NvEncodeAPIGetMaxSupportedVersion(unsigned *version)
{
    *version = 13 << 4;
    return CUDA_SUCCESS;
}

CUresult NvEncodeAPICreateInstance(void **functions)
{
    *functions = (void *)enter;
    return enter();
}
