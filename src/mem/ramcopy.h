/*
 * Copies to and from guest RAM, which vCPUs may be using at the same moment. An
 * aligned 1, 2, 4 or 8 bytes are moved by one access, so that nobody sees a ring
 * index or a page-table entry half written.
 *
 * Locking: none.
 */
#ifndef MEM_RAMCOPY_H
#define MEM_RAMCOPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Guest memory has no C type: these may alias anything. */
typedef uint16_t __attribute__((may_alias)) ram_u16;
typedef uint32_t __attribute__((may_alias)) ram_u32;
typedef uint64_t __attribute__((may_alias)) ram_u64;

/* n if one access of n bytes can do it, else 0. */
static inline size_t ram_single(const uint8_t *host, size_t n)
{
    return n <= 8 && ((uintptr_t)host & (n - 1)) == 0 ? n : 0;
}

#define RAM_LOAD(type, dst, host)                                                                  \
    do {                                                                                           \
        type value = __atomic_load_n((const type *)(const void *)(host), __ATOMIC_RELAXED);        \
        memcpy(dst, &value, sizeof(value));                                                        \
    } while (0)

#define RAM_STORE(type, host, src)                                                                 \
    do {                                                                                           \
        type value;                                                                                \
        memcpy(&value, src, sizeof(value));                                                        \
        __atomic_store_n((type *)(void *)(host), value, __ATOMIC_RELAXED);                         \
    } while (0)

static inline void ram_load(void *dst, const uint8_t *host, size_t n)
{
    switch (ram_single(host, n)) {
    case 1:
        RAM_LOAD(uint8_t, dst, host);
        break;
    case 2:
        RAM_LOAD(ram_u16, dst, host);
        break;
    case 4:
        RAM_LOAD(ram_u32, dst, host);
        break;
    case 8:
        RAM_LOAD(ram_u64, dst, host);
        break;
    default:
        memcpy(dst, host, n);
    }
}

static inline void ram_store(uint8_t *host, const void *src, size_t n)
{
    switch (ram_single(host, n)) {
    case 1:
        RAM_STORE(uint8_t, host, src);
        break;
    case 2:
        RAM_STORE(ram_u16, host, src);
        break;
    case 4:
        RAM_STORE(ram_u32, host, src);
        break;
    case 8:
        RAM_STORE(ram_u64, host, src);
        break;
    default:
        memcpy(host, src, n);
    }
}

#endif
