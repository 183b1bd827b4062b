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

/* root may be NULL; name is borrowed. NULL if root cannot be rendered (out of memory, too big). */
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
 * not OK is returned, the rest is still carried out. Past 2^64 there is nothing.
 * Aligned RAM accesses of 1, 2, 4 or 8 bytes are single-copy atomic.
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
 * reverse order of registration, posted writes before ranges), then all additions
 * (in order of registration, ranges before posted writes). A range whose region,
 * offset or read-only mark changed is deleted and added. The new view is published
 * after them.
 *
 * add callbacks return 0 or -errno (KVM refused); the first error is what
 * topology_commit() or aspace_listen() returns, and the others are still called.
 * What failed counts as added: it is deleted like the rest one day, so a listener
 * that cares remembers what it refused.
 *
 * A new listener first hears of everything that is there; at unregistration of
 * everything as deleted. Any callback may be NULL. They run under the topology's
 * lock and must not change regions.
 */
struct aspace_listener {
    int (*add)(struct aspace_listener *l, const struct flat_range *r);
    void (*del)(struct aspace_listener *l, const struct flat_range *r);
    int (*posted_add)(struct aspace_listener *l, const struct flat_posted *p);
    void (*posted_del)(struct aspace_listener *l, const struct flat_posted *p);
    struct aspace_listener *prev, *next;
};

/* 0 or the first error of an add; l is registered in either case and stays the caller's. */
int aspace_listen(struct aspace *as, struct aspace_listener *l);
void aspace_unlisten(struct aspace *as, struct aspace_listener *l);

/*
 * For --info and the monitor, in the format of QEMU's `info mtree` and `info mtree -f`:
 * the tree without its disabled parts, then each tree that an alias shows (from its
 * own address 0); and the rendered view.
 */
void aspace_print_tree(const struct aspace *as, FILE *out);
void aspace_print_view(const struct aspace *as, FILE *out);

#endif
