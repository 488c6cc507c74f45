// A runtime API in small: what programs of CUDA's runtime go through to reach the driver.
#ifndef CUDART_LIKE_H
#define CUDART_LIKE_H

#include "client.h"

// Opens the driver once, as cudart does at its first call. 0, or a runtime error code: 103 when the driver's
// private table is not the driver's own.
int runtime_start(void);

// Counts devices, after its start and the driver's: makes no context, but the driver and it know one another from here.
int runtime_count(int *count);

// Works with the device, in its own context: 0, what the driver answers, or 709 where one does not know the other.
int runtime_call(void);
const struct driver *runtime_driver(void);
// How many names it asked of cuGetProcAddress_v2, and how many were given.
int runtime_asked(void);
int runtime_given(void);

#endif
