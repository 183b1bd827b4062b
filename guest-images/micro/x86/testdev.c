/*
 * What --machine pc,testdev=on adds for kvm-unit-tests, but for PCI: fw-cfg's items by ports
 * and DMA, pc-testdev's latch, lines, pages and memory.
 */
#include "guest.h"
#include "x86.h"

#define FW_SELECTOR 0x510
#define FW_DATA     0x511
#define FW_DMA      0x514
#define FW_RAM_SIZE 3
#define FW_CPUS     5

#define LATCH   0xe0
#define FLUSH   0xe4
#define LATCH_2 0xe8
#define LINES   0x2000
#define SCRATCH 0xff000000UL

#define GSI   11
#define PAGES 4

static uint64_t fw_item(uint16_t key, unsigned bytes)
{
    uint64_t value = 0;
    port_out16(FW_SELECTOR, key);
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)port_in8(FW_DATA) << 8 * i;
    }
    return value;
}

static void fw_cfg(void)
{
    static uint8_t request[16] __attribute__((aligned(16))), item[8];
    CHECK_EQ(fw_item(0, 4), 0x554d4551); /* "QEMU" */
    const uint64_t cpus = fw_item(FW_CPUS, 2), ram = fw_item(FW_RAM_SIZE, 8);
    print("testdev: %lu CPUs, %lu MiB\n", cpus, ram >> 20);

    const uint32_t buffer = (uint32_t)(uintptr_t)item, block = (uint32_t)(uintptr_t)request;
    request[1] = FW_RAM_SIZE;
    request[3] = 8 | 2; /* select, read */
    request[7] = sizeof(item);
    for (unsigned i = 0; i < 4; i++) {
        request[12 + i] = (uint8_t)(buffer >> (24 - 8 * i));
    }
    port_out32(FW_DMA, 0);
    port_out32(FW_DMA + 4, __builtin_bswap32(block));
    CHECK_EQ(request[3], 0);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_EQ(item[i], ram >> 8 * i & 0xff);
    }
}

static void latch(void)
{
    uint8_t bytes[] = {1, 2, 3};
    port_out32(LATCH, 0x11223344);
    CHECK_EQ(port_in32(LATCH_2), 0x11223344);
    port_out8(LATCH_2 + 3, 0x55);
    CHECK_EQ(port_in16(LATCH + 2), 0x5522);
    port_out_string8(LATCH, bytes, sizeof(bytes));
    CHECK_EQ(port_in8(LATCH), 3);
    port_in_string8(LATCH, bytes, sizeof(bytes));
    CHECK_EQ(bytes[2], 3);
}

static void scratch(void)
{
    mmio_write64(SCRATCH + 0xfff8, 0x1122334455667788);
    CHECK_EQ(mmio_read32(SCRATCH + 0xfffc), 0x11223344);
    mmio_write8(SCRATCH + 0xffff, 0xaa);
    CHECK_EQ(mmio_read64(SCRATCH + 0xfff8), 0xaa22334455667788);
}

static void flush(void)
{
    static volatile uint8_t pages[PAGES][4096] __attribute__((aligned(4096)));
    for (unsigned round = 1; round < 4; round++) {
        for (unsigned i = 0; i < PAGES; i++) {
            pages[i][i] = (uint8_t)(round * i);
            port_out32(FLUSH, (uint32_t)(uintptr_t)&pages[i][7]);
            CHECK_EQ(pages[i][i], round * i);
        }
    }
}

static volatile unsigned interrupts;

static void on_edge(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    lapic_eoi();
}

static void on_level(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    port_out8(LINES + GSI, 0);
    lapic_eoi();
}

static void lines(void)
{
    lapic_enable();
    trap_set(VECTOR_DEVICE, on_edge);
    ioapic_route(GSI, VECTOR_DEVICE, false);
    for (unsigned i = 1; i <= 3; i++) {
        port_out8(LINES + GSI, 1);
        wait_for_interrupt();
        CHECK_EQ(interrupts, i);
        port_out8(LINES + GSI, 0);
    }
    ioapic_mask(GSI);
    interrupts = 0;
    trap_set(VECTOR_DEVICE, on_level);
    ioapic_route(GSI, VECTOR_DEVICE, true);
    port_out32(LINES + GSI, 1); /* and three more lines go low */
    wait_for_interrupt();
    CHECK(interrupts >= 1);
    ioapic_mask(GSI);
}

int guest_main(void)
{
    fw_cfg();
    latch();
    scratch();
    flush();
    lines();
    print("testdev: ok\n");
    return 0;
}
