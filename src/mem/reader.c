/*
 * Views that are read without a lock: quiescent-state-based reclamation (QSBR).
 *
 * A reader going online copies the topology's epoch into its slot; offline, the
 * slot is 0. Replacing a view stores the new one and then counts the epoch up to
 * E, the old view's retired_epoch. The old view is freed when each slot is 0 or
 * at least E:
 *
 *  - slot >= E: the reader read an epoch that was written after the new view was
 *    stored, so all its lookups since then saw that one or a newer one.
 *  - slot == 0: the reader is offline. If it goes online later, its store to the
 *    slot comes after our load of it, hence after our store of the new view, and
 *    before its load of the view: it sees the new one. "After" is the single
 *    order of sequentially consistent operations, which these four are.
 *
 * Why not liburcu: its reclaimer is a thread of its own or a wait, and neither
 * will do. A commit made in a device callback on a vCPU thread must not wait for
 * another vCPU that may be doing the same. Here a commit frees what it can and
 * leaves the rest to later ones; without an online reader it frees at once. And
 * these are plain C11 atomics without fences, which ThreadSanitizer can check.
 *
 * Locking: the list of readers has a lock of its own, the innermost, so that a
 * thread may join or leave while another that waits for it is in a transaction
 * (realizing a device with an I/O thread). The retired views are the topology
 * lock's; slots and epoch are atomic.
 */
#include "src/mem/internal.h"

void mem_reader_register(struct mem_reader *r, struct topology *t)
{
    atomic_init(&r->epoch, 0);
    r->topo = t;
    pthread_mutex_lock(&t->readers_lock);
    r->next = t->readers;
    t->readers = r;
    pthread_mutex_unlock(&t->readers_lock);
}

void mem_reader_unregister(struct mem_reader *r)
{
    struct topology *t = r->topo;

    pthread_mutex_lock(&t->readers_lock);
    for (struct mem_reader **at = &t->readers; *at != NULL; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            break;
        }
    }
    pthread_mutex_unlock(&t->readers_lock);
    /* Whoever is in a transaction now reclaims at its end. */
    if (pthread_mutex_trylock(&t->lock) == 0) {
        reader_reclaim(t);
        pthread_mutex_unlock(&t->lock);
    }
}

void mem_reader_online(struct mem_reader *r)
{
    atomic_store(&r->epoch, atomic_load(&r->topo->epoch));
}

void mem_reader_offline(struct mem_reader *r)
{
    atomic_store_explicit(&r->epoch, 0, memory_order_release);
}

void reader_retire(struct topology *t, struct flatview *v)
{
    v->retired_epoch = atomic_fetch_add(&t->epoch, 1) + 1;
    v->retired_next = t->retired;
    t->retired = v;
}

/* The lowest slot of an online reader. */
static uint64_t oldest_reader(struct topology *t)
{
    uint64_t oldest = UINT64_MAX;

    pthread_mutex_lock(&t->readers_lock);
    for (struct mem_reader *r = t->readers; r != NULL; r = r->next) {
        uint64_t epoch = atomic_load(&r->epoch);
        if (epoch != 0 && epoch < oldest) {
            oldest = epoch;
        }
    }
    pthread_mutex_unlock(&t->readers_lock);
    return oldest;
}

void reader_reclaim(struct topology *t)
{
    uint64_t oldest = t->retired != NULL ? oldest_reader(t) : 0;
    struct flatview **at = &t->retired;

    while (*at != NULL) {
        struct flatview *v = *at;
        if (v->retired_epoch <= oldest) {
            *at = v->retired_next;
            flatview_free(v);
        } else {
            at = &v->retired_next;
        }
    }
}
