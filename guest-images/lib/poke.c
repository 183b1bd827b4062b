/*
 * See poke.h.
 */
#include "poke.h"

uint32_t arbitrary(void)
{
    static uint32_t state = 12345;
    state = state * 1664525 + 1013904223;
    return state >> 4 ^ state << 20;
}

void poke_memory(uintptr_t gpa, size_t size)
{
    for (const uintptr_t end = gpa + size; gpa < end; gpa++) {
        for (unsigned width = 1; width <= 8; width *= 2) {
            mmio_read(gpa, width);
            mmio_write(gpa, width, (uint64_t)arbitrary() << 32 | arbitrary());
        }
    }
}
