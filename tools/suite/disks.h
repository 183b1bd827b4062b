/*
 * Disks of a boot's own.
 */
#ifndef SUITE_DISKS_H
#define SUITE_DISKS_H

#include "tools/suite/suite.h"

/*
 * Make disk0, disk1, ... in the current folder. Holes of what is copied stay
 * holes, and blocks are shared where the file system can. disks: struct disk.
 * 0, or a negative errno and a message.
 */
int disks_make(const struct list *disks, struct err *e);

#endif
