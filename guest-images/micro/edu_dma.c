/*
 * edu's DMA. Wants an edu with dma_delay=0. On the command line:
 *   slow    the edu has its usual delay: what a transfer that takes time does
 *   wide    the edu has dma_mask=0xffffffffffffffff, the machine RAM above 4 GiB
 *   mask=N  the edu has this dma_mask, as its usual one does not reach the machine's RAM
 */
#include "edu.h"

#define MASK      0x0fffffffUL     /* the device's usual one */
#define HIGH      0x0f0000000000UL /* bits outside it */
#define NO_RAM    0xb0000000UL
#define RAM_ABOVE 0x100200000UL

static struct edu edu;
static uint8_t here[2 * EDU_BUFFER_SIZE] __attribute__((aligned(4096)));
static uint8_t back[2 * EDU_BUFFER_SIZE] __attribute__((aligned(4096)));

static void fill(uint8_t *p, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        p[i] = (uint8_t)(seed + i * 7 + i / 256);
    }
}

static void to_device(const void *from, uint32_t at, uint64_t count)
{
    edu_dma(&edu, (uintptr_t)from, EDU_BUFFER + at, count, 0);
}

static void from_device(void *to, uint32_t at, uint64_t count)
{
    edu_dma(&edu, EDU_BUFFER + at, (uintptr_t)to, count, EDU_DMA_TO_MEMORY);
}

/* There and back, with a byte on either side that must stay. */
static void round_trip(uint32_t at, uint64_t count, size_t offset)
{
    fill(here + offset, count, (unsigned)(at + count));
    memset(back, 0xee, sizeof(back));
    to_device(here + offset, at, count);
    from_device(back + 1 + offset, at, count);
    CHECK(memcmp(here + offset, back + 1 + offset, count) == 0);
    CHECK_EQ(back[offset], 0xee);
    CHECK_EQ(back[1 + offset + count], 0xee);
}

static uint64_t round_trips(uint64_t arg)
{
    static const uint16_t counts[] = {0,   1,   2,   3,    4,    7,    8,    9,    63,
                                      511, 512, 513, 2048, 4000, 4093, 4094, 4095, 4096};
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        const uint32_t room = EDU_BUFFER_SIZE - counts[i];
        round_trip(0, counts[i], i);
        round_trip(room, counts[i], EDU_BUFFER_SIZE - i);
        round_trip(room / 2, counts[i], EDU_BUFFER_SIZE / 2 + 1);
    }
    return 0;
}

/* What leaves the device's buffer is refused in both directions, and the transfer ends as usual. */
static void bounds(void)
{
    static const struct {
        uint64_t at, count;
    } bad[] = {
        {EDU_BUFFER, EDU_BUFFER_SIZE + 1},
        {EDU_BUFFER - 1, 1},
        {EDU_BUFFER - 1, 2},
        {EDU_BUFFER + EDU_BUFFER_SIZE, 1},
        {EDU_BUFFER + 1, EDU_BUFFER_SIZE},
        {EDU_BUFFER, UINT64_MAX},
        {EDU_BUFFER, UINT32_MAX},
        {EDU_BUFFER + 8, UINT64_MAX - 7},
        {UINT64_MAX, 2},
        {UINT64_MAX - EDU_BUFFER, 2 * EDU_BUFFER + 1},
        {0, 8},
        {HIGH | EDU_BUFFER, 8},
    };
    fill(here, EDU_BUFFER_SIZE, 1);
    to_device(here, 0, EDU_BUFFER_SIZE);
    memset(back, 0xee, sizeof(back));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        edu_dma(&edu, (uintptr_t)back, bad[i].at, bad[i].count, 0);
        edu_dma(&edu, bad[i].at, (uintptr_t)back, bad[i].count, EDU_DMA_TO_MEMORY);
        CHECK_EQ(back[0], 0xee);
    }
    from_device(back, 0, EDU_BUFFER_SIZE);
    CHECK(memcmp(here, back, EDU_BUFFER_SIZE) == 0);
}

/* Address bits the device has no lines for are dropped. */
static void mask(void)
{
    const uint64_t outside = ~cmdline_number("mask", MASK);
    fill(here, 64, 2);
    memset(back, 0, 64);
    edu_dma(&edu, HIGH | (uintptr_t)here, EDU_BUFFER, 64, 0);
    edu_dma(&edu, EDU_BUFFER, outside | (uintptr_t)back, 64, EDU_DMA_TO_MEMORY);
    CHECK(memcmp(here, back, 64) == 0);
}

/* Where there is no RAM: nothing of vmm's own comes, and nothing is harmed. */
static void no_ram(void)
{
    static const uint64_t places[] = {NO_RAM, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        fill(here, 64, 3);
        to_device(here, 0, 64);
        edu_dma(&edu, places[i], EDU_BUFFER, 64, 0);
        from_device(back, 0, 64);
        CHECK(back[0] == 0x00 || back[0] == 0xff || back[0] == here[0]);
        edu_dma(&edu, EDU_BUFFER, places[i], 64, EDU_DMA_TO_MEMORY);
    }
    edu_dma(&edu, EDU_BUFFER, edu.dev.base, 64, EDU_DMA_TO_MEMORY);
    CHECK_EQ(edu_read(&edu, EDU_ID), EDU_ID_VALUE);
}

