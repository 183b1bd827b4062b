/*
 * The machine section: what a machine is made of, and what was on its disks.
 *
 * Locking: none; main thread.
 */
#ifndef SNAPSHOT_DESCRIBE_H
#define SNAPSHOT_DESCRIBE_H

#include "src/base/err.h"
#include "src/base/pack.h"

struct config;
struct machine;

/* Append the description. Its disks are on stable storage afterwards. -errno with e set. */
int describe_save(const struct machine *m, struct pack *out, struct err *e);

/*
 * Complete c by a description; what c says already must be the same, and the disks
 * unchanged. -EINVAL with e set, -ENOENT: a disk is missing, -ENOMEM.
 */
int describe_apply(struct config *c, struct unpack *in, struct err *e);

#endif
