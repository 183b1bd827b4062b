/*
 * The initramfs of an --exec guest (docs/exec.md): the program at its own path
 * with all it needs, vmm's init, modules, the files of --exec-dir, and what init
 * is to do with them. It is built in memory (memfd_create(2)).
 *
 * Locking: none; set-up on the main thread.
 */
#ifndef EXEC_PACK_H
#define EXEC_PACK_H

#include "src/base/err.h"
#include "src/config.h"

#include <stdint.h>

/* The guest's places. */
#define EXEC_CONF "/.vmm/conf"
#define EXEC_WORK "/work"
#define EXEC_OUT  "/out"

/* The init of this build's architecture (guest-images/exec-init). */
extern const unsigned char exec_init_image[];
extern const uint64_t exec_init_size;

/*
 * line: the guest's serial line, "/dev/ttyS1". Returns a descriptor of the archive, at its start,
 * or -errno with e set: the program is missing, not executable, for another architecture, lacks a
 * library, or all of it does not fit into config->memory.
 */
int exec_pack(const struct config *config, const char *line, struct err *e);

#endif
