/*
 * MMIO at every width, aligned and not, within a page and across two, from
 * kernel mode and from user mode. Wants a disk.
 */
#include "virtio_blk.h"

/* Nothing answers here: between RAM and the PCI window. */
#define HOLE 0xb0001000UL

static struct blk disk;

/* Unassigned reads give all ones; writes go nowhere. */
static void hole(uintptr_t gpa)
{
    mmio_write8(gpa, 0x5a);
    mmio_write16(gpa, 0x5a5a);
    mmio_write32(gpa, 0x5a5a5a5a);
    mmio_write64(gpa, 0x5a5a5a5a5a5a5a5a);
    CHECK_EQ(mmio_read8(gpa), 0xff);
    CHECK_EQ(mmio_read16(gpa), 0xffff);
    CHECK_EQ(mmio_read32(gpa), 0xffffffff);
    CHECK_EQ(mmio_read64(gpa), UINT64_MAX);
}

/* virtio-mmio wants aligned accesses of 4 bytes; anything else reads 0 and writes nothing. */
static void registers(uintptr_t base)
{
    CHECK_EQ(mmio_read32(base + VIRTIO_MAGIC), VIRTIO_MAGIC_VALUE);
    CHECK_EQ(mmio_read32(base + VIRTIO_VERSION), 2);
    CHECK_EQ(mmio_read32(base + VIRTIO_DEVICE_ID), VIRTIO_ID_BLOCK);
    CHECK_EQ(mmio_read8(base + VIRTIO_MAGIC), 0);
    CHECK_EQ(mmio_read16(base + VIRTIO_MAGIC), 0);
    CHECK_EQ(mmio_read32(base + VIRTIO_MAGIC + 1), 0);
    CHECK_EQ(mmio_read16(base + VIRTIO_MAGIC + 3), 0);

    mmio_write32(base + VIRTIO_STATUS, 0);
    mmio_write8(base + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE);
    mmio_write16(base + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE);
    CHECK_EQ(mmio_read32(base + VIRTIO_STATUS), 0);
    mmio_write32(base + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE);
    CHECK_EQ(mmio_read32(base + VIRTIO_STATUS), VIRTIO_ACKNOWLEDGE);
    mmio_write32(base + VIRTIO_STATUS, 0);
    mmio_write32(base + VIRTIO_MAGIC, 0);
    CHECK_EQ(mmio_read32(base + VIRTIO_MAGIC), VIRTIO_MAGIC_VALUE);
}

/* Configuration space takes 1, 2 and 4 bytes. */
static void configuration(uintptr_t config)
{
    const uint32_t low = mmio_read32(config);
    CHECK_EQ(mmio_read16(config), low & 0xffff);
    CHECK_EQ(mmio_read8(config), low & 0xff);
    CHECK_EQ(mmio_read8(config + 1), low >> 8 & 0xff);
}

/* The last bytes of RAM and the first behind it in one access. */
static void end_of_ram(void)
{
    uint64_t end = 0;
    for (size_t i = 0; i < boot.areas; i++) {
        struct mem_area area = boot_area(i);
        if (area.type == MEM_TYPE_RAM && area.gpa + area.size > end) {
            end = area.gpa + area.size;
        }
    }
    mmio_write64(end - 8, 0x1122334455667788);
    mmio_write64(end - 4, 0xaabbccddeeff0011);
    CHECK_EQ(mmio_read64(end - 8), 0xeeff001155667788);
    CHECK_EQ(mmio_read64(end - 4), 0xffffffffeeff0011);
    CHECK_EQ(mmio_read16(end - 1), 0xffee);
}

static uint64_t all(uint64_t arg)
{
    (void)arg;
    for (uintptr_t offset = 0; offset < 9; offset++) {
        hole(HOLE + offset);
    }
    for (uintptr_t before = 1; before < 8; before++) {
        hole(HOLE + 4096 - before);
    }
    registers(disk.virtio.base);
    configuration(disk.virtio.base + VIRTIO_CONFIG);
    if (MMIO_SPLITS) {
        end_of_ram();
    }
    return 0;
}

int guest_main(void)
{
    CHECK(virtio_find(&disk.virtio, VIRTIO_ID_BLOCK, 0));
    all(0);
    user_call(all, 0);
    print("mmio: ok\n");
    return 0;
}
