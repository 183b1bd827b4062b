/*
 * Copy on write: a disk over a file that stays as it is. See block.h.
 *
 * The disk is cut into clusters of 4 KiB, the unit of file systems. A bit for each says
 * where it is: in the file, or at the same place in a temporary file, which has holes
 * for the others. A cluster moves with the first write to it, and one that is written in
 * part takes its other bytes along.
 *
 *     file       A B C D E F
 *     temporary    b     e      bits 0 1 0 0 1 0
 *
 * Nobody ever reads the temporary file again, so a flush has nothing to do.
 *
 * Locking: as block.h.
 */
#include "virtio/backend/block.h"

#include <errno.h>
#include <fcntl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER 4096

struct overlay {
    struct block block; /* first */
    struct block *base; /* for its lock and size; read through `file` */
    int file;
    int changes;    /* the temporary file */
    uint64_t *bits; /* cluster n is in it: bit n % 64 of element n / 64 */
};

static struct overlay *overlay_of(struct block *b)
{
    return (struct overlay *)(void *)b;
}

static bool has(const struct overlay *o, uint64_t cluster)
{
    return (o->bits[cluster / 64] >> cluster % 64 & 1) != 0;
}

static void mark(struct overlay *o, uint64_t first, uint64_t end)
{
    for (uint64_t n = first; n < end; n++) {
        o->bits[n / 64] |= UINT64_C(1) << n % 64;
    }
    o->block.diverged = true;
}

/* --- bytes -------------------------------------------------------------- */