/* Without bus mastering no memory is touched, yet the transfer ends, with its interrupt. */
static void no_bus_master(void)
{
    fill(here, 64, 4);
    to_device(here, 0, 64);
    memset(back, 0xee, 64);
    pci_command(&edu.dev.pci, 0, PCI_COMMAND_MASTER);
    edu_dma(&edu, EDU_BUFFER, (uintptr_t)back, 64, EDU_DMA_TO_MEMORY | EDU_DMA_IRQ);
    CHECK_EQ(back[0], 0xee);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), EDU_IRQ_DMA);
    edu_write(&edu, EDU_IRQ_ACK, EDU_IRQ_DMA);
    pci_command(&edu.dev.pci, PCI_COMMAND_MASTER, 0);
    from_device(back, 0, 64);
    CHECK(memcmp(here, back, 64) == 0);
}

/* A driver with 32-bit accesses only, as far as it reaches. */
static void narrow_driver(void)
{
    fill(here, 64, 5);
    edu_write(&edu, EDU_DMA_SRC, (uint32_t)(uintptr_t)here);
    edu_write(&edu, EDU_DMA_DST, EDU_BUFFER);
    edu_write(&edu, EDU_DMA_COUNT, 64);
    edu_write(&edu, EDU_DMA_CMD, EDU_DMA_RUN);
    while (edu_dma_running(&edu)) {
        cpu_relax();
    }
    from_device(back, 0, 64);
    CHECK(memcmp(here, back, 64) == 0);
}

/* Start with an interrupt at the end, sleep, and find the data there. */
static void sleep_for_transfer(void)
{
    const unsigned before = edu.interrupts;
    memset(back, 0, 64);
    edu.reasons = 0;
    edu_dma_start(&edu, EDU_BUFFER, (uintptr_t)back, 64, EDU_DMA_TO_MEMORY | EDU_DMA_IRQ);
    edu_wait(&edu, before + 1);
    CHECK_EQ(edu.reasons, EDU_IRQ_DMA);
    CHECK(!edu_dma_running(&edu));
    CHECK_EQ(edu_read(&edu, EDU_DMA_CMD), EDU_DMA_TO_MEMORY | EDU_DMA_IRQ);
    CHECK(memcmp(here, back, 64) == 0);
}

static void interrupts(void)
{
    fill(here, 64, 6);
    to_device(here, 0, 64);
    edu_use_line(&edu);
    sleep_for_transfer();
    if (dev_has_messages(&edu.dev)) {
        edu_use_msi(&edu);
        sleep_for_transfer();
    }
}

/* While a transfer runs, its registers stay as they are. */
static void slow(void)
{
    fill(here, 64, 7);
    edu_dma_start(&edu, (uintptr_t)here, EDU_BUFFER, 64, EDU_DMA_IRQ);
    for (uintptr_t reg = EDU_DMA_SRC; reg <= EDU_DMA_CMD; reg += 8) {
        mmio_write64(edu.dev.base + reg, EDU_DMA_RUN | EDU_DMA_TO_MEMORY);
    }
    CHECK_EQ(mmio_read64(edu.dev.base + EDU_DMA_SRC), (uintptr_t)here);
    CHECK_EQ(mmio_read64(edu.dev.base + EDU_DMA_DST), EDU_BUFFER);
    CHECK_EQ(mmio_read64(edu.dev.base + EDU_DMA_COUNT), 64);
    CHECK_EQ(edu_read(&edu, EDU_DMA_CMD), EDU_DMA_RUN | EDU_DMA_IRQ);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
    edu_use_line(&edu);
    edu_wait(&edu, 1);
    CHECK_EQ(edu_read(&edu, EDU_DMA_CMD), EDU_DMA_IRQ);
    sleep_for_transfer();
}

/* All 64 bits of an address reach memory. */
static void wide(void)
{
    uint8_t *above = phys_window(RAM_ABOVE);
    fill(above, 64, 8);
    memset(above + 64, 0, 64);
    edu_dma(&edu, RAM_ABOVE, EDU_BUFFER, 64, 0);
    edu_dma(&edu, EDU_BUFFER, RAM_ABOVE + 64, 64, EDU_DMA_TO_MEMORY);
    CHECK(memcmp(above, above + 64, 64) == 0);
}

int guest_main(void)
{
    CHECK(edu_find(&edu, 0));
    if (cmdline_has("slow")) {
        slow();
    } else if (cmdline_has("wide")) {
        wide();
    } else {
        user_call(round_trips, 0);
        bounds();
        mask();
        no_ram();
        narrow_driver();
        interrupts();
        if (edu.dev.on_pci) {
            no_bus_master();
        }
    }
    print("edu_dma: ok\n");
    return 0;
}
