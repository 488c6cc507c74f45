// The stand-in for libnvidia-opticalflow.so.1, in the same way.
#include "session.h"

CUresult NvOFAPICreateInstanceCuda(unsigned version, void **functions)
{
    (void)version;
    *functions = (void *)enter;
    return enter();
}
