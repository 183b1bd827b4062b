/*
 * Byte by byte: the build leaves such loops as they are.
 */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; n > 0; n--) {
        *t++ = *f++;
    }
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *t = to;
    for (; n > 0; n--) {
        *t++ = (uint8_t)byte;
    }
    return to;
}
