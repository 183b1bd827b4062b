/*
 * Inclusive address ranges, first..last. A range is never empty, so the whole
 * 64-bit space is an ordinary value (0..UINT64_MAX) and no sum needs 65 bits.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t first;
    uint64_t last;
};

/* first and a byte count to a range; false if size is 0 or the end wraps. */
static inline bool range_from_size(uint64_t first, uint64_t size, struct range *out)
{
    if (size == 0 || size - 1 > UINT64_MAX - first) {
        return false;
    }
    *out = (struct range){.first = first, .last = first + (size - 1)};
    return true;
}

static inline bool range_contains(struct range r, uint64_t addr)
{
    return addr >= r.first && addr <= r.last;
}

/* Are all len bytes at addr inside r? False for len 0 and for a wrapping end. */
static inline bool range_contains_len(struct range r, uint64_t addr, uint64_t len)
{
    return len != 0 && range_contains(r, addr) && len - 1 <= r.last - addr;
}

static inline bool range_equal(struct range a, struct range b)
{
    return a.first == b.first && a.last == b.last;
}

static inline bool range_overlaps(struct range a, struct range b)
{
    return a.first <= b.last && b.first <= a.last;
}

/* The common part of a and b; false if there is none. */
static inline bool range_intersect(struct range a, struct range b, struct range *out)
{
    if (!range_overlaps(a, b)) {
        return false;
    }
    out->first = a.first > b.first ? a.first : b.first;
    out->last = a.last < b.last ? a.last : b.last;
    return true;
}

#endif
