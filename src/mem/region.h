/*
 * The region tree: what a guest-physical address (or an I/O port) means.
 *
 * Model: QEMU's memory API documentation (docs/devel/memory.rst) describes the
 * same idea. A region has a size, and inside its parent an offset, a priority
 * and a switch. Where siblings overlap, the higher priority wins, and among
 * equals the one added last; where a container has a hole, what lies below it
 * shows; an alias shows a window of another region, clipped.
 *
 *        0      1000   2000   3000   4000   5000
 *        |------|------|------|------|------|
 *    A:  [                                  ]   container
 *    B:         [             ]                 prio 1, container with C in it
 *    C:         [      ]                        ram, inside B
 *    D:  [                    ]                 prio 0, io
 *  view: [ D   ][ C   ][ D    ]                 B's hole shows D
 *
 * Nothing here finds an address: a tree is rendered into a FlatView
 * (flatview.h) and accesses look there (aspace.h).
 *
 * Locking: every change of a tree takes its topology's lock. A change outside
 * topology_begin()/commit() is a transaction of its own. Devices may change
 * their regions from their callbacks (a BAR moves): the topology lock nests
 * inside a device's lock and is never held across a device callback.
 */
#ifndef MEM_REGION_H
#define MEM_REGION_H

#include "src/base/range.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topology;

/* A size that stands for all 2^64 bytes. */
#define REGION_ALL UINT64_MAX

enum region_kind {
    REGION_CONTAINER,
    REGION_RAM,
    REGION_ROM, /* RAM the guest can read and not write */
    REGION_IO,
    REGION_ALIAS,
};

enum endian {
    ENDIAN_LITTLE,
    ENDIAN_BIG,
};

/* Access sizes are 1, 2, 4 or 8 bytes; 0 means the default given here. */
struct access_rule {
    unsigned min;   /* smallest size (1) */
    unsigned max;   /* largest size (4), at least min */
    bool unaligned; /* offset may be no multiple of the size */
};

/*
 * A device's side of a region. Both callbacks are set; values are in host order.
 *
 * guest: the sizes a guest may use. As on a bus with narrow lanes, the bytes of
 * an access are cut into natural pieces: the largest power of two that is left,
 * is at most max and (unless unaligned) divides the offset. A piece smaller than
 * min is refused (all ones, counted).
 *
 * impl: the sizes the callbacks take. A larger piece becomes several calls, low
 * offset first. A smaller one becomes a wider call: the offset goes down to a
 * multiple of min (unless unaligned); a read takes its bytes out of the answer;
 * a write puts its bytes at their place and zeros around them (reading first
 * could have side effects, so it is not done).
 */
struct region_ops {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    struct access_rule guest;
    struct access_rule impl;
    enum endian endian;
    /*
     * What the guest reads where an access is refused by `guest`. Most buses
     * answer all ones; some windows (virtio-mmio) answer 0.
     */
    bool refused_reads_zero;
};

/*
 * The lock the core holds around a device's callbacks. A region without one
 * (NULL) is lock-free: its callbacks must be safe from all vCPU threads at once.
 */
struct io_guard {
    pthread_mutex_t lock;
    _Atomic uint64_t refused; /* accesses refused because a device callback made them */
};

void io_guard_init(struct io_guard *g);
void io_guard_destroy(struct io_guard *g);

/*
 * Begin and end of a device callback: take the lock (g may be NULL) and mark the
 * thread, so that an access it makes to a device region is refused rather than
 * waiting for a lock it may hold. The core does it for accesses; a device's
 * timers and descriptors do it themselves. Different guards may nest.
 */
void io_guard_enter(struct io_guard *g);
void io_guard_leave(struct io_guard *g);

/*
 * A write that KVM can complete without this process: a doorbell signals an
 * eventfd, a coalesced write waits in a ring. Both are offered to listeners for
 * as long as their bytes are visible in the view.
 */
enum posted_kind {
    POSTED_EVENTFD,
    POSTED_COALESCED,
};

struct posted_write {
    enum posted_kind kind;
    uint64_t offset; /* inside the region */
    unsigned size;   /* eventfd: bytes the guest writes, 0 for any; coalesced: of the zone */
    bool match;      /* eventfd only: value must match */
    uint64_t value;
    int fd; /* eventfd only; borrowed */
};

#define REGION_NAME_MAX 32

struct region {
    char name[REGION_NAME_MAX];
    enum region_kind kind;
    struct topology *topo;
    uint64_t last; /* size - 1: offset of the last byte */

    struct region *parent;
    uint64_t offset; /* in the parent; the end may reach past the parent and is clipped */
    int priority;
    bool enabled;
    bool readonly;          /* guest writes are refused; for RAM the same as ROM */
    struct region *sibling; /* next in the parent's list: higher priority first */
    struct region *children;
    unsigned alias_users; /* aliases that show this region */

    const struct region_ops *ops; /* REGION_IO */
    void *opaque;
    struct io_guard *guard;

    uint8_t *host; /* REGION_RAM, REGION_ROM: host address of offset 0; borrowed */

    struct region *target; /* REGION_ALIAS */
    uint64_t target_offset;

    struct posted_write *posted;
    size_t posted_count;

    uint64_t mark; /* of the last search that came by, and its list of work */
    struct region *todo;
};

/*
 * Initialisers. The caller owns the struct and keeps it in place until
 * region_fini(). size is in bytes, 1 or more, or REGION_ALL. Names are copied
 * (and cut). A new region is enabled, has no parent and priority 0.
 */
void region_init_container(struct region *r, struct topology *t, const char *name, uint64_t size);
void region_init_ram(struct region *r, struct topology *t, const char *name, uint64_t size,
                     void *host);
void region_init_rom(struct region *r, struct topology *t, const char *name, uint64_t size,
                     void *host);
void region_init_io(struct region *r, struct topology *t, const char *name, uint64_t size,
                    const struct region_ops *ops, void *opaque, struct io_guard *guard);
void region_init_alias(struct region *r, struct topology *t, const char *name, uint64_t size,
                       struct region *target, uint64_t target_offset);

/*
 * Takes the region out of its parent if needed. It must have no children, no
 * alias and no address space on it, and no reader may still be using it; so this
 * is not for regions that the current view still shows, hidden only by a
 * transaction that is not committed yet.
 */
void region_fini(struct region *r);

/*
 * Put child into parent (container or io) at offset. -EBUSY: it has a parent;
 * -ELOOP: parent lies inside child, or child shows it through aliases.
 *
 * Otherwise these return the result of the commit, or 0 inside a transaction;
 * the tree keeps the change also where the commit failed. region_del: -ENOENT if
 * it has no parent; region_set_size: -EINVAL for 0. A region that moves keeps its
 * place among siblings of its priority.
 */
int region_add(struct region *parent, uint64_t offset, struct region *child, int priority);
int region_del(struct region *child);
int region_set_enabled(struct region *r, bool enabled);
int region_set_readonly(struct region *r, bool readonly);
int region_set_offset(struct region *r, uint64_t offset);
int region_set_size(struct region *r, uint64_t size);
int region_set_alias_offset(struct region *r, uint64_t target_offset);

/*
 * Add or remove a posted write (matched by all fields). -EINVAL: a size KVM has
 * not, or bytes past the region's end; -ENOMEM, -EEXIST, -ENOENT.
 */
int region_add_posted(struct region *r, const struct posted_write *p);
int region_del_posted(struct region *r, const struct posted_write *p);

#endif
