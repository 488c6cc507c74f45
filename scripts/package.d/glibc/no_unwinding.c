/*
 * What the compiler's unwinder asks of glibc from 2.35 on, for binaries that are never unwound: the command and the
 * stand-in driver abort where they panic. The library has an answer of its own (src/sys/elf.rs), and this is not
 * linked into it.
 */
int _dl_find_object(void *address, void *into);

int _dl_find_object(void *address, void *into) {
    (void)address;
    (void)into;
    return -1;
}
