/*
 * dma-engine, polled: every register at every width, copies, errors, overlap,
 * channels. Wants a dma-engine with max_size=2M.
 */
#include "dma_engine.h"

#define PAGE     0x1000UL
#define BLOCK    0x10000UL
#define MAX_SIZE 0x200000U
#define VALUE    0x1122334455667788U

#define NO_RAM 0xb0000000UL

/* In RAM behind the image: source, destination, one more. */
#define SRC_GPA   (RAM_GPA + 0x1000000)
#define DST_GPA   (RAM_GPA + 0x1800000)
#define THIRD_GPA (RAM_GPA + 0x2000000)

static struct dma_engine dma;
static unsigned channels;

/* --- registers ------------------------------------------------------------- */

struct reg {
    uintptr_t offset; /* in the first page, or in a channel's */
    unsigned widths;  /* those that exist, added up */
    bool writable;
    uint64_t value; /* while this runs */
};

static const struct reg global_regs[] = {
    {DMA_ID, 4, false, DMA_ID_VALUE},   {DMA_CAPS, 4, false, DMA_CAPS_IRQ | DMA_CAPS_ERROR},
    {DMA_MAX_SIZE, 4, false, MAX_SIZE}, {DMA_IRQ_STATUS, 4, true, 0},
    {DMA_IRQ_ENABLE, 4, true, 0},
};

static const struct reg channel_regs[] = {
    {DMA_SRC, 4 | 8, true, VALUE},    {DMA_SRC + 4, 4, true, VALUE >> 32},
    {DMA_DST, 4 | 8, true, ~VALUE},   {DMA_DST + 4, 4, true, ~VALUE >> 32},
    {DMA_FLAGS, 4, true, 0x5a5a5a5a}, {DMA_SIZE, 4, true, 0xa5a5a5a5},
    {DMA_START, 4, true, 0},          {DMA_DONE, 4, false, 0},
    {DMA_ERROR, 4, false, 0},         {DMA_COPIED, 4, false, 0},
};

static const struct reg *reached(const struct reg *regs, size_t count, uintptr_t offset,
                                 unsigned width)
{
    for (size_t i = 0; i < count; i++) {
        if (regs[i].offset == offset && (regs[i].widths & width) != 0) {
            return &regs[i];
        }
    }
    return NULL;
}

static void page_holds(uintptr_t page, const struct reg *regs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t extra = regs[i].offset == DMA_CAPS && page == dma.dev.base ? channels : 0;
        CHECK_EQ(mmio_read32(page + regs[i].offset), (uint32_t)regs[i].value + extra);
    }
}

/* Accesses that reach no register read all ones, and write nothing; nor can a read-only one. */
static void every_access(uintptr_t page, const struct reg *regs, size_t count)
{
    for (uintptr_t offset = 0; offset < 0x38; offset++) {
        for (unsigned width = 1; width <= 8; width *= 2) {
            const uint64_t ones = UINT64_MAX >> (64 - 8 * width);
            const struct reg *reg = reached(regs, count, offset, width);
            if (reg == NULL) {
                CHECK_EQ(mmio_read(page + offset, width), ones);
            } else if (width == 8) {
                CHECK_EQ(mmio_read64(page + offset), reg->value);
            }
            if (reg == NULL || !reg->writable) {
                mmio_write(page + offset, width, 0x0101010101010101);
            }
        }
    }
    page_holds(page, regs, count);
}

