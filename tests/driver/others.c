// The names that no test needs a true body of: each answers as the real driver answers anything, by whether this
// process initialised it. They are weak, so that driver.c and lookup.c replace those they give a body.
#include "driver.h"

#define F(name)                                                                                                   \
    __attribute__((weak)) CUresult name(void) { return stand_in_enter(); }
#define D(name) __attribute__((weak)) unsigned name = 0;
#include "libcuda.def"
