/*
 * An address space: a region tree as seen by accesses. A machine has two,
 * memory and I/O ports.
 *
 * The path of an access: pinned view, lookup, split at range ends, size and
 * byte-order adjustment, the device's lock, its callback. Nothing on it
 * allocates or takes a lock other than the device's.
 *
 * Re-entry: a device callback that accesses a device region (its own or any
 * other: a DMA aimed at registers) is refused and counted in the region's
 * guard, so no two device locks are ever held by one thread through here.
 *
 * Locking: reads and writes need the calling thread to be an online mem_reader
 * once vCPUs run; before that, set-up code is the only thread and needs none.
 */
#ifndef MEM_ASPACE_H
#define MEM_ASPACE_H

#include "src/base/err.h"
#include "src/mem/flatview.h"
#include "src/mem/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct aspace;

/* root may be NULL; name is borrowed. NULL when out of memory. */
struct aspace *aspace_new(struct topology *t, const char *name, struct region *root);
void aspace_free(struct aspace *as); /* listeners must be gone */

const char *aspace_name(const struct aspace *as);
struct region *aspace_root(const struct aspace *as);

/* The current view; valid while the calling thread is online. */
const struct flatview *aspace_view(const struct aspace *as);

enum access_result {
    ACCESS_OK,
    ACCESS_UNASSIGNED, /* nothing there: reads gave all ones */
    ACCESS_REFUSED,    /* size or alignment the region does not accept, or read-only */
    ACCESS_REENTRY,    /* a device callback tried to reach a device */
};

/*
 * Guest accesses of any length and alignment (kvm_run's len 1..8, page-crossing
 * pieces). data holds len bytes in guest memory order. A read always fills all
 * len bytes. An access over several ranges is split; the first result that is
 * not OK is returned, the rest is still carried out.
 */
enum access_result aspace_read(struct aspace *as, uint64_t addr, void *data, size_t len);
enum access_result aspace_write(struct aspace *as, uint64_t addr, const void *data, size_t len);

/* Accesses that found nothing, were refused, re-entered: for the monitor and tests. */
struct access_counts {
    uint64_t unassigned, refused, reentry;
};
struct access_counts aspace_counts(const struct aspace *as);

/*
 * Listeners hear of every change of the view: first all deletions (listeners in
 * reverse order of registration), then all additions. A range whose region,
 * offset or read-only mark changed is deleted and added. add callbacks return 0
 * or -errno (KVM refused); the first error is what topology_commit() returns.
 * A new listener first hears of everything that is there; at unregistration of
 * everything as deleted. Any callback may be NULL.
 */
struct aspace_listener {
    int (*add)(struct aspace_listener *l, const struct flat_range *r);
    void (*del)(struct aspace_listener *l, const struct flat_range *r);
    int (*posted_add)(struct aspace_listener *l, const struct flat_posted *p);
    void (*posted_del)(struct aspace_listener *l, const struct flat_posted *p);
    struct aspace_listener *next;
};

int aspace_listen(struct aspace *as, struct aspace_listener *l);
void aspace_unlisten(struct aspace *as, struct aspace_listener *l);

/* For --info and the monitor: the tree (mtree) and the rendered view (flatview). */
void aspace_print_tree(const struct aspace *as, FILE *out);
void aspace_print_view(const struct aspace *as, FILE *out);

#endif
