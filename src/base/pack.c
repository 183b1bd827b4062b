/*
 * Records of saved state: see pack.h.
 */
#include "src/base/pack.h"

#include "src/base/le.h"

#include <stdlib.h>
#include <string.h>

/* --- writing ---------------------------------------------------------- */

void pack_free(struct pack *p)
{
    free(p->data);
    *p = (struct pack){0};
}

static uint8_t *add(struct pack *p, size_t len)
{
    if (p->failed) {
        return NULL;
    }
    if (len > p->cap - p->len) {
        const size_t cap = (p->len + len) * 2 + 256;
        uint8_t *grown = realloc(p->data, cap);
        if (grown == NULL) {
            p->failed = true;
            return NULL;
        }
        p->data = grown;
        p->cap = cap;
    }
    p->len += len;
    return p->data + (p->len - len);
}

void pack_bytes(struct pack *p, const void *data, size_t len)
{
    uint8_t *at = add(p, len);

    if (at != NULL && len != 0) {
        memcpy(at, data, len);
    }
}

void pack_u32(struct pack *p, uint32_t v)
{
    uint8_t le[4];

    put_le32(le, v);
    pack_bytes(p, le, sizeof(le));
}

void pack_u64(struct pack *p, uint64_t v)
{
    uint8_t le[8];

    put_le64(le, v);
    pack_bytes(p, le, sizeof(le));
}

void pack_string(struct pack *p, const char *s)
{
    const size_t len = s != NULL ? strlen(s) : 0;

    pack_u32(p, (uint32_t)len);
    pack_bytes(p, s, len);
}

void pack_number(struct pack *p, const void *number, size_t size)
{
    uint8_t le[8];
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (size) {
    case 1:
        memcpy(le, number, 1);
        break;
    case 2:
        memcpy(&v16, number, sizeof(v16));
        put_le16(le, v16);
        break;
    case 4:
        memcpy(&v32, number, sizeof(v32));
        put_le32(le, v32);
        break;
    default:
        memcpy(&v64, number, sizeof(v64));
        put_le64(le, v64);
        break;
    }
    pack_bytes(p, le, size);
}

void pack_blob(struct pack *p, uint32_t tag, const void *data, size_t len)
{
    pack_u32(p, tag);
    pack_u32(p, (uint32_t)len);
    pack_bytes(p, data, len);
}

/* --- reading ---------------------------------------------------------- */

const uint8_t *unpack_bytes(struct unpack *u, size_t len)
{
    if (u->failed || len > u->len - u->at) {
        u->failed = true;
        return NULL;
    }
    u->at += len;
    return u->data + (u->at - len);
}

uint32_t unpack_u32(struct unpack *u)
{
    const uint8_t *p = unpack_bytes(u, 4);

    return p != NULL ? get_le32(p) : 0;
}

uint64_t unpack_u64(struct unpack *u)
{
    const uint8_t *p = unpack_bytes(u, 8);

    return p != NULL ? get_le64(p) : 0;
}

void unpack_string(struct unpack *u, char *out, size_t size)
{
    const size_t len = unpack_u32(u);
    const uint8_t *p = len < size ? unpack_bytes(u, len) : NULL;

    out[0] = '\0';
    if (p == NULL || memchr(p, '\0', len) != NULL) {
        u->failed = true;
        return;
    }
    memcpy(out, p, len);
    out[len] = '\0';
}

void unpack_number(struct unpack *u, void *number, size_t size)
{
    const uint8_t *p = unpack_bytes(u, size);
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    if (p == NULL) {
        memset(number, 0, size);
        return;
    }
    switch (size) {
    case 1:
        memcpy(number, p, 1);
        break;
    case 2:
        v16 = get_le16(p);
        memcpy(number, &v16, sizeof(v16));
        break;
    case 4:
        v32 = get_le32(p);
        memcpy(number, &v32, sizeof(v32));
        break;
    default:
        v64 = get_le64(p);
        memcpy(number, &v64, sizeof(v64));
        break;
    }
}

const uint8_t *unpack_any_blob(struct unpack *u, uint32_t tag, size_t *len)
{
    u->failed |= unpack_u32(u) != tag;
    *len = unpack_u32(u);
    return unpack_bytes(u, *len);
}

void unpack_blob(struct unpack *u, uint32_t tag, void *out, size_t len)
{
    size_t saved;
    const uint8_t *p = unpack_any_blob(u, tag, &saved);

    if (p == NULL || saved != len) {
        u->failed = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, p, len);
}

bool unpack_done(const struct unpack *u)
{
    return !u->failed && u->at == u->len;
}
