/*
 * A disk: every request type, polled and by interrupt, and requests it must
 * refuse. Wants a disk of at least 8 sectors; leaves sectors 2 and 3 filled with
 * the pattern below, unless it is read-only.
 */
#include "virtio_blk.h"

#define UNKNOWN_TYPE 0x77
#define RESETS       10

static struct virtq queue;
static uint8_t buffer[2 * SECTOR_SIZE], back[2 * SECTOR_SIZE];
static struct blk disk;
static volatile unsigned interrupts;

static uint64_t fill(uint64_t seed)
{
    for (size_t i = 0; i < sizeof(buffer); i++) {
        buffer[i] = (uint8_t)(seed + i * 7 + i / SECTOR_SIZE);
    }
    return 0;
}

static void on_interrupt(void *arg)
{
    (void)arg;
    uint32_t status = virtio_read(&disk.virtio, VIRTIO_INTERRUPT_STATUS);
    virtio_write(&disk.virtio, VIRTIO_INTERRUPT_ACK, status);
    interrupts += (status & VIRTIO_INT_USED) != 0;
}

static void sleep_until_interrupt(struct blk *b)
{
    (void)b;
    wait_for_interrupt();
}

static void use_interrupts(void)
{
    virtio_write(&disk.virtio, VIRTIO_INTERRUPT_ACK, VIRTIO_INT_USED);
    irq_attach_edge(disk.virtio.gsi, on_interrupt, NULL);
    disk.wait = sleep_until_interrupt;
}

/* Write two sectors and read them back. */
static void write_and_compare(uint64_t seed, uint64_t sector)
{
    user_call(fill, seed);
    CHECK_EQ(blk_request(&disk, BLK_WRITE, sector, buffer, sizeof(buffer)), BLK_OK);
    CHECK_EQ(disk.written, 1);
    CHECK_EQ(blk_request(&disk, BLK_FLUSH, 0, NULL, 0), BLK_OK);
    memset(back, 0, sizeof(back));
    CHECK_EQ(blk_request(&disk, BLK_READ, sector, back, sizeof(back)), BLK_OK);
    CHECK_EQ(disk.written, sizeof(back) + 1);
    CHECK(memcmp(buffer, back, sizeof(back)) == 0);
}

static void refused_requests(uint64_t capacity)
{
    CHECK_EQ(blk_request(&disk, BLK_READ, capacity - 1, back, sizeof(back)), BLK_IOERR);
    CHECK_EQ(blk_request(&disk, BLK_READ, capacity, back, SECTOR_SIZE), BLK_IOERR);
    CHECK_EQ(blk_request(&disk, BLK_READ, UINT64_MAX, back, SECTOR_SIZE), BLK_IOERR);
    CHECK_EQ(blk_request(&disk, BLK_WRITE, capacity, back, SECTOR_SIZE), BLK_IOERR);
    CHECK_EQ(blk_request(&disk, BLK_READ, 0, back, SECTOR_SIZE - 1), BLK_IOERR);
    CHECK_EQ(blk_request(&disk, UNKNOWN_TYPE, 0, back, SECTOR_SIZE), BLK_UNSUPP);
}

/* Resets with a request on its way: it ends before the reset does, or never. */
static void reset_in_flight(void)
{
    for (unsigned i = 0; i < RESETS; i++) {
        blk_submit(&disk, i % 2 ? BLK_FLUSH : BLK_READ, 0, back, i % 2 ? 0 : sizeof(back));
        blk_restart(&disk);
        CHECK_EQ(blk_request(&disk, BLK_READ, 0, back, SECTOR_SIZE), BLK_OK);
        CHECK_EQ(disk.written, SECTOR_SIZE + 1);
        CHECK_EQ(queue.used.idx, 1);
    }
}

int guest_main(void)
{
    static char id[BLK_ID_SIZE + 1];
    CHECK(blk_open(&disk, 0, &queue, BLK_F_RO | BLK_F_FLUSH));
    const uint64_t capacity = blk_capacity(&disk);
    const bool read_only = (virtio_offered(&disk.virtio) & BLK_F_RO) != 0;
    CHECK_EQ(blk_request(&disk, BLK_GET_ID, 0, id, BLK_ID_SIZE), BLK_OK);
    print("blk: %lu sectors, id '%s', %s\n", capacity, id, read_only ? "read-only" : "writable");

    CHECK_EQ(blk_request(&disk, BLK_READ, 0, back, SECTOR_SIZE), BLK_OK);
    print("blk: sector 0 begins with '%c%c%c%c'\n", back[0], back[1], back[2], back[3]);
    refused_requests(capacity);
    reset_in_flight();
    if (read_only) {
        CHECK_EQ(blk_request(&disk, BLK_WRITE, 2, buffer, SECTOR_SIZE), BLK_IOERR);
    } else {
        write_and_compare(100, capacity - 2);
        use_interrupts();
        write_and_compare(3, 2);
        /* A request may be done before the guest sleeps: then its interrupt still waits. */
        while (interrupts == 0) {
            wait_for_interrupt();
        }
    }
    print("blk: ok\n");
    return 0;
}
