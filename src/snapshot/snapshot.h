/*
 * Snapshots of a machine: all of its state in a file, and machines that begin there.
 *
 *     --snapshot-save    the guest says ready (MACHINE_READY) -> vCPUs pause, devices
 *                        rest -> snapshot_save()
 *     --snapshot-load    snapshot_open(): what machine it is, into the configuration
 *                        machine_new(): the same devices, RAM from the file
 *                        snapshot_load(): their state, instead of a kernel
 *
 * Layers below: file.h (sections and checksums), src/device_state.h (devices by their
 * declared fields), arch.h (vCPUs and interrupt controllers).
 *
 * Locking: main thread, while no vCPU runs.
 */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include "src/base/err.h"

#include <stdbool.h>

struct config;
struct machine;
struct ram;
struct snapshot_file;

/* --snapshot-save, parsed. */
struct snapshot_request {
    char *path;
    char *pattern; /* of the console; NULL: the guest tells a snapshot-ready device */
    bool go_on;    /* after it, instead of ending with status 0 */
};

/*
 * Open c->snapshot_load and complete c with what the file says of the machine; what c says itself
 * must be the same (-EINVAL, the differences by name). Sets c->snapshot, which config_free()
 * closes.
 */
int snapshot_open(struct config *c, struct err *e);

/* Guest RAM as it was: mapped copy-on-write, all checksums verified. RAM is zeroed. -errno. */
int snapshot_map_ram(struct snapshot_file *f, struct ram *ram, struct err *e);

/*
 * Save m, its vCPUs paused and their posted writes carried out, to m->config->save.path. Devices
 * rest and go on; the machine's clock stands meanwhile. -errno with e set: no file.
 */
int snapshot_save(struct machine *m, struct err *e);

/* Give m, new and of the same configuration, the state in m->config->snapshot. -errno. */
int snapshot_load(struct machine *m, struct err *e);

#endif
