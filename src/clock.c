/*
 * The machine's clock: see clock.h.
 */
#include "src/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_host(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t host_monotonic(void *opaque)
{
    (void)opaque;
    return read_host(CLOCK_MONOTONIC);
}

static uint64_t host_realtime(void *opaque)
{
    (void)opaque;
    return read_host(CLOCK_REALTIME);
}

void clock_init(struct clock *c)
{
    *c = (struct clock){.host_ns = host_monotonic, .host_realtime_ns = host_realtime};
}

bool clock_paused(const struct clock *c)
{
    return (atomic_load(&c->state) & 1) != 0;
}

uint64_t clock_now(const struct clock *c)
{
    uint64_t state, now;
    do { /* a pause in between must not let this reader see a later time than the next one */
        state = atomic_load(&c->state);
        now = (state & 1) != 0 ? state >> 1 : c->host_ns(c->opaque) - (state >> 1);
    } while (atomic_load(&c->state) != state);
    return now;
}

uint64_t clock_realtime(const struct clock *c)
{
    return c->host_realtime_ns(c->opaque);
}

void clock_pause(struct clock *c)
{
    if (!clock_paused(c)) {
        atomic_store(&c->state, clock_now(c) << 1 | 1);
    }
}

void clock_set(struct clock *c, uint64_t ns)
{
    atomic_store(&c->state, ns << 1 | 1);
}

void clock_resume(struct clock *c)
{
    if (!clock_paused(c)) {
        return;
    }
    atomic_store(&c->state, (c->host_ns(c->opaque) - clock_now(c)) << 1);
    for (struct clock_waiter *w = c->waiters; w != NULL; w = w->next) {
        w->resumed(w->opaque);
    }
}

void clock_add_waiter(struct clock *c, struct clock_waiter *w)
{
    w->next = c->waiters;
    c->waiters = w;
}

void clock_del_waiter(struct clock *c, struct clock_waiter *w)
{
    for (struct clock_waiter **p = &c->waiters; *p != NULL; p = &(*p)->next) {
        if (*p == w) {
            *p = w->next;
            return;
        }
    }
}
