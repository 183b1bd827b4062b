/*
 * Prints the memory map and touches the first and last byte of all RAM in it.
 */
#include "guest.h"

static const char *type_name(unsigned type)
{
    switch (type) {
    case MEM_TYPE_RAM:
        return "ram";
    case MEM_TYPE_RESERVED:
        return "reserved";
    case MEM_TYPE_ACPI:
        return "acpi";
    default:
        return "other";
    }
}

/* RAM keeps what is written, and no other address of the list changes with it. */
static void touch(uint64_t gpa)
{
    volatile uint8_t *byte = phys_window(gpa);
    const uint8_t before = *byte;
    *byte = (uint8_t)~before;
    CHECK_EQ(*byte, (uint8_t)~before);
    *byte = before;
}

int guest_main(void)
{
    uint64_t end = 0;
    for (size_t i = 0; i < boot.areas; i++) {
        struct mem_area area = boot_area(i);
        print("memmap: %016lx %016lx %s\n", area.gpa, area.size, type_name(area.type));
        CHECK(area.gpa >= end);
        CHECK(area.size > 0);
        end = area.gpa + area.size;
        if (area.type == MEM_TYPE_RAM) {
            touch(area.gpa);
            touch(end - 1);
        }
    }
    print("memmap: ok\n");
    return 0;
}
