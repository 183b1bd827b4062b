/*
 * A small driver for virtio-mmio devices: one split queue, polled or with
 * interrupts. Source: VIRTIO 1.2, sections 2.7 and 4.2.
 *
 * Everything is open to the guest, so that it can also be used wrongly.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "guest.h"

/* Registers. */
enum {
    VIRTIO_MAGIC = 0x000,
    VIRTIO_VERSION = 0x004,
    VIRTIO_DEVICE_ID = 0x008,
    VIRTIO_DEVICE_FEATURES = 0x010,
    VIRTIO_DEVICE_FEATURES_SEL = 0x014,
    VIRTIO_DRIVER_FEATURES = 0x020,
    VIRTIO_DRIVER_FEATURES_SEL = 0x024,
    VIRTIO_QUEUE_SEL = 0x030,
    VIRTIO_QUEUE_NUM_MAX = 0x034,
    VIRTIO_QUEUE_NUM = 0x038,
    VIRTIO_QUEUE_READY = 0x044,
    VIRTIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_INTERRUPT_ACK = 0x064,
    VIRTIO_STATUS = 0x070,
    VIRTIO_QUEUE_DESC = 0x080,
    VIRTIO_QUEUE_DRIVER = 0x090,
    VIRTIO_QUEUE_DEVICE = 0x0a0,
    VIRTIO_CONFIG = 0x100,
};

#define VIRTIO_MAGIC_VALUE 0x74726976

enum {
    VIRTIO_ACKNOWLEDGE = 0x01,
    VIRTIO_DRIVER = 0x02,
    VIRTIO_DRIVER_OK = 0x04,
    VIRTIO_FEATURES_OK = 0x08,
    VIRTIO_NEEDS_RESET = 0x40,
};

enum {
    VIRTIO_INT_USED = 1,
    VIRTIO_INT_CONFIG = 2,
};

#define VIRTIO_F_INDIRECT  (1UL << 28)
#define VIRTIO_F_EVENT_IDX (1UL << 29)
#define VIRTIO_F_VERSION_1 (1UL << 32)

#define VIRTIO_ID_BLOCK 2

/* --- the machine's part (lib/ARCH) ----------------------------------------- */

struct virtio_slot {
    uintptr_t gpa;
    unsigned gsi; /* rising edges */
};

/* Where virtio-mmio device n would be; gpa 0: there are not so many places. */
struct virtio_slot virtio_slot(unsigned n);

/* --- the split queue ------------------------------------------------------ */

#define VIRTQ_SIZE 16

enum {
    VIRTQ_NEXT = 1,
    VIRTQ_WRITE = 2, /* the device writes */
    VIRTQ_INDIRECT = 4,
};

struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct virtq {
    struct virtq_desc desc[VIRTQ_SIZE];
    struct {
        uint16_t flags;
        volatile uint16_t idx;
        uint16_t ring[VIRTQ_SIZE];
        uint16_t used_event;
    } avail;
    struct {
        uint16_t flags;
        volatile uint16_t idx;
        struct {
            uint32_t id, len;
        } ring[VIRTQ_SIZE];
        uint16_t avail_event;
    } used;
    uint16_t seen; /* used elements taken */
} __attribute__((aligned(4096)));

struct virtio {
    uintptr_t base; /* of its registers */
    unsigned slot;
    unsigned gsi;
    struct virtq *queue; /* queue 0, the guest's */
};

/* The n-th device (0 and up) with this id, in order of address; false if there are not so many. */
bool virtio_find(struct virtio *v, uint32_t id, unsigned n);

uint32_t virtio_read(const struct virtio *v, unsigned reg);
void virtio_write(const struct virtio *v, unsigned reg, uint32_t value);

/* What the device offers. */
uint64_t virtio_offered(const struct virtio *v);

/* From reset to FEATURES_OK with these features; false: the device refused. */
bool virtio_negotiate(const struct virtio *v, uint64_t features);

/* Make queue 0 live; its memory is to be zero. false: the device refused. */
bool virtio_queue_start(const struct virtio *v);

/* All of the above, then DRIVER_OK. Checks each step. */
void virtio_start(const struct virtio *v, uint64_t features);

/* Make the chain at head available and notify the device. */
void virtq_submit(const struct virtio *v, uint16_t head);

/* Whether the device has used another chain; then take it: *len bytes were written to it. */
bool virtq_take(const struct virtio *v, uint32_t *len);

#endif
