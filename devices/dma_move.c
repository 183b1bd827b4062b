/*
 * Moving bytes within guest memory: see dma_move.h.
 *
 * memmove() over memory in pieces: two cursors walk the pieces of source and
 * destination, and what both have in one piece moves at once. They walk away
 * from an overlap, as memmove() does, so that no byte is overwritten before it
 * was read; an overlap within a step is left to memmove() itself.
 *
 * Locking: none.
 */
#include "devices/dma_move.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const struct iovec *iov;
    int at, end; /* pieces */
    int step;    /* 1, or -1 backward */
    size_t used; /* bytes of the piece */
};

static struct cursor cursor_at_start(const struct iovec *iov, int count, bool backward)
{
    return (struct cursor){
        .iov = iov,
        .at = backward ? count - 1 : 0,
        .end = backward ? -1 : count,
        .step = backward ? -1 : 1,
    };
}

/* Bytes of the piece that are still to come. */
static size_t bytes_left(const struct cursor *c)
{
    return c->iov[c->at].iov_len - c->used;
}

/* Step over the next n bytes, at most bytes_left(). Returns the lowest of them. */
static uint8_t *take(struct cursor *c, size_t n)
{
    uint8_t *base = c->iov[c->at].iov_base;
    uint8_t *bytes = c->step > 0 ? base + c->used : base + (bytes_left(c) - n);
    c->used += n;
    if (bytes_left(c) == 0) {
        c->at += c->step;
        c->used = 0;
    }
    return bytes;
}

void dma_move(const struct dma_move *m)
{
    struct cursor src = cursor_at_start(m->src, m->src_count, m->backward);
    struct cursor dst = cursor_at_start(m->dst, m->dst_count, m->backward);
    while (src.at != src.end) {
        size_t n = bytes_left(&src) < bytes_left(&dst) ? bytes_left(&src) : bytes_left(&dst);
        const uint8_t *from = take(&src, n);
        memmove(take(&dst, n), from, n);
    }
}
