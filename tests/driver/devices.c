// The devices are three ordinary files of the names that the driver's have; a test mounts a /dev that has them. The
// first page of /dev/nvidia0 counts channels, which lie in others. What a process wrote into its channel it also
// counts elsewhere, so that it notices the work of another.
#define _GNU_SOURCE
#include "devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 65536 };

struct channel {
    int owner;
    unsigned long submitted;
};

// Of this process alone; a forked child gets a copy that counts on its own.
static unsigned long submitted;

static void fail(const char *what)
{
    fprintf(stderr, "stand-in driver: %s\n", what);
    abort();
}

static int open_node(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        fail("its devices are not there: the test makes them");
    return fd;
}

static void *map_node(int fd, off_t at)
{
    // Never makes it smaller, whoever else makes it larger at the same time.
    if (posix_fallocate(fd, at, PAGE) != 0)
        fail("a device cannot be made larger");
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
    if (page == MAP_FAILED)
        fail("a device cannot be mapped");
    return page;
}

// Pages that do not follow each other in the file: the kernel would make one mapping of those.
static void map_many(int fd, int count)
{
    for (int i = 0; i < count; i++)
        map_node(fd, (off_t)PAGE * 2 * (count - i));
}

void devices_open(void)
{
    int control = open_node("/dev/nvidiactl");
    open_node("/dev/nvidiactl"), open_node("/dev/nvidiactl"), open_node("/dev/nvidia0"), open_node("/dev/nvidia0");
    open_node("/dev/nvidia-uvm"), open_node("/dev/nvidia-uvm");
    map_many(control, 9);
}

struct channel *devices_open_channel(void)
{
    int device = open_node("/dev/nvidia0"), memory = open_node("/dev/nvidia-uvm");
    for (int i = 2; i < 16; i++)
        open_node(i % 2 ? "/dev/nvidia0" : "/dev/nvidiactl");
    unsigned *count = map_node(device, 0);
    unsigned number = __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
    struct channel *channel = map_node(device, (off_t)PAGE * 2 * number);
    channel->owner = getpid();
    submitted = 0;
    map_many(memory, 26);
    return channel;
}

void devices_submit(struct channel *channel)
{
    if (!channel)
        return;
    submitted++;
    channel->submitted++;
}

void devices_touch(struct channel *channel)
{
    if (channel)
        *(volatile int *)&channel->owner = channel->owner;
}

void devices_check(struct channel *channel)
{
    if (channel && (channel->owner != getpid() || channel->submitted != submitted))
        fail("another process's work is in this process's channel");
}
