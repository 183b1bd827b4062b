/*
 * Broken rings, as a hostile driver makes them: the device must stop, say
 * NEEDS_RESET with a configuration interrupt, write nothing outside what the
 * ring names, and work again after a reset. Wants a disk of at least one sector.
 */
#include "virtio_blk.h"

#define BEHIND_RAM (0xb0000000UL) /* RAM ends before it */
#define GIB4_LESS1 0xffffffffU

static struct virtq queue;
static struct blk disk;
static uint8_t sector[SECTOR_SIZE];
static struct virtq_desc table[4];

/* A sound read request in three descriptors; the cases spoil it. */
static void sound(struct virtq_desc *desc)
{
    static uint64_t header[2];
    static uint8_t status;
    desc[0] = (struct virtq_desc){(uintptr_t)header, sizeof(header), VIRTQ_NEXT, 1};
    desc[1] = (struct virtq_desc){(uintptr_t)sector, SECTOR_SIZE, VIRTQ_NEXT | VIRTQ_WRITE, 2};
    desc[2] = (struct virtq_desc){(uintptr_t)&status, 1, VIRTQ_WRITE, 0};
}

/* Descriptor 0 stands for a table that holds the sound request. */
static void indirect(struct virtq *q)
{
    sound(table);
    q->desc[0] = (struct virtq_desc){(uintptr_t)table, 3 * sizeof(table[0]), VIRTQ_INDIRECT, 0};
}

static void loop(struct virtq *q)
{
    q->desc[2].flags |= VIRTQ_NEXT;
}

static void loop_to_itself(struct virtq *q)
{
    q->desc[0].next = 0;
}

static void next_too_large(struct virtq *q)
{
    q->desc[1].next = VIRTQ_SIZE;
}

static void outside_ram(struct virtq *q)
{
    q->desc[1].addr = BEHIND_RAM;
}

static void in_device_memory(struct virtq *q)
{
    q->desc[1].addr = disk.virtio.base;
}

static void wraps(struct virtq *q)
{
    q->desc[1].addr = UINT64_MAX - 8;
}

static void gib4_long(struct virtq *q)
{
    q->desc[1].len = GIB4_LESS1;
}

static void sum_over_4gib(struct virtq *q)
{
    q->desc[0].len = GIB4_LESS1;
    q->desc[1].len = GIB4_LESS1;
}

static void readable_after_writable(struct virtq *q)
{
    q->desc[2].flags = 0;
}

static void indirect_and_next(struct virtq *q)
{
    indirect(q);
    q->desc[0].flags |= VIRTQ_NEXT;
}

static void indirect_in_indirect(struct virtq *q)
{
    indirect(q);
    table[0].flags |= VIRTQ_INDIRECT;
}

static void indirect_empty(struct virtq *q)
{
    indirect(q);
    q->desc[0].len = 0;
}

static void indirect_odd_length(struct virtq *q)
{
    indirect(q);
    q->desc[0].len--;
}

static void indirect_outside_ram(struct virtq *q)
{
    indirect(q);
    q->desc[0].addr = BEHIND_RAM;
}

static void indirect_loop(struct virtq *q)
{
    indirect(q);
    table[2].flags |= VIRTQ_NEXT;
}

static void avail_jumps(struct virtq *q)
{
    q->avail.idx += VIRTQ_SIZE;
}

/* These two may also be answered: the standard does not forbid them. */
static void zero_length(struct virtq *q)
{
    q->desc[1].len = 0;
}

static void no_status_byte(struct virtq *q)
{
    q->desc[1] = (struct virtq_desc){(uintptr_t)sector, SECTOR_SIZE, 0, 0};
}

static const struct {
    const char *name;
    void (*spoil)(struct virtq *q);
    uint16_t head;
    bool may_be_answered;
} cases[] = {
    {"loop", loop, 0, false},
    {"loop to itself", loop_to_itself, 0, false},
    {"head too large", NULL, VIRTQ_SIZE, false},
    {"next too large", next_too_large, 0, false},
    {"outside RAM", outside_ram, 0, false},
    {"in device memory", in_device_memory, 0, false},
    {"wraps", wraps, 0, false},
    {"4 GiB long", gib4_long, 0, false},
    {"sum over 4 GiB", sum_over_4gib, 0, false},
    {"readable after writable", readable_after_writable, 0, false},
    {"indirect and next", indirect_and_next, 0, false},
    {"indirect in indirect", indirect_in_indirect, 0, false},
    {"indirect empty", indirect_empty, 0, false},
    {"indirect odd length", indirect_odd_length, 0, false},
    {"indirect outside RAM", indirect_outside_ram, 0, false},
    {"indirect loop", indirect_loop, 0, false},
    {"avail index jumps", avail_jumps, 0, false},
    {"zero length", zero_length, 0, true},
    {"no status byte", no_status_byte, 0, true},
};

static bool needs_reset(void)
{
    return (virtio_read(&disk.virtio, VIRTIO_STATUS) & VIRTIO_NEEDS_RESET) != 0;
}

/* The interrupt follows the status bit (virtio 1.2, 2.1.2): another thread of vmm may be in
 * between. */
static void wait_for_config_interrupt(void)
{
    while ((virtio_read(&disk.virtio, VIRTIO_INTERRUPT_STATUS) & VIRTIO_INT_CONFIG) == 0) {
        cpu_relax();
    }
}

static void wait_for_verdict(bool may_be_answered)
{
    uint32_t len;
    bool answered = false;
    while (!needs_reset() && !answered) {
        answered = virtq_take(&disk.virtio, &len);
    }
    CHECK(!answered || may_be_answered);
    if (!answered) {
        wait_for_config_interrupt();
    }
}

/* After a reset the device is as new. */
static void recover(void)
{
    blk_restart(&disk);
    CHECK_EQ(virtio_read(&disk.virtio, VIRTIO_INTERRUPT_STATUS), 0);
    CHECK_EQ(blk_request(&disk, BLK_READ, 0, sector, SECTOR_SIZE), BLK_OK);
}

/* Queue memory outside RAM: refused when the queue goes live, or found at its first use. */
static void queue_outside_ram(void)
{
    CHECK(virtio_negotiate(&disk.virtio, disk.features));
    disk.virtio.queue = (struct virtq *)BEHIND_RAM;
    const bool live = virtio_queue_start(&disk.virtio);
    virtio_write(&disk.virtio, VIRTIO_STATUS,
                 virtio_read(&disk.virtio, VIRTIO_STATUS) | VIRTIO_DRIVER_OK);
    virtio_write(&disk.virtio, VIRTIO_QUEUE_NOTIFY, 0);
    while (live && !needs_reset()) {
        cpu_relax();
    }
    disk.virtio.queue = &queue;
}

int guest_main(void)
{
    CHECK(blk_open(&disk, 0, &queue, VIRTIO_F_INDIRECT));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print("rings: %s\n", cases[i].name);
        sound(queue.desc);
        if (cases[i].spoil != NULL) {
            cases[i].spoil(&queue);
        }
        virtq_submit(&disk.virtio, cases[i].head);
        wait_for_verdict(cases[i].may_be_answered);
        recover();
    }
    print("rings: queue outside RAM\n");
    queue_outside_ram();
    recover();
    print("rings: ok\n");
    return 0;
}
