/*
 * virtio-blk requests: OASIS virtio 1.2, section 5.2.6. A chain is a header
 * {type u32, reserved u32, sector u64}, data, and a status byte, the last one
 * the device may write. How they are spread over descriptors is the driver's
 * choice: nothing here looks at the borders between them.
 */
#include "src/base/le.h"
#include "src/base/trace.h"
#include "virtio/blk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HEADER_BYTES 16

#define T_IN           0
#define T_OUT          1
#define T_FLUSH        4
#define T_GET_ID       8
#define T_DISCARD      11
#define T_WRITE_ZEROES 13

#define RANGE_UNMAP 1

/* A request that goes on; anything else is its status. */
#define PENDING (-1)

/* --- the chain ----------------------------------------------------------- */

/* Move len bytes off the front of the readable part into buf. False: it has fewer. */
static bool take(struct blk_request *r, void *buf, uint32_t len)
{
    uint8_t *to = buf;
    if (len > r->out_len) {
        return false;
    }
    r->out_len -= len;
    while (len > 0) {
        struct iovec *piece = r->out;
        size_t n = len < piece->iov_len ? len : piece->iov_len;
        memcpy(to, piece->iov_base, n);
        to += n;
        len -= (uint32_t)n;
        piece->iov_base = (uint8_t *)piece->iov_base + n;
        piece->iov_len -= n;
        if (piece->iov_len == 0) {
            r->out++;
            r->out_count--;
        }
    }
    return true;
}

/* Copy len bytes to the front of the writable part, or as many as it has. Returns how many. */
static uint32_t give(struct blk_request *r, const uint8_t *from, uint32_t len)
{
    uint32_t left = len < r->in_len ? len : r->in_len;
    const uint32_t all = left;
    for (struct iovec *piece = r->in; left > 0; piece++) {
        size_t n = left < piece->iov_len ? left : piece->iov_len;
        memcpy(piece->iov_base, from, n);
        from += n;
        left -= (uint32_t)n;
    }
    return all;
}

/* Cut the status byte off the end of the writable part. */
static void take_status(struct blk_request *r)
{
    struct iovec *last = &r->in[r->in_count - 1];
    last->iov_len--;
    r->status = (uint8_t *)last->iov_base + last->iov_len;
    r->in_len--;
    if (last->iov_len == 0) {
        r->in_count--;
    }
}

/* --- ending -------------------------------------------------------------- */

static void finish(struct blk_request *r, uint8_t status)
{
    uint32_t written = status == BLK_S_OK ? r->written : 0;
    *r->status = status;
    trace(TRACE_virtio_blk_complete, "%s type %" PRIu32 " status %u", r->blk->v.dev.id, r->type,
          status);
    blk_request_ended(r, written + 1);
}

/* The host could not do it. Said seldom, since a full file system fails every write. */
static void report(struct blk_request *r, int error)
{
    static const char *const names[] = {"read", "write", "flush", "discard", "write of zeros"};
    struct virtio_blk *b = r->blk;
    uint64_t n = atomic_fetch_add(&b->io_errors.count, 1) + 1;
    if ((n & (n - 1)) == 0) {
        log_warn("disk '%s': %s at sector %" PRIu64 " failed, %s (failure %" PRIu64 ")", b->file,
                 names[r->io.op], r->io.offset / BLOCK_SECTOR, strerror(-error), n);
    }
}

/* --- going on ------------------------------------------------------------ */

static void submit(struct blk_request *r, enum block_op op)
{
    r->io.op = op;
    if (device_faulty(&r->blk->v.dev, DEVICE_FAULT_IO, r->io.offset)) {
        r->io.done(&r->io, -EIO);
        return;
    }
    r->blk->block->ops->submit(r->blk->block, &r->io);
}

static void submit_range(struct blk_request *r)
{
    const uint8_t *range = &r->range_data[r->range * BLK_RANGE_BYTES];
    r->range++;
    r->io.offset = get_le64(range) * BLOCK_SECTOR;
    r->io.len = (uint64_t)get_le32(range + 8) * BLOCK_SECTOR;
    r->io.unmap = (get_le32(range + 12) & RANGE_UNMAP) != 0;
    submit(r, r->type == T_DISCARD ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES);
}

/* One step is done: take the next, or end. */
static void step_done(struct block_request *io, int error)
{
    struct blk_request *r = (struct blk_request *)(void *)io;
    bool changed = io->op != BLOCK_READ && io->op != BLOCK_FLUSH;
    if (error != 0) {
        report(r, error);
        finish(r, BLK_S_IOERR);
    } else if (r->range < r->ranges) {
        submit_range(r);
    } else if (changed && !atomic_load(&r->blk->writeback)) {
        submit(r, BLOCK_FLUSH);
    } else {
        finish(r, BLK_S_OK);
    }
}

/* --- kinds of requests --------------------------------------------------- */

static bool in_disk(const struct virtio_blk *b, uint64_t sector, uint64_t count)
{
    uint64_t capacity = b->block->size / BLOCK_SECTOR;
    return sector <= capacity && count <= capacity - sector;
}