static uint64_t registers(uint64_t arg)
{
    const uintptr_t page = dma.dev.base + dma_channel(0);
    (void)arg;
    mmio_write64(page + DMA_SRC, VALUE);
    mmio_write64(page + DMA_DST, ~VALUE);
    mmio_write32(page + DMA_FLAGS, 0x5a5a5a5a);
    mmio_write32(page + DMA_SIZE, 0xa5a5a5a5);
    mmio_write32(page + DMA_START, 2); /* without bit 0 */
    page_holds(page, channel_regs, ARRAY_SIZE(channel_regs));
    page_holds(dma.dev.base, global_regs, ARRAY_SIZE(global_regs));
    every_access(dma.dev.base, global_regs, ARRAY_SIZE(global_regs));
    every_access(page, channel_regs, ARRAY_SIZE(channel_regs));
    mmio_write32(page + DMA_FLAGS, 0);
    if (channels < DMA_CHANNELS_MAX) {
        CHECK_EQ(dma_read(&dma, dma_channel(channels) + DMA_DONE), UINT32_MAX);
    }
    CHECK_EQ(mmio_read32(dma.dev.base + BLOCK - 4), UINT32_MAX);
    return 0;
}

/* --- copies ------------------------------------------------------------------ */

static void fill(uintptr_t gpa, size_t size, unsigned seed)
{
    uint8_t *p = (uint8_t *)gpa;
    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(seed + i * 13 + i / 251);
    }
}

static bool same(uintptr_t a, uintptr_t b, size_t size)
{
    return memcmp((const void *)a, (const void *)b, size) == 0;
}

static uint8_t byte_at(uintptr_t gpa)
{
    return *(volatile uint8_t *)gpa;
}

static uint64_t sizes(uint64_t arg)
{
    static const uint32_t list[] = {0, 1, 2, 3, 7, 8, 4095, 4096, 4097, 65536, 65537, MAX_SIZE};
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        const uintptr_t src = SRC_GPA + i, dst = DST_GPA + 3 * i;
        fill(src, list[i], (unsigned)i);
        memset((void *)(dst - 1), 0xee, list[i] + 2);
        CHECK_EQ(dma_copy(&dma, 0, dst, src, list[i]), DMA_ERROR_NONE);
        CHECK(same(src, dst, list[i]));
        CHECK_EQ(byte_at(dst - 1), 0xee);
        CHECK_EQ(byte_at(dst + list[i]), 0xee);
    }
    return 0;
}

/* Addresses written in halves, either one first. Each replaces its own half. */
static void halves(bool high_first)
{
    const uintptr_t regs = dma.dev.base + dma_channel(0);
    const uintptr_t first = high_first ? 4 : 0;
    fill(SRC_GPA, 64, high_first);
    memset((void *)DST_GPA, 0, 64);
    mmio_write64(regs + DMA_SRC, UINT64_MAX);
    mmio_write64(regs + DMA_DST, UINT64_MAX);
    for (uintptr_t i = 0; i < 2; i++) {
        const uintptr_t half = first ^ (4 * i);
        mmio_write32(regs + DMA_SRC + half, (uint32_t)(SRC_GPA >> 8 * half));
        mmio_write32(regs + DMA_DST + half, (uint32_t)(DST_GPA >> 8 * half));
    }
    mmio_write32(regs + DMA_SIZE, 64);
    mmio_write32(regs + DMA_START, 1);
    CHECK_EQ(dma_wait(&dma, 0), DMA_OK);
    CHECK(same(SRC_GPA, DST_GPA, 64));
}

/* The result is that of memmove(), whichever range begins first. */
static uint64_t overlap(uint64_t arg)
{
    static const int shifts[] = {-4097, -64, -1, 0, 1, 63, 4096};
    const uint32_t size = 20000;
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
        const uintptr_t dst = SRC_GPA + (uintptr_t)(intptr_t)shifts[i];
        fill(SRC_GPA, size, (unsigned)i);
        memcpy((void *)THIRD_GPA, (const void *)SRC_GPA, size);
        CHECK_EQ(dma_copy(&dma, 0, dst, SRC_GPA, size), DMA_ERROR_NONE);
        CHECK(same(THIRD_GPA, dst, size));
    }
    return 0;
}

/* --- errors -------------------------------------------------------------------- */

static void fails(unsigned error, uint64_t dst, uint64_t src, uint32_t size)
{
    memset((void *)DST_GPA, 0xee, 64);
    CHECK_EQ(dma_copy(&dma, 0, dst, src, size), error);
    CHECK_EQ(byte_at(DST_GPA), 0xee);
    CHECK_EQ(byte_at(DST_GPA + 63), 0xee);
}

