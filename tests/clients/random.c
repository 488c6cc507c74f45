// Proves who decides about random bytes: asks for as many as the secret of an interpreter's hashes has, and prints what
// came.
#include <stdio.h>
#include <sys/random.h>

int main(void)
{
    unsigned char bytes[24];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        printf("%02x", bytes[i]);
    puts("");
    return 0;
}
