/*
 * Every device register at every offset and width, with arbitrary values:
 * nothing a guest writes may harm vmm. Left out is only what ends the run by
 * design. Afterwards console and disk still work. Wants a disk.
 */
#include "poke.h"
#include "virtio_blk.h"
#include "x86.h"

#define GED_GPA   0xfea00000UL
#define SLOT_SIZE 0x200

#define COM1_INT_ENABLE   (PORT_COM1 + 1)
#define COM1_FIFO         (PORT_COM1 + 2)
#define COM1_LINE_CONTROL (PORT_COM1 + 3)
#define COM1_MODEM        (PORT_COM1 + 4)

struct span {
    unsigned first, last;
};

static const struct span ports[] = {
    {0x0000, 0x04ff}, {0x0500, 0x051f}, {0x0cf0, 0x0d0f}, {0x8900, 0x8900}, {0xfff0, 0xfffc},
};

/* Ports at which some value ends the run, with those before them from where a wide access reaches.
 */
static const struct span ending_ports[] = {
    {0x005d, 0x0064}, /* keyboard controller */
    {0x008f, 0x0092}, /* fast reset */
    {0x00f1, 0x00f7}, /* debug-exit */
    {0x0502, 0x0505}, /* pvpanic */
    {0x0cf6, 0x0cf9}, /* reset */
};

static struct virtq queue;
static struct blk disk;

static bool ends_the_run(unsigned port)
{
    for (size_t i = 0; i < ARRAY_SIZE(ending_ports); i++) {
        if (port >= ending_ports[i].first && port <= ending_ports[i].last) {
            return true;
        }
    }
    return false;
}

static void poke_port(uint16_t port)
{
    port_in8(port);
    port_in16(port);
    port_in32(port);
    port_out8(port, (uint8_t)arbitrary());
    port_out16(port, (uint16_t)arbitrary());
    port_out32(port, arbitrary());
}

static uint64_t poke_all(uint64_t virtio_base)
{
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        for (unsigned port = ports[i].first; port <= ports[i].last; port++) {
            if (!ends_the_run(port)) {
                poke_port((uint16_t)port);
            }
        }
    }
    poke_memory(virtio_base, SLOT_SIZE);
    poke_memory(virtio_base + SLOT_SIZE, 8);
    poke_memory(GED_GPA, 16);
    poke_memory(ECAM_GPA, 256);
    return 0;
}

static void restore_console(void)
{
    port_out8(COM1_LINE_CONTROL, 0x03); /* 8 bits; divisor latch off */
    port_out8(COM1_MODEM, 0x03);        /* loopback off */
    port_out8(COM1_INT_ENABLE, 0);
    port_out8(COM1_FIFO, 0x07);
}

int guest_main(void)
{
    static uint8_t sector[SECTOR_SIZE];
    CHECK(virtio_find(&disk.virtio, VIRTIO_ID_BLOCK, 0));
    user_call(poke_all, disk.virtio.base);
    poke_port(0xffff); /* over the end of the ports: user mode may not */
    restore_console();
    print("\n");
    CHECK(blk_open(&disk, 0, &queue, 0));
    CHECK_EQ(blk_request(&disk, BLK_READ, 0, sector, SECTOR_SIZE), BLK_OK);
    print("registers: ok\n");
    return 0;
}
