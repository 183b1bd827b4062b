/*
 * Little-endian integers in byte buffers: fields of files, tables and rings are
 * taken apart by these, never by laying a struct over them.
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, (uint16_t)v);
    put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}

/* The same by size: n is 1, 2, 4 or 8. */
static inline uint64_t get_le_n(const uint8_t *p, size_t n)
{
    switch (n) {
    case 1:
        return *p;
    case 2:
        return get_le16(p);
    case 4:
        return get_le32(p);
    default:
        return get_le64(p);
    }
}

static inline void put_le_n(uint8_t *p, uint64_t v, size_t n)
{
    switch (n) {
    case 1:
        *p = (uint8_t)v;
        break;
    case 2:
        put_le16(p, (uint16_t)v);
        break;
    case 4:
        put_le32(p, (uint32_t)v);
        break;
    default:
        put_le64(p, v);
    }
}

#endif