/* len bytes at offset `at` of fd; short only at an error. */
static int transfer(int fd, uint8_t *buf, uint64_t len, uint64_t at, bool write)
{
    while (len > 0) {
        const ssize_t n = write ? pwrite(fd, buf, len, (off_t)at) : pread(fd, buf, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        buf += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

/* From at on, up to end: how many bytes are in the same file as the first? */
static uint64_t same_place(const struct overlay *o, uint64_t at, uint64_t end)
{
    uint64_t next = at / CLUSTER + 1;

    while (next * CLUSTER < end && has(o, next) == has(o, at / CLUSTER)) {
        next++;
    }
    return (next * CLUSTER < end ? next * CLUSTER : end) - at;
}

/* Read the bytes at `at` into memory, from wherever each is. */
static int read_bytes(const struct overlay *o, uint8_t *buf, uint64_t len, uint64_t at)
{
    int ret = 0;

    while (len > 0 && ret == 0) {
        const uint64_t n = same_place(o, at, at + len);
        ret = transfer(has(o, at / CLUSTER) ? o->changes : o->file, buf, n, at, false);
        buf += n;
        at += n;
        len -= n;
    }
    return ret;
}

/* --- requests ----------------------------------------------------------- */

/* Move the cluster around `at` to the temporary file if it is not there. */
static int bring(struct overlay *o, uint64_t at)
{
    const uint64_t cluster = at / CLUSTER, start = cluster * CLUSTER;
    const uint64_t left = o->block.size - start;
    uint8_t copy[CLUSTER];

    if (has(o, cluster)) {
        return 0;
    }
    const uint64_t len = left < CLUSTER ? left : CLUSTER;
    int ret = transfer(o->file, copy, len, start, false);
    if (ret == 0) {
        ret = transfer(o->changes, copy, len, start, true);
    }
    if (ret == 0) {
        mark(o, cluster, cluster + 1);
    }
    return ret;
}

/* Before len bytes at `at` are written: bring the clusters of which some bytes stay. */
static int bring_ends(struct overlay *o, uint64_t at, uint64_t len)
{
    const uint64_t end = at + len;
    int ret = at % CLUSTER != 0 ? bring(o, at) : 0;

    if (ret == 0 && end % CLUSTER != 0 && end != o->block.size) {
        ret = bring(o, end);
    }
    return ret;
}

/* After it: all of its clusters are there. */
static void mark_range(struct overlay *o, uint64_t at, uint64_t len)
{
    mark(o, at / CLUSTER, (at + len + CLUSTER - 1) / CLUSTER);
}

static int do_read(struct overlay *o, const struct block_request *r)
{
    uint64_t at = r->offset;
    int ret = 0;

    for (int i = 0; i < r->iov_count && ret == 0; i++) {
        ret = read_bytes(o, r->iov[i].iov_base, r->iov[i].iov_len, at);
        at += r->iov[i].iov_len;
    }
    return ret;
}

static int do_write(struct overlay *o, const struct block_request *r)
{
    uint64_t at = r->offset;
    int ret = bring_ends(o, r->offset, r->len);

    for (int i = 0; i < r->iov_count && ret == 0; i++) {
        ret = transfer(o->changes, r->iov[i].iov_base, r->iov[i].iov_len, at, true);
        at += r->iov[i].iov_len;
    }
    if (ret == 0) {
        mark_range(o, r->offset, r->len);
    }
    return ret;
}

static int do_zeroes(struct overlay *o, const struct block_request *r)
{
    static uint8_t zeroes[65536]; /* not const: that would be in the program's file */
    uint64_t at = r->offset, left = r->len;
    int ret = bring_ends(o, r->offset, r->len);

    while (left > 0 && ret == 0) {
        const uint64_t n = left < sizeof(zeroes) ? left : sizeof(zeroes);
        ret = transfer(o->changes, zeroes, n, at, true);
        at += n;
        left -= n;
    }
    if (ret == 0) {
        mark_range(o, r->offset, r->len);
    }
    return ret;
}

static void overlay_submit(struct block *b, struct block_request *r)
{
    struct overlay *o = overlay_of(b);
    int ret = 0;

    switch (r->op) {
    case BLOCK_READ:
        ret = do_read(o, r);
        break;
    case BLOCK_WRITE:
        ret = do_write(o, r);
        break;
    case BLOCK_WRITE_ZEROES:
        ret = do_zeroes(o, r);
        break;
    case BLOCK_FLUSH:
    case BLOCK_DISCARD: /* may do nothing */
        break;
    }
    r->done(r, ret);
}

/* --- life --------------------------------------------------------------- */

static void overlay_close(struct block *b)
{
    struct overlay *o = overlay_of(b);

    if (o->changes >= 0) {
        close(o->changes);
    }
    if (o->file >= 0) {
        close(o->file);
    }
    o->base->ops->close(o->base);
    free(o->bits);
    free(o);
}

static const struct block_ops overlay_ops = {.submit = overlay_submit, .close = overlay_close};

/* A file without a name, in $TMPDIR or else where temporary files may be large. */
static int open_temporary(struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];

    dir = dir != NULL && dir[0] != '\0' ? dir : "/var/tmp";
    snprintf(path, sizeof(path), "%s/vmm-disk.XXXXXX", dir);
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        const int ret = err_set(e, errno, "cannot make a temporary file in '%s' for a disk, %s",
                                dir, strerror(errno));
        err_hint(e, "set TMPDIR to a directory with room for what the guest writes");
        return ret;
    }
    unlink(path);
    return fd;
}

static int open_parts(struct overlay *o, const char *path, struct err *e)
{
    o->block.size = o->base->size;
    o->bits = calloc(o->block.size / CLUSTER / 64 + 1, sizeof(o->bits[0]));
    if (o->bits == NULL) {
        return err_set(e, ENOMEM, "cannot open disk '%s', out of memory", path);
    }
    o->file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (o->file < 0) {
        return err_set(e, errno, "cannot open disk '%s', %s", path, strerror(errno));
    }
    o->changes = open_temporary(e);
    return o->changes;
}

struct block *overlay_open(const char *path, struct err *e)
{
    struct overlay *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        err_set(e, ENOMEM, "cannot open disk '%s', out of memory", path);
        return NULL;
    }
    *o = (struct overlay){.block.ops = &overlay_ops, .file = -1, .changes = -1};
    o->base = raw_open(path, true, e);
    if (o->base == NULL) {
        free(o);
        return NULL;
    }
    if (open_parts(o, path, e) < 0) {
        overlay_close(&o->block);
        return NULL;
    }
    return &o->block;
}
