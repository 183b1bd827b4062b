/*
 * Device accesses whose width is a variable.
 */
#include "guest.h"

uint64_t mmio_read(uintptr_t gpa, unsigned width)
{
    switch (width) {
    case 1:
        return mmio_read8(gpa);
    case 2:
        return mmio_read16(gpa);
    case 4:
        return mmio_read32(gpa);
    default:
        return mmio_read64(gpa);
    }
}

void mmio_write(uintptr_t gpa, unsigned width, uint64_t value)
{
    switch (width) {
    case 1:
        mmio_write8(gpa, (uint8_t)value);
        break;
    case 2:
        mmio_write16(gpa, (uint16_t)value);
        break;
    case 4:
        mmio_write32(gpa, (uint32_t)value);
        break;
    default:
        mmio_write64(gpa, value);
    }
}
