/*
 * Telling listeners what changed between two views. Both lists of a view are
 * sorted, so one walk finds what the other has not.
 *
 * Locking: the topology's lock is held.
 */
#include "src/mem/internal.h"

static const struct flatview nothing;

/* Is r in v? *at is a place in v that only moves on: ask in order of address. */
static bool has_range(const struct flatview *v, size_t *at, const struct flat_range *r)
{
    while (*at < v->count && v->ranges[*at].addr.first < r->addr.first) {
        (*at)++;
    }
    return *at < v->count && flat_range_equal(&v->ranges[*at], r);
}

static bool has_posted(const struct flatview *v, size_t *at, const struct flat_posted *p)
{
    while (*at < v->posted_count && flat_posted_compare(&v->posted[*at], p) < 0) {
        (*at)++;
    }
    return *at < v->posted_count && flat_posted_compare(&v->posted[*at], p) == 0;
}

/* Delete what is in old and not in new. */
static void tell_deleted(struct aspace_listener *l, const struct flatview *old,
                         const struct flatview *new)
{
    size_t at = 0;

    for (size_t i = 0; l->posted_del != NULL && i < old->posted_count; i++) {
        if (!has_posted(new, &at, &old->posted[i])) {
            l->posted_del(l, &old->posted[i]);
        }
    }
    at = 0;
    for (size_t i = 0; l->del != NULL && i < old->count; i++) {
        if (!has_range(new, &at, &old->ranges[i])) {
            l->del(l, &old->ranges[i]);
        }
    }
}

static void keep_first(int *first_err, int err)
{
    if (*first_err == 0) {
        *first_err = err;
    }
}

/* Add what is in new and not in old. */
static int tell_added(struct aspace_listener *l, const struct flatview *old,
                      const struct flatview *new)
{
    size_t at = 0;
    int err = 0;

    for (size_t i = 0; l->add != NULL && i < new->count; i++) {
        if (!has_range(old, &at, &new->ranges[i])) {
            keep_first(&err, l->add(l, &new->ranges[i]));
        }
    }
    at = 0;
    for (size_t i = 0; l->posted_add != NULL && i < new->posted_count; i++) {
        if (!has_posted(old, &at, &new->posted[i])) {
            keep_first(&err, l->posted_add(l, &new->posted[i]));
        }
    }
    return err;
}

int listeners_tell(struct aspace *as, const struct flatview *old, const struct flatview *new)
{
    int err = 0;

    for (struct aspace_listener *l = as->last_listener; l != NULL; l = l->prev) {
        tell_deleted(l, old, new);
    }
    for (struct aspace_listener *l = as->first_listener; l != NULL; l = l->next) {
        keep_first(&err, tell_added(l, old, new));
    }
    return err;
}

int aspace_listen(struct aspace *as, struct aspace_listener *l)
{
    int err;

    pthread_mutex_lock(&as->topo->lock);
    l->prev = as->last_listener;
    l->next = NULL;
    *(l->prev != NULL ? &l->prev->next : &as->first_listener) = l;
    as->last_listener = l;
    err = tell_added(l, &nothing, current_view(as));
    pthread_mutex_unlock(&as->topo->lock);
    return err;
}

void aspace_unlisten(struct aspace *as, struct aspace_listener *l)
{
    pthread_mutex_lock(&as->topo->lock);
    tell_deleted(l, current_view(as), &nothing);
    *(l->prev != NULL ? &l->prev->next : &as->first_listener) = l->next;
    *(l->next != NULL ? &l->next->prev : &as->last_listener) = l->prev;
    pthread_mutex_unlock(&as->topo->lock);
}
