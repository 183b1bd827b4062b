/*
 * Between snapshot.c and ram.c.
 */
#ifndef SNAPSHOT_RAM_H
#define SNAPSHOT_RAM_H

#include "src/base/err.h"

struct ram;
struct snapshot_writer;

/* Append all of ram that is not zero. -errno with e set. */
int snapshot_put_all_ram(struct snapshot_writer *w, const struct ram *ram, struct err *e);

#endif
