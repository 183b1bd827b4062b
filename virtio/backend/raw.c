/*
 * Raw images: byte n of the disk is byte n of the file. See block.h.
 */
#include "src/base/log.h"
#include "virtio/backend/block.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct raw {
    struct block block; /* first */
    struct block_file file;
};

static struct raw *raw_of(struct block *b)
{
    return (struct raw *)(void *)b;
}

static void raw_submit(struct block *b, struct block_request *r)
{
    r->done(r, io_sync(&raw_of(b)->file, r));
}

static void raw_close(struct block *b)
{
    block_file_close(&raw_of(b)->file);
    free(b);
}

static const struct block_ops raw_ops = {.submit = raw_submit, .close = raw_close};

/* The disk is the whole sectors of the file; what is behind them is left alone. */
static int set_size(struct raw *w, const char *path, struct err *e)
{
    uint64_t tail = w->file.size % BLOCK_SECTOR;
    w->block.size = w->file.size - tail;
    if (w->block.size == 0) {
        int ret = err_set(e, EINVAL, "disk '%s' is %s", path,
                          tail == 0 ? "empty" : "smaller than a sector of 512 bytes");
        err_hint(e, "truncate -s 1G FILE makes it a disk of 1 GiB");
        return ret;
    }
    if (tail != 0) {
        log_warn("disk '%s' is no multiple of 512 bytes: the guest does not see the last %" PRIu64
                 ", they stay as they are",
                 path, tail);
    }
    return 0;
}

struct block *raw_open(const char *path, bool readonly, struct err *e)
{
    struct raw *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        err_set(e, ENOMEM, "cannot open disk '%s', out of memory", path);
        return NULL;
    }
    if (block_file_open(&w->file, path, readonly, e) < 0) {
        free(w);
        return NULL;
    }
    w->block.ops = &raw_ops;
    w->block.readonly = readonly;
    if (set_size(w, path, e) < 0) {
        raw_close(&w->block);
        return NULL;
    }
    return &w->block;
}
