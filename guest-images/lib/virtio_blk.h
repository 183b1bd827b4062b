/*
 * Requests to a virtio block device, one at a time. Source: VIRTIO 1.2, section 5.2.
 */
#ifndef GUEST_VIRTIO_BLK_H
#define GUEST_VIRTIO_BLK_H

#include "virtio.h"

#define SECTOR_SIZE 512

enum {
    BLK_READ = 0,
    BLK_WRITE = 1,
    BLK_FLUSH = 4,
    BLK_GET_ID = 8,
};

enum {
    BLK_OK = 0,
    BLK_IOERR = 1,
    BLK_UNSUPP = 2,
    BLK_NO_STATUS = 0xff, /* the device has not written one */
};

#define BLK_ID_SIZE  20
#define BLK_F_RO     (1UL << 5)
#define BLK_F_FLUSH  (1UL << 9)
#define BLK_CAPACITY 0 /* configuration: u64, in sectors */

struct blk {
    struct virtio virtio;
    void (*wait)(struct blk *b); /* called until the request is done */
    uint64_t features;           /* accepted */
    uint32_t written;            /* bytes the device wrote, of the last request */
};

/* Find and start the n-th disk with the features of the list that it offers, polling. */
bool blk_open(struct blk *b, unsigned n, struct virtq *queue, uint64_t features);

/* Reset the disk and start it again. */
void blk_restart(struct blk *b);

/* Capacity in sectors. */
uint64_t blk_capacity(const struct blk *b);

/* Begin one request with len bytes of data, and go on. */
void blk_submit(struct blk *b, uint32_t type, uint64_t sector, void *data, uint32_t len);

/* One request with len bytes of data; returns its status, BLK_*. */
unsigned blk_request(struct blk *b, uint32_t type, uint64_t sector, void *data, uint32_t len);

#endif
