/*
 * One CPU moves a BAR to and fro and switches its decoding, while another reads
 * it and makes the device work: an access finds the device or nothing. Wants an
 * edu and two CPUs.
 */
#include "edu.h"

#define ROUNDS 500
#define MIB    0x100000UL

static struct edu edu;
static uintptr_t places[2];
static volatile bool at_rest;

static void move_about(unsigned index)
{
    (void)index;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pci_bar_move(&edu.dev.pci, 0, places[i % 2]);
        pci_command(&edu.dev.pci, 0, PCI_COMMAND_MEMORY);
        pci_command(&edu.dev.pci, PCI_COMMAND_MEMORY, 0);
    }
    pci_bar_move(&edu.dev.pci, 0, places[0]);
    at_rest = true;
}

static uint64_t look(uint64_t arg)
{
    uint64_t found = 0;
    (void)arg;
    while (!at_rest) {
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            const uint32_t id = mmio_read32(places[i] + EDU_ID);
            CHECK(id == EDU_ID_VALUE || id == UINT32_MAX);
            found += id == EDU_ID_VALUE;
            mmio_write32(places[i] + EDU_FACTORIAL, 12);
        }
    }
    return found;
}

int guest_main(void)
{
    CHECK(edu_find(&edu, 0));
    places[0] = edu.dev.base;
    places[1] = pci_window().base + 16 * MIB;
    cpus_start(move_about);
    const uint64_t found = user_call(look, 0);
    CHECK_EQ(edu_factorial(&edu, 5) % 120, 0); /* 12 may still be worked on */
    CHECK_EQ(edu_factorial(&edu, 5), 120);
    print("pci_race: found the device %lu times\n", found);
    print("pci_race: ok\n");
    return 0;
}
