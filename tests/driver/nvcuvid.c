// The stand-in for libnvcuvid.so.1: works where libcuda works, in the process that it was used in first.
#include "session.h"

#define F(name)                                                                                                   \
    __attribute__((weak)) CUresult name(void) { return enter(); }
#include "libnvcuvid.def"
