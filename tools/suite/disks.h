/*
 * Disks of a boot's own.
 */
#ifndef SUITE_DISKS_H
#define SUITE_DISKS_H

#include "tools/suite/suite.h"

/*
 * Make disk0, disk1, ... in the current folder, or copy them from another one.
 * Holes stay holes, and blocks are shared where the file system can.
 * 0, or a negative errno and a message.
 */
int disks_make(const struct list *disks, const char *copies_of, struct err *e);

#endif
