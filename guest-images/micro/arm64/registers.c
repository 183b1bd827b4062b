/*
 * Every device register at every offset and width, with arbitrary values:
 * nothing a guest writes may harm vmm. Left out is only what ends the run by
 * design. Afterwards console and disk still work. Wants a disk.
 */
#include "pci.h"
#include "poke.h"
#include "virt.h"
#include "virtio_blk.h"

#define SLOT_SIZE 0x200

#define UART_LINE       (UART_GPA + 0x2c)
#define UART_CONTROL    (UART_GPA + 0x30)
#define UART_INT_ENABLE (UART_GPA + 0x38)
#define LINE_8_FIFO     0x70
#define CONTROL_ON      0x301 /* both ways, no loopback */

static struct virtq queue;
static struct blk disk;

static const struct {
    uintptr_t gpa;
    size_t size;
} places[] = {
    {UART_GPA, 0x58},
    {UART_GPA + 0xfd8, 0x28},
    {RTC_GPA, 0x28},
    {RTC_GPA + 0xfd8, 0x28},
};

static uint64_t poke_all(uint64_t virtio_base)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        poke_memory(places[i].gpa, places[i].size);
    }
    poke_memory(virtio_base, SLOT_SIZE);
    poke_memory(virtio_base + SLOT_SIZE, 8);
    poke_memory(pci_ecam(), PCI_CONFIG_SIZE);
    return 0;
}

static void restore_console(void)
{
    mmio_write32(UART_INT_ENABLE, 0);
    mmio_write32(UART_LINE, LINE_8_FIFO);
    mmio_write32(UART_CONTROL, CONTROL_ON);
}

int guest_main(void)
{
    static uint8_t sector[SECTOR_SIZE];
    CHECK(virtio_find(&disk.virtio, VIRTIO_ID_BLOCK, 0));
    user_call(poke_all, disk.virtio.base);
    restore_console();
    print("\n");
    CHECK(blk_open(&disk, 0, &queue, 0));
    CHECK_EQ(blk_request(&disk, BLK_READ, 0, sector, SECTOR_SIZE), BLK_OK);
    print("registers: ok\n");
    return 0;
}
