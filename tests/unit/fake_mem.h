/*
 * Fakes for tests of the memory core: an I/O region that remembers its
 * callbacks, and RAM on the heap.
 */
#ifndef TESTS_FAKE_MEM_H
#define TESTS_FAKE_MEM_H

#include "src/mem/aspace.h"
#include "src/mem/region.h"
#include "src/mem/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sanitizer watches: everything is slow, and it takes SIGSEGV for itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define FAKE_IO_BYTES 64
#define FAKE_IO_CALLS 64

struct fake_call {
    bool write;
    uint64_t offset, value;
    unsigned size;
};

/*
 * An I/O region over an array of bytes in memory order: offset n is bytes[n %
 * FAKE_IO_BYTES]. on_call, if set, runs inside each callback.
 */
struct fake_io {
    struct region region;
    struct region_ops ops; /* endian and rules may be changed at any time */
    struct io_guard guard;
    uint8_t bytes[FAKE_IO_BYTES];
    struct fake_call calls[FAKE_IO_CALLS];
    unsigned call_count; /* may exceed FAKE_IO_CALLS; only the first are kept */
    void (*on_call)(struct fake_io *io);
    void *opaque; /* for on_call */
};

/* Bytes count up from 1; accesses of 1 to 8 bytes at any offset; locked by its guard. */
void fake_io_init(struct fake_io *io, struct topology *t, const char *name, uint64_t size);
void fake_io_fini(struct fake_io *io);

struct fake_ram {
    struct region region;
    uint8_t *host; /* zeroed; on the heap, so that ASan sees overruns */
};

/* kind: REGION_RAM or REGION_ROM. */
void fake_ram_init(struct fake_ram *ram, struct topology *t, enum region_kind kind,
                   const char *name, size_t size);
void fake_ram_fini(struct fake_ram *ram);

#endif
