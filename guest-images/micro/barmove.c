/*
 * Moves edu's BAR and powers off: to look at the memory map before and after
 * (--info flatview, --info flatview,at=end). Wants an edu.
 */
#include "edu.h"

#define DISTANCE 0x1000000UL

int guest_main(void)
{
    struct edu edu;
    CHECK(edu_find(&edu, 0));
    const uintptr_t to = edu.dev.base + DISTANCE;
    pci_bar_move(&edu.dev.pci, 0, to);
    print("barmove: from %lx to %lx\n", edu.dev.base, to);
    CHECK_EQ(mmio_read32(edu.dev.base + EDU_ID), UINT32_MAX);
    CHECK_EQ(mmio_read32(to + EDU_ID), EDU_ID_VALUE);
    print("barmove: ok\n");
    return 0;
}
