/*
 * XXH64: see xxh64.h.
 */
#include "src/base/xxh64.h"

#include "src/base/le.h"

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define P3 UINT64_C(0x165667b19e3779f9)
#define P4 UINT64_C(0x85ebca77c2b2ae63)
#define P5 UINT64_C(0x27d4eb2f165667c5)

#define STRIPE 32 /* bytes: a lane for each of four accumulators */

static uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static uint64_t round64(uint64_t acc, uint64_t lane)
{
    return rotate(acc + lane * P2, 31) * P1;
}

static uint64_t merge(uint64_t hash, uint64_t acc)
{
    return (hash ^ round64(0, acc)) * P1 + P4;
}

/* The whole stripes of len bytes. */
static uint64_t stripes(const uint8_t *p, size_t len)
{
    uint64_t a = P1 + P2, b = P2, c = 0, d = -P1;

    for (; len >= STRIPE; len -= STRIPE, p += STRIPE) {
        a = round64(a, get_le64(p));
        b = round64(b, get_le64(p + 8));
        c = round64(c, get_le64(p + 16));
        d = round64(d, get_le64(p + 24));
    }
    const uint64_t hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    return merge(merge(merge(merge(hash, a), b), c), d);
}

/* What is left behind the stripes, fewer than 32 bytes. */
static uint64_t tail(uint64_t hash, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        hash = rotate(hash ^ round64(0, get_le64(p)), 27) * P1 + P4;
    }
    for (; len >= 4; len -= 4, p += 4) {
        hash = rotate(hash ^ get_le32(p) * P1, 23) * P2 + P3;
    }
    for (; len > 0; len--, p++) {
        hash = rotate(hash ^ *p * P5, 11) * P1;
    }
    return hash;
}

uint64_t xxh64(const void *data, size_t len)
{
    const uint8_t *p = data;
    const size_t whole = len - len % STRIPE;
    uint64_t hash = whole != 0 ? stripes(p, len) : P5;

    hash = tail(hash + len, p + whole, len - whole);
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}