/* Are the segments within the limits the driver agreed to? */
static bool within_limits(const struct blk_request *r, const struct iovec *iov, unsigned count)
{
    const struct virtio_device *v = &r->blk->v;
    if (virtio_has(v, BLK_F_SEG_MAX) && count > BLK_SEG_MAX) {
        return false;
    }
    for (unsigned i = 0; virtio_has(v, BLK_F_SIZE_MAX) && i < count; i++) {
        if (iov[i].iov_len > BLK_SIZE_MAX) {
            return false;
        }
    }
    return true;
}

static int start_transfer(struct blk_request *r, bool write)
{
    uint32_t len = write ? r->out_len : r->in_len;
    struct iovec *iov = write ? r->out : r->in;
    uint16_t count = write ? r->out_count : r->in_count;
    if ((write && r->blk->block->readonly) || len % BLOCK_SECTOR != 0 ||
        !in_disk(r->blk, r->sector, len / BLOCK_SECTOR) || !within_limits(r, iov, count)) {
        return BLK_S_IOERR;
    }
    if (len == 0) {
        return BLK_S_OK;
    }
    r->written = write ? 0 : len;
    r->io.offset = r->sector * BLOCK_SECTOR;
    r->io.len = len;
    r->io.iov = iov;
    r->io.iov_count = count;
    submit(r, write ? BLOCK_WRITE : BLOCK_READ);
    return PENDING;
}

static int start_read(struct blk_request *r)
{
    return start_transfer(r, false);
}

static int start_write(struct blk_request *r)
{
    return start_transfer(r, true);
}

static int start_flush(struct blk_request *r)
{
    r->io.offset = 0;
    submit(r, BLOCK_FLUSH);
    return PENDING;
}

static int start_get_id(struct blk_request *r)
{
    uint8_t id[BLK_ID_BYTES] = {0};
    if (r->blk->serial != NULL) {
        memcpy(id, r->blk->serial, strnlen(r->blk->serial, sizeof(id)));
    }
    r->written = give(r, id, sizeof(id));
    return BLK_S_OK;
}

/* All ranges are judged before the first is carried out. */
static int check_ranges(const struct blk_request *r, uint32_t sectors_max, uint32_t flags_allowed)
{
    for (unsigned i = 0; i < r->ranges; i++) {
        const uint8_t *range = &r->range_data[i * BLK_RANGE_BYTES];
        uint32_t sectors = get_le32(range + 8);
        if ((get_le32(range + 12) & ~flags_allowed) != 0) {
            return BLK_S_UNSUPP;
        }
        if (sectors > sectors_max || !in_disk(r->blk, get_le64(range), sectors)) {
            return BLK_S_IOERR;
        }
    }
    return BLK_S_OK;
}

static int start_ranges(struct blk_request *r, uint64_t feature, uint32_t sectors_max,
                        uint32_t flags_allowed)
{
    uint32_t len = r->out_len;
    if (!virtio_has(&r->blk->v, feature)) {
        return BLK_S_UNSUPP;
    }
    if (len == 0 || len % BLK_RANGE_BYTES != 0 || len > sizeof(r->range_data)) {
        return BLK_S_IOERR;
    }
    take(r, r->range_data, len);
    r->ranges = len / BLK_RANGE_BYTES;
    int status = check_ranges(r, sectors_max, flags_allowed);
    if (status != BLK_S_OK) {
        return status;
    }
    submit_range(r);
    return PENDING;
}

static int start_discard(struct blk_request *r)
{
    return start_ranges(r, BLK_F_DISCARD, BLK_DISCARD_SECTORS_MAX, 0);
}

static int start_write_zeroes(struct blk_request *r)
{
    return start_ranges(r, BLK_F_WRITE_ZEROES, BLK_ZEROES_SECTORS_MAX, RANGE_UNMAP);
}

static const struct {
    uint32_t type;
    int (*start)(struct blk_request *r);
} kinds[] = {
    {T_IN, start_read},       {T_OUT, start_write},       {T_FLUSH, start_flush},
    {T_GET_ID, start_get_id}, {T_DISCARD, start_discard}, {T_WRITE_ZEROES, start_write_zeroes},
};

/* The rest of r is left from an earlier request, or zero. */
static void init(struct blk_request *r)
{
    struct virtqueue_chain *c = &r->chain;
    r->io = (struct block_request){.done = step_done};
    r->out = c->iov;
    r->out_count = c->readable;
    r->out_len = c->readable_len;
    r->in = c->iov + c->readable;
    r->in_count = c->writable;
    r->in_len = c->writable_len;
    r->written = 0;
    r->range = 0;
    r->ranges = 0;
}

void blk_request_start(struct blk_request *r)
{
    uint8_t header[HEADER_BYTES];
    init(r);
    take_status(r);
    r->type = UINT32_MAX;
    r->sector = 0;
    if (!take(r, header, sizeof(header))) {
        finish(r, BLK_S_IOERR);
        return;
    }
    r->type = get_le32(header);
    r->sector = get_le64(header + 8);
    trace(TRACE_virtio_blk_request, "%s type %" PRIu32 " sector %" PRIu64 " bytes %" PRIu32,
          r->blk->v.dev.id, r->type, r->sector, r->out_len + r->in_len);
    int status = BLK_S_UNSUPP;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].type == r->type) {
            status = kinds[i].start(r);
        }
    }
    if (status != PENDING) {
        finish(r, (uint8_t)status);
    }
}
