/*
 * Functions that the binaries call and glibc 2.17 does not export: hidden copies, linked into each binary.
 *
 * `stat` and its kin were in the static part of the C library before 2.33, over the functions used here, which all
 * later ones still export. So was `atexit`, and is. `memfd_create` came with 2.27; the kernel answers ENOSYS where it is
 * older than that.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

struct stat;
struct stat64;
int __fxstat(int version, int fd, struct stat *into);
int __fxstat64(int version, int fd, struct stat64 *into);
int __xstat64(int version, const char *path, struct stat64 *into);
int __lxstat64(int version, const char *path, struct stat64 *into);
int __fxstatat64(int version, int folder, const char *path, struct stat64 *into, int flags);
int __cxa_atexit(void (*function)(void *), void *argument, void *object);
extern void *__dso_handle; /* of the binary that this is linked into */

/* The layout of `struct stat` that these functions fill in. */
#if defined(__x86_64__)
enum { LAYOUT = 1 };
#else
enum { LAYOUT = 0 };
#endif

int fstat(int fd, struct stat *into) { return __fxstat(LAYOUT, fd, into); }

int fstat64(int fd, struct stat64 *into) { return __fxstat64(LAYOUT, fd, into); }

int stat64(const char *path, struct stat64 *into) { return __xstat64(LAYOUT, path, into); }

int lstat64(const char *path, struct stat64 *into) { return __lxstat64(LAYOUT, path, into); }

int fstatat64(int folder, const char *path, struct stat64 *into, int flags) {
    return __fxstatat64(LAYOUT, folder, path, into, flags);
}

int memfd_create(const char *name, unsigned flags) { return (int)syscall(SYS_memfd_create, name, flags); }

int atexit(void (*function)(void)) { return __cxa_atexit((void (*)(void *))function, (void *)0, __dso_handle); }
