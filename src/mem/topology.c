/*
 * Transactions: see topology.h. Views and the readers that pin them: reader.c.
 *
 * Locking: the topology's lock, taken by begin and released by commit.
 */
#include "src/base/trace.h"
#include "src/mem/internal.h"

#include <assert.h>
#include <stdlib.h>

struct topology *topology_new(void)
{
    struct topology *t = calloc(1, sizeof(*t));
    pthread_mutexattr_t attr;

    if (t == NULL) {
        return NULL;
    }
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&t->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_mutex_init(&t->readers_lock, NULL);
    atomic_init(&t->epoch, 1);
    return t;
}

void topology_free(struct topology *t)
{
    if (t == NULL) {
        return;
    }
    assert(t->depth == 0 && t->aspaces == NULL && t->readers == NULL);
    reader_reclaim(t);
    pthread_mutex_destroy(&t->readers_lock);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/*
 * Follow r up to the roots of address spaces. Under a disabled region nothing
 * shows. Who looks through an alias is not recorded, so where there is one every
 * address space counts.
 */
void topology_touch(const struct region *r)
{
    for (const struct region *up = r; up != NULL && up->enabled; up = up->parent) {
        for (struct aspace *as = r->topo->aspaces; as != NULL; as = as->next) {
            if (as->root == up || up->alias_users > 0) {
                as->dirty = true;
            }
        }
    }
}

static int update(struct aspace *as)
{
    struct flatview *old = atomic_load_explicit(&as->view, memory_order_relaxed);
    struct flatview *new;
    int err = flatview_render(as->root, &new);

    if (err != 0) {
        return err;
    }
    as->dirty = false;
    trace(TRACE_mem_commit, "%s %zu ranges", as->name, new->count);
    err = listeners_tell(as, old, new);
    atomic_store(&as->view, new);
    reader_retire(as->topo, old);
    return err;
}

void topology_begin(struct topology *t)
{
    pthread_mutex_lock(&t->lock);
    assert(!t->committing);
    t->depth++;
}

int topology_commit(struct topology *t)
{
    int first_err = 0;

    if (t->depth == 1) {
        t->committing = true;
        for (struct aspace *as = t->aspaces; as != NULL; as = as->next) {
            int err = as->dirty ? update(as) : 0;
            if (first_err == 0) {
                first_err = err;
            }
        }
        reader_reclaim(t);
        t->committing = false;
    }
    t->depth--;
    pthread_mutex_unlock(&t->lock);
    return first_err;
}
