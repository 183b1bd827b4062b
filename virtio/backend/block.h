/*
 * Block back ends: where the sectors of a disk are kept.
 *
 *     device (virtio/blk.c)
 *          |  struct block: submit(), completion by callback
 *     format (raw.c)        what a disk's byte is in the file
 *          |  struct block_file
 *     engine (io_sync.c)    how the file is read and written
 *
 * submit() may complete at once or later; a device must be ready for both.
 *
 * Locking: none. submit, drain and the completions are on one thread, that of
 * the device's data path; open and close while it does not run.
 */
#ifndef VIRTIO_BACKEND_BLOCK_H
#define VIRTIO_BACKEND_BLOCK_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLOCK_SECTOR 512 /* bytes: unit of sizes and positions of a disk */

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,        /* writes completed before are on stable storage after it */
    BLOCK_DISCARD,      /* the contents are not needed any more; may do nothing */
    BLOCK_WRITE_ZEROES, /* the range reads as zeros afterwards */
};

/*
 * One request. Filled by the device, which keeps it, iov and memory in place
 * until done(). For READ and WRITE the lengths of iov sum up to len. The range
 * lies inside the disk and is made of whole sectors: the device checked.
 */
struct block_request {
    enum block_op op;
    bool unmap; /* WRITE_ZEROES: space may be given back */
    uint64_t offset, len;
    struct iovec *iov; /* the back end may change the elements */
    int iov_count;
    /* error: 0 or -errno. The request may be submitted again from here. */
    void (*done)(struct block_request *r, int error);
};

struct block;

struct block_ops {
    void (*submit)(struct block *b, struct block_request *r);
    /* Return when done() was called for all that was submitted. NULL: submit() waits anyway. */
    void (*drain)(struct block *b);
    void (*close)(struct block *b);
};

struct block {
    const struct block_ops *ops;
    uint64_t size; /* bytes, whole sectors */
    bool readonly;
    bool diverged; /* what was written is not in the file (overlay_open()) */
};

/*
 * Open a raw image: a regular file or a block device. Nothing in it is changed
 * by opening. It is locked against other users: a read-only disk may be shared
 * by read-only users, a writable one is used alone. Bytes behind the last whole
 * sector are warned of and never touched. NULL with e set on failure; free with
 * ops->close().
 */
struct block *raw_open(const char *path, bool readonly, struct err *e);

/*
 * A disk that begins with the contents of path, which is opened read-only and shared like a
 * read-only disk, and keeps all that is written in a temporary file of its own. That file
 * has no name and ends with the disk. NULL with e set.
 */
struct block *overlay_open(const char *path, struct err *e);

/* --- for formats: files and engines ------------------------------------- */

struct block_file {
    int fd;
    uint64_t size;     /* bytes */
    bool device;       /* a block device, not a regular file */
    bool flush_failed; /* once lost, writes stay lost: no later flush may succeed */
};

/* Open and lock. -errno with e set: what is wrong with path and what to do. */
int block_file_open(struct block_file *f, const char *path, bool readonly, struct err *e);
void block_file_close(struct block_file *f);

/* The plainest engine: carry r out in this thread. 0 or -errno; does not call done(). */
int io_sync(struct block_file *f, const struct block_request *r);

#endif