static uint64_t end_of_ram(void)
{
    uint64_t end = 0;
    for (size_t i = 0; i < boot.areas; i++) {
        const struct mem_area area = boot_area(i);
        if (area.type == MEM_TYPE_RAM && area.gpa + area.size < NO_RAM) {
            end = area.gpa + area.size;
        }
    }
    return end;
}

static void errors(void)
{
    const uint64_t end = end_of_ram();
    const uint64_t no_memory[] = {
        NO_RAM,     end - 63,  end, UINT64_MAX - 62, UINT64_MAX, dma.dev.base, dma.dev.base + PAGE,
        1ULL << 52, pci_ecam()};
    fill(SRC_GPA, 64, 9);
    fails(DMA_ERROR_SIZE, DST_GPA, SRC_GPA, MAX_SIZE + 1);
    fails(DMA_ERROR_SIZE, DST_GPA, SRC_GPA, UINT32_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(no_memory); i++) {
        fails(DMA_ERROR_SRC, DST_GPA, no_memory[i], 64);
        fails(DMA_ERROR_DST, no_memory[i], SRC_GPA, 64);
    }
    CHECK_EQ(dma_copy(&dma, 0, end - 64, SRC_GPA, 64), DMA_ERROR_NONE);
    CHECK(same(SRC_GPA, end - 64, 64));
    dma_write(&dma, dma_channel(0) + DMA_FLAGS, 1);
    fails(DMA_ERROR_FLAGS, DST_GPA, SRC_GPA, 64);
    dma_write(&dma, dma_channel(0) + DMA_FLAGS, 0);
    if (dma.dev.on_pci) {
        pci_command(&dma.dev.pci, 0, PCI_COMMAND_MASTER);
        fails(DMA_ERROR_MASTER, DST_GPA, SRC_GPA, 64);
        pci_command(&dma.dev.pci, PCI_COMMAND_MASTER, 0);
    }
    CHECK_EQ(dma_copy(&dma, 0, DST_GPA, SRC_GPA, 64), DMA_ERROR_NONE);
    CHECK(same(SRC_GPA, DST_GPA, 64));
}

/* --- channels ------------------------------------------------------------------- */

/* Each has operands and results of its own. */
static uint64_t all_channels(uint64_t arg)
{
    (void)arg;
    for (unsigned n = 0; n < channels; n++) {
        const uintptr_t regs = dma.dev.base + dma_channel(n);
        fill(SRC_GPA + n * PAGE, 256, n);
        mmio_write64(regs + DMA_SRC, SRC_GPA + n * PAGE);
        mmio_write64(regs + DMA_DST, DST_GPA + n * PAGE);
        mmio_write32(regs + DMA_SIZE, n % 2 == 0 ? 256 : MAX_SIZE + 1);
    }
    for (unsigned n = 0; n < channels; n++) {
        dma_write(&dma, dma_channel(n) + DMA_START, 1);
    }
    for (unsigned n = 0; n < channels; n++) {
        CHECK_EQ(dma_wait(&dma, n), n % 2 == 0 ? DMA_OK : DMA_FAILED);
        CHECK(n % 2 != 0 || same(SRC_GPA + n * PAGE, DST_GPA + n * PAGE, 256));
    }
    CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), (1U << channels) - 1);
    dma_write(&dma, DMA_IRQ_STATUS, 1);
    CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), (1U << channels) - 2);
    return 0;
}

int guest_main(void)
{
    CHECK(dma_engine_find(&dma, 0));
    channels = dma_read(&dma, DMA_CAPS) & DMA_CAPS_CHANNELS;
    print("dma_engine: %s, channels: %u\n", dma.dev.on_pci ? "PCI function" : "platform device",
          channels);
    user_call(registers, 0);
    user_call(sizes, 0);
    halves(false);
    halves(true);
    user_call(overlap, 0);
    errors();
    user_call(all_channels, 0);
    print("dma_engine: ok\n");
    return 0;
}
