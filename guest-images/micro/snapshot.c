/*
 * A machine that is saved and restored: the guest says ready, and whatever machine it is
 * in afterwards, all is as it was and goes on. Wants a snapshot-ready device; words of the
 * command line add to it: smp, devices (edu and a dma-engine), memory, disk, twice, reboot.
 */
#include "dma_engine.h"
#include "edu.h"
#include "virtio_blk.h"

#define CPUS_MAX   8
#define TIMER_US   500
#define COPY_BYTES (4U << 20) /* longer than what a START copies itself */
#define COPY_FROM  (RAM_GPA + (32UL << 20))
#define COPY_TO    (RAM_GPA + (48UL << 20))
#define STRIDE     (16UL << 20)
#define SECTOR     5

static volatile unsigned ticks;
static volatile uint32_t counts[CPUS_MAX];
static volatile bool stop;
static struct edu edu;
static struct dma_engine engine;
static struct virtq queue;
static struct blk disk;
static uint8_t sector[SECTOR_SIZE], back[SECTOR_SIZE];

/* --- before: something that is going on -------------------------------------- */

static void tick(void *arg)
{
    (void)arg;
    ticks++;
}

static void count(unsigned index)
{
    while (!stop && index < CPUS_MAX) {
        counts[index]++;
        cpu_relax();
    }
}

static void start_cpus(void)
{
    cpus_start(count);
    for (unsigned i = 1; i < cpu_count(); i++) {
        while (counts[i] == 0) {
            cpu_relax();
        }
    }
}

/* A computation, a transfer and a copy that are not over when the machine is saved. */
static void start_devices(void)
{
    CHECK(edu_find(&edu, 0) && dma_engine_find(&engine, 0));
    if (dev_has_messages(&edu.dev)) {
        edu_use_msi(&edu);
    } else {
        edu_use_line(&edu);
    }
    edu_write(&edu, EDU_LIVENESS, 0x12345678);
    for (unsigned i = 0; i < 64; i++) {
        mmio_write32(COPY_FROM + i * 4, i * 0x01010101U);
        mmio_write32(COPY_FROM + COPY_BYTES - 4 - i * 4, ~i);
    }
    edu_dma_start(&edu, COPY_FROM, EDU_BUFFER, 256, EDU_DMA_IRQ);
    dma_start(&engine, 0, COPY_TO, COPY_FROM, COPY_BYTES);
}

static uint32_t pattern(uint64_t gpa)
{
    return (uint32_t)(gpa >> 20) * 2654435761U + 1;
}

/* A word in every 16 MiB of RAM behind the guest, on both sides of the hole. */
static void for_all_memory(void (*each)(volatile uint32_t *word, uint32_t value))
{
    for (size_t i = 0; i < boot.areas; i++) {
        const struct mem_area area = boot_area(i);
        uint64_t gpa = area.gpa < RAM_GPA + STRIDE ? RAM_GPA + STRIDE : area.gpa;
        for (; area.type == MEM_TYPE_RAM && gpa + 4 <= area.gpa + area.size; gpa += STRIDE) {
            each(phys_window(gpa), pattern(gpa));
        }
    }
}

static void put_word(volatile uint32_t *word, uint32_t value)
{
    *word = value;
}

/* --- after: it goes on ---------------------------------------------------------- */

static void check_word(volatile uint32_t *word, uint32_t value)
{
    CHECK_EQ(*word, value);
}

static void check_timer(void)
{
    const unsigned before = ticks;
    while (ticks < before + 2) {
        wait_for_interrupt();
    }
    timer_stop();
    print("timer: goes on\n");
}

static void check_cpus(void)
{
    for (unsigned i = 1; i < cpu_count(); i++) {
        const uint32_t before = counts[i];
        while (counts[i] == before) {
            cpu_relax();
        }
        print("cpu %u counts on\n", i);
    }
    stop = true;
    cpus_wait(cpu_count() - 1);
}

static void check_devices(void)
{
    CHECK_EQ(edu_read(&edu, EDU_LIVENESS), ~0x12345678U);
    edu_wait(&edu, 1);
    CHECK_EQ(edu.reasons, EDU_IRQ_DMA);
    memset((void *)COPY_FROM, 0, 256);
    edu_dma(&edu, EDU_BUFFER, COPY_FROM, 256, EDU_DMA_TO_MEMORY);
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(mmio_read32(COPY_FROM + i * 4), i * 0x01010101U);
    }
    CHECK_EQ(edu_factorial(&edu, 10), 3628800);
    print("edu: goes on\n");
    CHECK_EQ(dma_wait(&engine, 0), DMA_OK);
    CHECK_EQ(dma_read(&engine, dma_channel(0) + DMA_COPIED), COPY_BYTES);
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(mmio_read32(COPY_TO + COPY_BYTES - 4 - i * 4), ~i);
    }
    CHECK_EQ(dma_copy(&engine, 0, COPY_FROM, COPY_TO, 4096), DMA_ERROR_NONE);
    print("dma-engine: goes on\n");
}

/* The disk is as it was when the machine was saved, and takes writes of its own. */
static void check_disk(void)
{
    CHECK_EQ(blk_request(&disk, BLK_READ, SECTOR, back, sizeof(back)), BLK_OK);
    for (size_t i = 0; i < sizeof(back); i++) {
        CHECK_EQ(back[i], 0);
    }
    memset(sector, 0xa7, sizeof(sector));
    CHECK_EQ(blk_request(&disk, BLK_WRITE, SECTOR, sector, sizeof(sector)), BLK_OK);
    CHECK_EQ(blk_request(&disk, BLK_FLUSH, 0, NULL, 0), BLK_OK);
    CHECK_EQ(blk_request(&disk, BLK_READ, SECTOR, back, sizeof(back)), BLK_OK);
    CHECK(memcmp(sector, back, sizeof(back)) == 0);
    CHECK_EQ(blk_request(&disk, BLK_READ, 0, back, sizeof(back)), BLK_OK);
    CHECK(memcmp(back, "before", 6) == 0);
    print("disk: written and read\n");
}

/* --- the whole ------------------------------------------------------------------ */

static void before(void)
{
    timer_start(TIMER_US, true, tick, NULL);
    if (cmdline_has("smp")) {
        start_cpus();
    }
    if (cmdline_has("devices")) {
        start_devices();
    }
    if (cmdline_has("memory")) {
        for_all_memory(put_word);
    }
    if (cmdline_has("disk")) {
        CHECK(blk_open(&disk, 0, &queue, BLK_F_FLUSH));
        CHECK_EQ(blk_request(&disk, BLK_READ, 0, back, sizeof(back)), BLK_OK);
    }
}

static void after(void)
{
    check_timer();
    if (cmdline_has("smp")) {
        check_cpus();
    }
    if (cmdline_has("devices")) {
        check_devices();
    }
    if (cmdline_has("memory")) {
        for_all_memory(check_word);
        print("memory: as it was\n");
    }
    if (cmdline_has("disk")) {
        check_disk();
    }
    if (cmdline_has("reboot")) {
        guest_reset();
    }
}

int guest_main(void)
{
    before();
    print("snapshot: ready\n");
    print("generation %u\n", snapshot_point());
    if (cmdline_has("twice")) {
        print("generation %u\n", snapshot_point());
    }
    after();
    print("snapshot: ok\n");
    return 0;
}
