/*
 * A split ring in a small guest memory, and a driver's hand on it: for tests of
 * virtio/queue.c alone.
 *
 * Guest memory: RAM at 0, more RAM right behind it (so that buffers span two
 * ranges), a hole, ROM.
 */
#ifndef TESTS_FAKE_RING_H
#define TESTS_FAKE_RING_H

#include "tests/unit/fake_mem.h"
#include "virtio/queue.h"

#define RAM_SIZE 0x10000
#define SPLIT    0x8000 /* where the second range of RAM begins */
#define ROM      0x20000
#define ROM_SIZE 0x1000

#define NUM   8
#define DESC  0x1000
#define AVAIL 0x2000
#define USED  0x3000
#define TABLE 0x4000 /* indirect */
#define DATA  0x5000

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct fake_ring {
    struct topology *topo;
    struct aspace *mem;
    struct region root;
    struct fake_ram low, high, rom;
    struct virtqueue q; /* NUM entries at DESC, AVAIL, USED; indirect, no event index */
    struct virtqueue_chain c;
};

extern const struct virtqueue_layout ring_layout;

void ring_init(struct fake_ring *r);
void ring_free(struct fake_ring *r);

/* Start again on what memory holds now. */
void ring_map(struct fake_ring *r, bool indirect, bool event_idx);

/* Host address in either range of RAM. */
uint8_t *ring_host(struct fake_ring *r, uint64_t gpa);
void ring_desc(struct fake_ring *r, uint64_t table, unsigned i, uint64_t addr, uint32_t len,
               unsigned flags, unsigned next);
void ring_offer(struct fake_ring *r, unsigned head);
/* Offer head and pop it into r->c. */
int ring_pop(struct fake_ring *r, unsigned head);

#endif
