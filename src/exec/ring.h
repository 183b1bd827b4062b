/*
 * A ring of bytes over a buffer of its owner. Freestanding: vmm and the guest's
 * init share it.
 *
 * Locking: the owner's.
 */
#ifndef EXEC_RING_H
#define EXEC_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *data; /* borrowed */
    size_t size;
    size_t head; /* index of the oldest byte */
    size_t count;
};

static inline size_t ring_room(const struct ring *r)
{
    return r->size - r->count;
}

/* Append len bytes, no more than there is room for. */
static inline void ring_put(struct ring *r, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t at = r->head + r->count++;
        r->data[at < r->size ? at : at - r->size] = data[i];
    }
}

/* The oldest bytes that lie in one piece: *len of them. */
static inline const uint8_t *ring_piece(const struct ring *r, size_t *len)
{
    const size_t to_end = r->size - r->head;

    *len = r->count < to_end ? r->count : to_end;
    return r->data + r->head;
}

/* The oldest len bytes, no more than there are, are done with. */
static inline void ring_drop(struct ring *r, size_t len)
{
    r->head += len;
    r->head -= r->head >= r->size ? r->size : 0;
    r->count -= len;
}

#endif
