/*
 * Split virtqueues, the device's side.
 *
 * Model: OASIS virtio 1.2, section 2.7 (split virtqueues), with indirect
 * descriptors and the event index. Three parts in guest memory: descriptors
 * (16 bytes: addr u64, len u32, flags u16, next u16), the available ring (flags
 * u16, idx u16, ring u16[num], used_event u16) and the used ring (flags u16, idx
 * u16, {id u32, len u32}[num], avail_event u16). Little-endian.
 *
 * The guest may change all of it at any moment. Each descriptor is read once
 * into a local copy and only the copy is judged. A ring that breaks a rule is
 * broken: it stops, and says why.
 *
 * Locking: none. virtqueue_map() fills the struct; from the first pop on it
 * belongs to one thread, which is an online mem_reader.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include "src/mem/aspace.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* The largest queue any of our devices offers: entries, a power of two. */
#define VIRTQUEUE_NUM_MAX 256

/* Pieces of host memory a chain may come to: one for each descriptor of the longest chain. */
#define VIRTQUEUE_IOV_MAX VIRTQUEUE_NUM_MAX

/* Where the driver put a queue. */
struct virtqueue_layout {
    uint16_t num;    /* entries */
    uint64_t desc;   /* guest-physical addresses */
    uint64_t driver; /* available ring */
    uint64_t device; /* used ring */
};

struct virtqueue {
    struct aspace *mem;
    uint16_t num;
    bool indirect;  /* RING_INDIRECT_DESC was negotiated */
    bool event_idx; /* RING_EVENT_IDX was negotiated */
    const uint8_t *desc;
    const uint8_t *avail;
    uint8_t *used;
    uint16_t next_avail; /* the driver's entry to take next; runs modulo 2^16 */
    uint16_t used_idx;   /* entries given back */
    uint16_t signalled;  /* used_idx at the last decision on an interrupt */
    const char *broken;  /* why the ring stopped; NULL: it works */
};

/* A chain of buffers as host memory: first what the device reads, then what it writes. */
struct virtqueue_chain {
    uint16_t head;
    uint16_t readable; /* elements iov[0..readable-1] */
    uint16_t writable; /* the elements after them */
    uint32_t readable_len;
    uint32_t writable_len; /* bytes; the sum of both fits 32 bits */
    struct iovec iov[VIRTQUEUE_IOV_MAX];
};

/*
 * Start an empty queue at a layout: looks the host addresses of the three parts
 * up, once. 0; -EINVAL: num is no power of two up to VIRTQUEUE_NUM_MAX, or a
 * part is misaligned, or not wholly in RAM. Then q->broken says which.
 */
int virtqueue_map(struct virtqueue *q, struct aspace *mem, const struct virtqueue_layout *at,
                  bool indirect, bool event_idx);

/* Take the next chain. 1; 0: none there; -EPROTO: the ring is broken. */
int virtqueue_pop(struct virtqueue *q, struct virtqueue_chain *c);

/*
 * Give a chain back with len bytes written to its writable part. The driver
 * sees it at once. A broken ring is left as it is.
 */
void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t len);

/* Does the driver want an interrupt for what was pushed since the last call? */
bool virtqueue_must_interrupt(struct virtqueue *q);

/* Ask the driver not to kick while its chains are being taken anyway. */
void virtqueue_suppress_kicks(struct virtqueue *q);
/* Ask for kicks again. True: chains came before that took effect; take them now. */
bool virtqueue_enable_kicks(struct virtqueue *q);

/* Stop the ring for a reason (a string constant); the first reason stays. Returns -EPROTO. */
int virtqueue_break(struct virtqueue *q, const char *why);

#endif
