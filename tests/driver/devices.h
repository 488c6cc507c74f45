// The stand-in driver's devices: files that processes map, as they map a GPU's registers and memory.
#ifndef STAND_IN_DEVICES_H
#define STAND_IN_DEVICES_H

#pragma GCC visibility push(hidden)

// Opens the devices' files and maps them as cuInit does: 7 descriptors, 9 mappings.
void devices_open(void);

// Where a process hands its work to the device. Whoever has the page mapped can write there, its forked children too.
struct channel;

// What a first context adds: 16 descriptors, 28 mappings, and among those this process's channel.
struct channel *devices_open_channel(void);

// Hands one piece of work to the device, or touches it without. NULL is no device.
void devices_submit(struct channel *channel);
void devices_touch(struct channel *channel);

// Ends the program where somebody else has written into its channel.
void devices_check(struct channel *channel);

#pragma GCC visibility pop

#endif
