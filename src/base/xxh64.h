/*
 * XXH64: a fast 64-bit checksum. It finds damage, not forgery.
 *
 * Source: the xxHash specification, "XXH64 algorithm description"
 * (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), with seed 0.
 * Locking: none.
 */
#ifndef BASE_XXH64_H
#define BASE_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh64(const void *data, size_t len);

#endif
