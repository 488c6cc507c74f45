// The sum over the eleven arguments of a kernel launch. The driver and the clients both compute it, so that a
// client can tell whether every argument arrived.
#ifndef STAND_IN_CHECKSUM_H
#define STAND_IN_CHECKSUM_H

#include <stdint.h>

static inline uint64_t launch_checksum(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                                       unsigned by, unsigned bz, unsigned shared, void *stream, void **params,
                                       void **extra)
{
    const uint64_t words[11] = {(uintptr_t)function, gx, gy, gz, bx, by, bz, shared, (uintptr_t)stream,
                                (uintptr_t)params, (uintptr_t)extra};
    uint64_t sum = 0xcbf29ce484222325u;
    for (int i = 0; i < 11; i++)
        sum = (sum ^ words[i]) * 0x100000001b3u + (unsigned)i;
    return sum;
}

#endif
