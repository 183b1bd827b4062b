/*
 * Checked copies between devices and guest memory. See dma.h.
 *
 * Each function checks the whole range in one view, then copies in that view:
 * nothing can change in between, and nothing is copied when any byte is bad.
 *
 * Locking: none; the calling thread is an online mem_reader.
 */
#include "src/mem/dma.h"
#include "src/base/trace.h"
#include "src/mem/internal.h"
#include "src/mem/ramcopy.h"

#include <errno.h>
#include <inttypes.h>

/* 0 or why a device may not touch r. */
static int range_check(const struct flat_range *r, bool write)
{
    if (r->region->kind == REGION_IO) {
        return -EFAULT;
    }
    return write && r->readonly ? -EROFS : 0;
}

/* The range that begins where r ends, or NULL. */
static const struct flat_range *next_range(const struct flatview *v, const struct flat_range *r)
{
    const struct flat_range *next = r + 1;

    return next < v->ranges + v->count && next->addr.first - 1 == r->addr.last ? next : NULL;
}

/* Check all of [gpa, gpa+len), len not 0. *first: the range that holds gpa. */
static int check(struct aspace *as, uint64_t gpa, uint64_t len, bool write,
                 const struct flat_range **first)
{
    const struct flatview *v = current_view(as);
    const struct flat_range *r = flatview_find(v, gpa);
    struct range want;
    int err = range_from_size(gpa, len, &want) && r != NULL ? 0 : -EFAULT;

    *first = r;
    while (err == 0) {
        err = range_check(r, write);
        if (err == 0 && r->addr.last >= want.last) {
            return 0;
        }
        if (err == 0) {
            r = next_range(v, r);
            err = r != NULL ? 0 : -EFAULT;
        }
    }
    trace(TRACE_dma_fault, "%s 0x%" PRIx64 " length 0x%" PRIx64 "%s", as->name, gpa, len,
          write ? " write" : "");
    return err;
}

/* Host address of gpa in r; *n: how many of len bytes are there. */
static uint8_t *host_piece(const struct flat_range *r, uint64_t gpa, uint64_t len, uint64_t *n)
{
    uint64_t skip = gpa - r->addr.first;

    *n = len - 1 <= r->addr.last - gpa ? len : r->addr.last - gpa + 1;
    return r->region->host + r->offset + skip;
}

int dma_read(struct aspace *as, uint64_t gpa, void *buf, size_t len)
{
    const struct flat_range *r;
    uint8_t *to = buf;
    uint64_t n;
    int err = len != 0 ? check(as, gpa, len, false, &r) : 0;

    for (; err == 0 && len != 0; r++, gpa += n, to += n, len -= n) {
        const uint8_t *host = host_piece(r, gpa, len, &n);
        ram_load(to, host, n);
    }
    return err;
}

int dma_write(struct aspace *as, uint64_t gpa, const void *buf, size_t len)
{
    const struct flat_range *r;
    const uint8_t *from = buf;
    uint64_t n;
    int err = len != 0 ? check(as, gpa, len, true, &r) : 0;

    for (; err == 0 && len != 0; r++, gpa += n, from += n, len -= n) {
        uint8_t *host = host_piece(r, gpa, len, &n);
        ram_store(host, from, n);
    }
    return err;
}

void *dma_ptr(struct aspace *as, uint64_t gpa, uint64_t len, bool write)
{
    const struct flat_range *r = flatview_find(current_view(as), gpa);
    uint64_t n;

    if (r == NULL || !range_contains_len(r->addr, gpa, len) || range_check(r, write) != 0) {
        return NULL;
    }
    return host_piece(r, gpa, len, &n);
}

int dma_map(struct aspace *as, uint64_t gpa, uint64_t len, bool write, struct iovec *iov, int max)
{
    const struct flat_range *r;
    uint64_t n;
    int count = 0;
    int err = len != 0 ? check(as, gpa, len, write, &r) : 0;

    if (err != 0) {
        return err;
    }
    for (; len != 0; r++, gpa += n, len -= n) {
        if (count >= max) {
            return -ENOSPC;
        }
        iov[count].iov_base = host_piece(r, gpa, len, &n);
        iov[count].iov_len = n;
        count++;
    }
    return count;
}
