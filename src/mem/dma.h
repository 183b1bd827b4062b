/*
 * A device's own accesses to guest memory, checked. Only RAM (and, for reads,
 * ROM) can be reached: an address or length that touches anything else fails
 * as a whole before the first byte is copied.
 *
 * Locking: as aspace.h: the calling thread is an online mem_reader. RAM lives
 * as long as the machine, so a mapped host address stays usable after the
 * thread went offline, even if the guest has put something over it since.
 */
#ifndef MEM_DMA_H
#define MEM_DMA_H

#include "src/mem/aspace.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* 0; -EFAULT: some byte of [gpa, gpa+len) is not RAM (or wraps); -EROFS: a write to ROM. len 0: 0.
 */
int dma_read(struct aspace *as, uint64_t gpa, void *buf, size_t len);
int dma_write(struct aspace *as, uint64_t gpa, const void *buf, size_t len);

/*
 * Host address of [gpa, gpa+len) if it is RAM within one range, else NULL.
 * write: the caller will write, so ROM gives NULL. len 0 gives NULL.
 */
void *dma_ptr(struct aspace *as, uint64_t gpa, uint64_t len, bool write);

/*
 * The same for memory that may span ranges: fills at most max elements and
 * returns their number; -EFAULT, -EROFS as above; -ENOSPC: more than max pieces.
 */
int dma_map(struct aspace *as, uint64_t gpa, uint64_t len, bool write, struct iovec *iov, int max);

#endif
