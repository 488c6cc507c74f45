// A plugin whose one function calls what it is given, from a frame of the size that it is built with. Two builds of it
// lie alike in memory, and their callers are found by other rules. By the wrong one something that looks like a caller
// is found in the function's own variables.
#include <stdint.h>

int plugin_call(int (*work)(void))
{
    volatile uintptr_t room[ROOM];
    for (int i = 0; i < ROOM; i++)
        room[i] = (uintptr_t)work + 1;
    return work() + (room[0] == 0);
}
