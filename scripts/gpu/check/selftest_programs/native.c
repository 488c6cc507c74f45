/* Prints the offset, within this program, of the return address of one marked call. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

__attribute__((noinline)) static void here(void) {
    Dl_info info;
    char *address = __builtin_return_address(0);
    dladdr(address, &info);
    printf("%#lx\n", (unsigned long)(address - (char *)info.dli_fbase));
}

int main(void) {
    here(); // USE
    return 0;
}
