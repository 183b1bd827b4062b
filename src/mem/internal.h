/*
 * What the files of src/mem share; nobody else includes it.
 *
 * Locking: all fields are the topology lock's, but for the atomic ones and the list of readers.
 */
#ifndef MEM_INTERNAL_H
#define MEM_INTERNAL_H

#include "src/mem/aspace.h"
#include "src/mem/flatview.h"
#include "src/mem/region.h"
#include "src/mem/topology.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct topology {
    pthread_mutex_t lock; /* recursive: transactions nest */
    unsigned depth;       /* of transactions */
    bool committing;      /* listeners are being told */
    struct aspace *aspaces;
    uint64_t mark; /* number of the last search through regions */

    pthread_mutex_t readers_lock;
    struct mem_reader *readers; /* under readers_lock */
    struct flatview *retired;   /* replaced views that a reader may still use */
    _Atomic uint64_t epoch;     /* one more with each replaced view; starts at 1 */
};

struct aspace {
    const char *name;
    struct topology *topo;
    struct region *root;
    struct aspace *next; /* in order of creation */
    bool dirty;          /* a change may show in the next view */
    struct aspace_listener *first_listener, *last_listener;
    _Atomic(struct flatview *) view;
    _Atomic uint64_t unassigned, refused, reentry;
};

/*
 * Sequentially consistent, like the store of a new view and both sides of a
 * reader's slot: reader.c tells why.
 */
static inline const struct flatview *current_view(const struct aspace *as)
{
    return atomic_load(&as->view);
}

/* topology.c: r's place or contents changed: which address spaces may show it? */
void topology_touch(const struct region *r);

/* listener.c: tell the listeners of as the difference of two views. The first error of an add. */
int listeners_tell(struct aspace *as, const struct flatview *old, const struct flatview *new);

/* reader.c: v was just replaced; free it when no reader can be using it. */
void reader_retire(struct topology *t, struct flatview *v);
/* Free the retired views that no reader can be using any more. */
void reader_reclaim(struct topology *t);

/* render.c: the ranges of the view of root, into v. */
int render_ranges(struct region *root, struct flatview *v);

/*
 * guard.c: how many device callbacks this thread is in; and io_guard_enter() and io_guard_leave()
 * without a call, for the path of an access.
 */
extern _Thread_local unsigned io_callback_depth;

static inline void guard_enter(struct io_guard *g)
{
    if (g != NULL) {
        pthread_mutex_lock(&g->lock);
    }
    io_callback_depth++;
}

static inline void guard_leave(struct io_guard *g)
{
    io_callback_depth--;
    if (g != NULL) {
        pthread_mutex_unlock(&g->lock);
    }
}

#endif
