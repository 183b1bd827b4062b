/*
 * The engine that does each request with blocking system calls. See block.h.
 */
#include "virtio/backend/block.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ZEROES_AT_ONCE 65536 /* bytes written by one call where the file system cannot zero */

/* --- reading and writing ------------------------------------------------ */

/* Take n bytes off the front of iov. */
static void advance(struct iovec **iov, int *count, size_t n)
{
    while (*count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

/* All of r, whatever pieces the kernel does it in. Nothing done means the file has shrunk. */
static int transfer(const struct block_file *f, const struct block_request *r)
{
    struct iovec *iov = r->iov;
    int count = r->iov_count;
    off_t at = (off_t)r->offset;
    while (count > 0) {
        ssize_t n =
            r->op == BLOCK_READ ? preadv(f->fd, iov, count, at) : pwritev(f->fd, iov, count, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        at += n;
        advance(&iov, &count, (size_t)n);
    }
    return 0;
}

/* --- flushing ----------------------------------------------------------- */

/*
 * After a failed fdatasync() Linux forgets that the pages were dirty, and the
 * next one succeeds: only the first tells of the loss, so it is remembered.
 */
static int flush(struct block_file *f)
{
    if (f->flush_failed) {
        return -EIO;
    }
    int ret;
    do {
        ret = fdatasync(f->fd);
    } while (ret < 0 && errno == EINTR);
    f->flush_failed = ret < 0;
    return ret < 0 ? -errno : 0;
}

/* --- zeroing and discarding ---------------------------------------------- */

static bool unsupported(int error)
{
    return error == -EOPNOTSUPP || error == -ENOSYS || error == -ENODEV || error == -ENOTTY ||
           error == -EINVAL;
}

static int allocate(const struct block_file *f, int mode, const struct block_request *r)
{
    int ret;
    do {
        ret = fallocate(f->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)r->offset, (off_t)r->len);
    } while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : 0;
}

static int write_zeroes_plainly(const struct block_file *f, const struct block_request *r)
{
    static uint8_t zeroes[ZEROES_AT_ONCE]; /* not const: that would be in the program's file */
    uint64_t at = r->offset;
    uint64_t left = r->len;
    while (left > 0) {
        size_t want = left < sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
        ssize_t n = pwrite(f->fd, zeroes, want, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return 0;
}

/* Keeps the space unless r says it may go; on a block device the kernel writes if it must. */
static int write_zeroes(const struct block_file *f, const struct block_request *r)
{
    int ret = -EOPNOTSUPP;
    if (r->unmap) {
        ret = allocate(f, FALLOC_FL_PUNCH_HOLE, r);
    }
    if (unsupported(ret)) {
        ret = allocate(f, FALLOC_FL_ZERO_RANGE, r);
    }
    return unsupported(ret) ? write_zeroes_plainly(f, r) : ret;
}

/* A file system or device that cannot discard keeps the data, which is allowed. */
static int discard(const struct block_file *f, const struct block_request *r)
{
    int ret;
    if (f->device) {
        const uint64_t range[2] = {r->offset, r->len};
        ret = ioctl(f->fd, BLKDISCARD, range) < 0 ? -errno : 0;
    } else {
        ret = allocate(f, FALLOC_FL_PUNCH_HOLE, r);
    }
    return unsupported(ret) ? 0 : ret;
}

int io_sync(struct block_file *f, const struct block_request *r)
{
    switch (r->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return transfer(f, r);
    case BLOCK_FLUSH:
        return flush(f);
    case BLOCK_DISCARD:
        return discard(f, r);
    case BLOCK_WRITE_ZEROES:
        return write_zeroes(f, r);
    }
    return -EINVAL;
}
