/*
 * Prints what the loader told: the same source for every form a loader takes.
 */
#include "guest.h"

static uint64_t initrd_sum(void)
{
    const uint8_t *initrd = (const uint8_t *)boot.initrd;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < boot.initrd_size; i++) {
        sum += initrd[i];
    }
    return sum;
}

int guest_main(void)
{
    static uint64_t cleared[512];
    uint64_t ram = 0;
    for (size_t i = 0; i < boot.areas; i++) {
        struct mem_area area = boot_area(i);
        ram += area.type == MEM_TYPE_RAM ? area.size : 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(cleared); i += 8) {
        CHECK_EQ(cleared[i], 0);
    }
    CHECK_EQ(boot.initrd % 4096, 0);
    print("protocol: %s\n", boot.protocol);
    print("command line: %s\n", boot.cmdline);
    print("initrd: %lu bytes, sum %lu\n", boot.initrd_size, initrd_sum());
    print("memory: %lu MiB\n", (ram + 0xfffff) >> 20);
    print("tables: %s\n", boot_tables());
    return 0;
}
