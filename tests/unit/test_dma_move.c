/*
 * Moves between memory in pieces: against memmove() on memory in one.
 */
#include "devices/dma_move.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#define SPACE 64 /* bytes of the "guest", in pieces that lie in another order in the host */

static uint8_t linear[SPACE]; /* what memmove() works on */
static uint8_t host[2 * SPACE];
static uint8_t *place[SPACE]; /* of each guest byte */

static unsigned random_below(unsigned n)
{
    static uint32_t x = 2463534242u;
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    return x % n;
}

/* Pieces of 1 to 8 bytes; the odd ones begin in the upper half of host. */
static void scatter(void)
{
    size_t used[2] = {0, SPACE};
    for (unsigned at = 0, piece = 0; at < SPACE; piece++) {
        for (unsigned left = 1 + random_below(8); left > 0 && at < SPACE; left--, at++) {
            place[at] = &host[used[piece % 2]++];
            *place[at] = linear[at] = (uint8_t)random_below(256);
        }
    }
}

/* The pieces of guest bytes [at, at + len). Returns their number, at most DMA_PIECES, or -1. */
static int pieces_of(unsigned at, unsigned len, struct iovec *iov)
{
    int count = 0;
    for (unsigned i = at; i < at + len; i++) {
        if (i > at && place[i] == place[i - 1] + 1) {
            iov[count - 1].iov_len++;
            continue;
        }
        if (count == DMA_PIECES) {
            return -1;
        }
        iov[count++] = (struct iovec){.iov_base = place[i], .iov_len = 1};
    }
    return count;
}

Test(dma_move, is_memmove_on_pieces)
{
    unsigned done = 0;
    while (done < 20000) {
        struct dma_move m;
        unsigned len = random_below(SPACE + 1);
        unsigned src = random_below(SPACE - len + 1);
        unsigned dst = random_below(SPACE - len + 1);
        scatter();
        m.src_count = pieces_of(src, len, m.src);
        m.dst_count = pieces_of(dst, len, m.dst);
        if (m.src_count < 0 || m.dst_count < 0) {
            continue;
        }
        m.backward = dst > src;
        dma_move(&m);
        memmove(linear + dst, linear + src, len);
        for (unsigned i = 0; i < SPACE; i++) {
            cr_assert_eq(*place[i], linear[i], "%u bytes from %u to %u: byte %u", len, src, dst, i);
        }
        done++;
    }
}
