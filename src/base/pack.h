/*
 * Records of little-endian values, as saved state is made of: a writer that grows,
 * and a reader that trusts nothing.
 *
 * Both remember a failure, so that a user of them checks once, at the end. After
 * one the reader gives zeros and empty strings.
 *
 * Locking: none; each belongs to one thread.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack {
    uint8_t *data; /* owned; free with pack_free() */
    size_t len, cap;
    bool failed; /* out of memory */
};

void pack_free(struct pack *p);

void pack_u32(struct pack *p, uint32_t v);
void pack_u64(struct pack *p, uint64_t v);
/* Its length, then its bytes; NULL as "". */
void pack_string(struct pack *p, const char *s);
/* len bytes, with no length before them. */
void pack_bytes(struct pack *p, const void *data, size_t len);
/* A number of size bytes, 1, 2, 4 or 8, as it is in memory. */
void pack_number(struct pack *p, const void *number, size_t size);
/* Something of another's format (a struct of the kernel's): tag, length, bytes. */
void pack_blob(struct pack *p, uint32_t tag, const void *data, size_t len);

struct unpack {
    const uint8_t *data; /* borrowed */
    size_t len, at;
    bool failed; /* the data ended, or is not what was asked for */
};

uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
/* A string of less than size bytes, terminated. */
void unpack_string(struct unpack *u, char *out, size_t size);
/* len bytes of the data itself; NULL: there are not so many. */
const uint8_t *unpack_bytes(struct unpack *u, size_t len);
/* The inverse of pack_number(). */
void unpack_number(struct unpack *u, void *number, size_t size);
/* A blob of this tag and exactly len bytes. */
void unpack_blob(struct unpack *u, uint32_t tag, void *out, size_t len);
/* A blob of this tag and any length; NULL: it is another. */
const uint8_t *unpack_any_blob(struct unpack *u, uint32_t tag, size_t *len);
/* Nothing failed and nothing is left. */
bool unpack_done(const struct unpack *u);

#endif
