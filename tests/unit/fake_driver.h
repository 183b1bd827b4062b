/*
 * A virtio-mmio driver for tests: it writes rings into a fake machine's RAM and
 * registers through its address space, as a guest would; and a disk in memory
 * that can be told to fail, or to keep requests until released.
 */
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include "tests/unit/fakes.h"
#include "virtio/blk.h"

/* --- a disk in memory ------------------------------------------------------ */

#define FAKE_HELD_MAX 64

struct fake_block {
    struct block block; /* first */
    uint8_t *data;
    int error; /* what requests end with; 0: they are carried out */
    bool hold; /* keep requests until drained or released */
    struct block_request *held[FAKE_HELD_MAX];
    unsigned held_count;
    unsigned ops[5]; /* requests by enum block_op */
    bool closed;
    unsigned drained;                        /* requests that a drain completed */
    void (*on_drain)(struct fake_block *fb); /* at the start of a drain with held requests */
};

/* Byte n is n / 512 + n. */
void fake_block_init(struct fake_block *fb, uint64_t size, bool readonly);
void fake_block_free(struct fake_block *fb);

/* --- the driver -------------------------------------------------------------- */

#define DRV_BASE 0xfeb00000ULL
#define DRV_GSI  17

/* Where it keeps things in RAM. */
#define DRV_DESC  0x1000
#define DRV_AVAIL 0x3000
#define DRV_USED  0x4000
#define DRV_TABLE 0x6000  /* an indirect table */
#define DRV_HEAD  0x8000  /* request headers */
#define DRV_STAT  0x9000  /* status bytes */
#define DRV_DATA  0x10000 /* to the end of RAM */

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

/* Registers. */
enum {
    R_MAGIC = 0x00,
    R_VERSION = 0x04,
    R_DEVICE_ID = 0x08,
    R_VENDOR_ID = 0x0c,
    R_DEVICE_FEATURES = 0x10,
    R_DEVICE_FEATURES_SEL = 0x14,
    R_DRIVER_FEATURES = 0x20,
    R_DRIVER_FEATURES_SEL = 0x24,
    R_QUEUE_SEL = 0x30,
    R_QUEUE_NUM_MAX = 0x34,
    R_QUEUE_NUM = 0x38,
    R_QUEUE_READY = 0x44,
    R_QUEUE_NOTIFY = 0x50,
    R_INTERRUPT_STATUS = 0x60,
    R_INTERRUPT_ACK = 0x64,
    R_STATUS = 0x70,
    R_QUEUE_DESC = 0x80,
    R_QUEUE_DRIVER = 0x90,
    R_QUEUE_DEVICE = 0xa0,
    R_SHM_SEL = 0xac,
    R_SHM_LEN = 0xb0,
    R_SHM_BASE = 0xb8,
    R_GENERATION = 0xfc,
    R_CONFIG = 0x100,
};

/* Request types of virtio-blk. */
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };

/* What most tests use. */
#define DISK_SIZE    (1 << 20)
#define DISK_SECTORS (DISK_SIZE / 512)
#define DISK_FEATURES                                                                              \
    (BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_FLUSH | BLK_F_CONFIG_WCE | BLK_F_DISCARD |             \
     BLK_F_WRITE_ZEROES | VIRTIO_F_RING_INDIRECT_DESC)

struct fake_driver {
    struct fake_machine machine;
    struct device *d;
    struct virtio_blk *blk;
    uint16_t num; /* of the queue */
    uint16_t avail_idx;
    uint16_t used_idx; /* entries seen */
};

/*
 * A machine of 1 MiB with a virtio-blk on fb, or with fb NULL on what props
 * name. props: more properties, or NULL.
 */
void drv_init(struct fake_driver *t, struct fake_block *fb, const char *props);
void drv_free(struct fake_driver *t);

uint32_t drv_get(struct fake_driver *t, uint32_t reg);
void drv_set(struct fake_driver *t, uint32_t reg, uint32_t value);
uint64_t drv_errors(struct fake_driver *t); /* guest errors counted so far */

/* Reset, then every step up to FEATURES_OK with these features. Returns Status. */
uint32_t drv_negotiate(struct fake_driver *t, uint64_t features);
/* Write queue 0's registers (num entries, empty rings) and make it ready. */
void drv_setup_queue(struct fake_driver *t, uint16_t num);
/* All of it, with the features (VERSION_1 is added), up to DRIVER_OK; fails if refused. */
void drv_start(struct fake_driver *t, uint64_t features);

/* Wait until the device's thread has seen everything up to now. */
void drv_sync(struct fake_driver *t);
/* Run fn(opaque) on that thread. */
void drv_call(struct fake_driver *t, void (*fn)(void *opaque), void *opaque);
/* Complete the requests fb holds, on that thread. */
void drv_release(struct fake_driver *t, struct fake_block *fb);

uint8_t *drv_ram(struct fake_driver *t, uint64_t gpa);
void drv_desc(struct fake_driver *t, uint64_t table, unsigned i, uint64_t addr, uint32_t len,
              unsigned flags, unsigned next);
/* Put head into the available ring, without a kick. */
void drv_offer(struct fake_driver *t, unsigned head);
void drv_kick(struct fake_driver *t);
/* The next used entry, if there is one. */
bool drv_used(struct fake_driver *t, uint32_t *id, uint32_t *len);

/*
 * Build a request of three descriptors (slot, slot + 1, slot + 2) and offer it:
 * header, data (len bytes at DRV_DATA + at; none if 0), status, which is set to
 * 0xee.
 */
void drv_request(struct fake_driver *t, unsigned slot, uint32_t type, uint64_t sector, uint64_t at,
                 uint32_t len, bool device_writes);
uint8_t drv_status(struct fake_driver *t, unsigned slot);
/* One request from start to end: its status; *used: used.len (may be NULL). */
uint8_t drv_run(struct fake_driver *t, uint32_t type, uint64_t sector, uint64_t at, uint32_t len,
                bool device_writes, uint32_t *used);

#endif
