/*
 * A bounded writer of little-endian bytes, for tables that are built front to
 * back. Writing past the end sets `full` and changes nothing, so that a builder
 * checks once, when it is done.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "src/base/le.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t *data; /* borrowed */
    size_t len;    /* bytes written */
    size_t cap;
    bool full; /* something did not fit */
};

/* Room for n bytes at the end, now part of the data, or NULL. */
static inline uint8_t *bytes_add(struct bytes *b, size_t n)
{
    if (b->full || n > b->cap - b->len) {
        b->full = true;
        return NULL;
    }
    b->len += n;
    return b->data + (b->len - n);
}

static inline void bytes_put(struct bytes *b, const void *p, size_t n)
{
    uint8_t *at = bytes_add(b, n);
    if (at != NULL && n != 0) {
        memcpy(at, p, n);
    }
}

static inline void bytes_zero(struct bytes *b, size_t n)
{
    uint8_t *at = bytes_add(b, n);
    if (at != NULL) {
        memset(at, 0, n);
    }
}

static inline void bytes_u8(struct bytes *b, uint8_t v)
{
    bytes_put(b, &v, 1);
}

static inline void bytes_u16(struct bytes *b, uint16_t v)
{
    uint8_t le[2];
    put_le16(le, v);
    bytes_put(b, le, sizeof(le));
}

static inline void bytes_u32(struct bytes *b, uint32_t v)
{
    uint8_t le[4];
    put_le32(le, v);
    bytes_put(b, le, sizeof(le));
}

static inline void bytes_u64(struct bytes *b, uint64_t v)
{
    uint8_t le[8];
    put_le64(le, v);
    bytes_put(b, le, sizeof(le));
}

/* The byte that makes n bytes at p sum to 0 modulo 256, as firmware tables want. */
static inline uint8_t bytes_checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return (uint8_t)-sum;
}

#endif
