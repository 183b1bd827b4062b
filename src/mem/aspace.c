/*
 * Address spaces: their life. Accesses: access.c; listeners: listener.c.
 *
 * Locking: see aspace.h.
 */
#include "src/mem/internal.h"

#include <assert.h>
#include <stdlib.h>

struct aspace *aspace_new(struct topology *t, const char *name, struct region *root)
{
    struct aspace *as = calloc(1, sizeof(*as));
    struct aspace **at = &t->aspaces;
    struct flatview *v;
    int err;

    if (as == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&t->lock);
    err = flatview_render(root, &v);
    if (err == 0) {
        as->name = name;
        as->topo = t;
        as->root = root;
        atomic_init(&as->view, v);
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = as;
    }
    pthread_mutex_unlock(&t->lock);
    if (err != 0) {
        free(as);
        return NULL;
    }
    return as;
}

void aspace_free(struct aspace *as)
{
    struct aspace **at;

    if (as == NULL) {
        return;
    }
    assert(as->first_listener == NULL);
    at = &as->topo->aspaces;
    pthread_mutex_lock(&as->topo->lock);
    while (*at != as) {
        at = &(*at)->next;
    }
    *at = as->next;
    pthread_mutex_unlock(&as->topo->lock);
    flatview_free(atomic_load(&as->view));
    free(as);
}

const char *aspace_name(const struct aspace *as)
{
    return as->name;
}

struct region *aspace_root(const struct aspace *as)
{
    return as->root;
}

const struct flatview *aspace_view(const struct aspace *as)
{
    return current_view(as);
}

struct access_counts aspace_counts(const struct aspace *as)
{
    return (struct access_counts){
        .unassigned = atomic_load_explicit(&as->unassigned, memory_order_relaxed),
        .refused = atomic_load_explicit(&as->refused, memory_order_relaxed),
        .reentry = atomic_load_explicit(&as->reentry, memory_order_relaxed),
    };
}
