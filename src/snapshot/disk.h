/*
 * Disks of a snapshot. A snapshot has no copy of them: it says which file each was, and
 * when that was written last. A disk that changed since no longer fits the guest's
 * memory.
 *
 * Same size and same time of the last write, to the nanosecond, count as unchanged, also in
 * another place: so a copy that kept the time will do. Of a block device only the size is known.
 *
 * Locking: none; main thread.
 */
#ifndef SNAPSHOT_DISK_H
#define SNAPSHOT_DISK_H

#include "src/base/err.h"
#include "src/base/pack.h"

#include <stdbool.h>
#include <stdint.h>

struct virtio_blk;

struct disk_record {
    char text[8192]; /* as for --disk, the path absolute */
    char rest[1024]; /* the options in it, without those that are for the host alone */
    uint64_t size;   /* bytes */
    uint64_t mtime_s;
    uint32_t mtime_ns;
    bool device; /* a block device */
};

/* Append b's record, what was written being on stable storage. -errno with e set. */
int disk_save(const struct virtio_blk *b, struct pack *out, struct err *e);

void disk_unpack(struct unpack *in, struct disk_record *r);

/* Is what the user calls text the disk of r? number: counted from 1, for messages. */
int disk_check(const struct disk_record *r, const char *text, unsigned number, struct err *e);

#endif
