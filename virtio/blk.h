/*
 * virtio-blk's state, shared by blk.c (device: features, configuration, queue)
 * and blk_request.c (requests). Model: OASIS virtio 1.2, section 5.2.
 *
 * Locking: as virtio.h: requests belong to the data path. `writeback` is
 * written by the control path and read by both.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "virtio/backend/block.h"
#include "virtio/mmio.h"
#include "virtio/virtio.h"

#define BLK_F_SIZE_MAX     (1ULL << 1)
#define BLK_F_SEG_MAX      (1ULL << 2)
#define BLK_F_GEOMETRY     (1ULL << 4)
#define BLK_F_RO           (1ULL << 5)
#define BLK_F_BLK_SIZE     (1ULL << 6)
#define BLK_F_FLUSH        (1ULL << 9)
#define BLK_F_TOPOLOGY     (1ULL << 10)
#define BLK_F_CONFIG_WCE   (1ULL << 11)
#define BLK_F_DISCARD      (1ULL << 13)
#define BLK_F_WRITE_ZEROES (1ULL << 14)

#define BLK_S_OK     0
#define BLK_S_IOERR  1
#define BLK_S_UNSUPP 2

#define BLK_QUEUE_MAX 256
#define BLK_SEG_MAX   (BLK_QUEUE_MAX - 2) /* a header and a status byte go with them */
#define BLK_SIZE_MAX  (1U << 20)          /* bytes of a segment */
#define BLK_ID_BYTES  20

/* Ranges of one DISCARD or WRITE_ZEROES, and the sectors of each: bounds the work of a request. */
#define BLK_RANGES_MAX          16
#define BLK_DISCARD_SECTORS_MAX (1U << 21) /* 1 GiB */
#define BLK_ZEROES_SECTORS_MAX  (1U << 15) /* 16 MiB: it may have to be written */
#define BLK_RANGE_BYTES         16

/* Requests at work at a time; further chains wait in the ring. */
#define BLK_IN_FLIGHT 64

struct virtio_blk;

struct blk_request {
    struct block_request io; /* first: done() finds the request by it */
    struct virtio_blk *blk;
    uint32_t type;
    uint64_t sector;
    uint8_t *status;        /* the last writable byte of the chain */
    struct iovec *out, *in; /* what is left of the readable and writable parts */
    uint16_t out_count, in_count;
    uint32_t out_len, in_len; /* bytes */
    uint32_t written;         /* data bytes given to the driver */
    unsigned range, ranges;   /* of DISCARD and WRITE_ZEROES: next, all */
    uint8_t range_data[BLK_RANGES_MAX * BLK_RANGE_BYTES];
    struct virtqueue_chain chain;
};

struct virtio_blk {
    struct virtio_device v; /* first */
    struct virtio_mmio mmio;
    char *file; /* properties */
    char *format;
    char *serial;
    bool ro;
    bool overlay;
    struct block *block;    /* owned; one set before realize is used instead of `file` */
    uint8_t config[60];     /* little-endian; all but the writeback byte */
    _Atomic bool writeback; /* false: a write is on stable storage when it completes */
    struct blk_request *requests;
    uint16_t free[BLK_IN_FLIGHT]; /* a stack, so that few of the requests are ever touched */
    unsigned free_count;
    bool taking; /* in the middle of taking chains: completions leave the rest to that */
    struct guest_errors io_errors; /* the host's */
};

extern const struct device_class virtio_blk_class;

/* Begin the request whose chain was popped into r. May end it at once. */
void blk_request_start(struct blk_request *r);

/* A request ended: give chain and request back. len: bytes written to the chain. */
void blk_request_ended(struct blk_request *r, uint32_t len);

#endif
