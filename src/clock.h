/*
 * The machine's clock: nanoseconds that stop while the machine is paused.
 * Timers and the RTC go through it, so that tests can drive time by hand.
 *
 * Locking: reads are lock-free. Pause, resume and the list of waiters belong to
 * one thread (the main thread; loops are made and freed there).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US  1000ULL
#define NS_PER_MS  1000000ULL
#define NS_PER_SEC 1000000000ULL

/* Told on the resuming thread that time moves again: whoever sleeps until a machine time. */
struct clock_waiter {
    void (*resumed)(void *opaque);
    void *opaque;
    struct clock_waiter *next;
};

struct clock {
    /* Host CLOCK_MONOTONIC in ns; replaced by fakes in tests. */
    uint64_t (*host_ns)(void *opaque);
    /* Host CLOCK_REALTIME in ns since 1970 UTC. */
    uint64_t (*host_realtime_ns)(void *opaque);
    void *opaque;
    /*
     * One word, so that a reader never sees half of a change. Running: 2 * (host
     * ns - machine ns). Paused: 2 * machine ns + 1.
     */
    _Atomic uint64_t state;
    struct clock_waiter *waiters;
};

/* A running clock on the host's monotonic time. */
void clock_init(struct clock *c);

/* Machine nanoseconds: monotonic, do not advance while paused. */
uint64_t clock_now(const struct clock *c);

/* Wall-clock nanoseconds since 1970 UTC, for the RTC. Not stopped by a pause. */
uint64_t clock_realtime(const struct clock *c);

/* Pausing a paused clock and resuming a running one do nothing. */
void clock_pause(struct clock *c);
void clock_resume(struct clock *c);
bool clock_paused(const struct clock *c);
/* Of a paused clock: go on from machine time ns. */
void clock_set(struct clock *c, uint64_t ns);

void clock_add_waiter(struct clock *c, struct clock_waiter *w);
void clock_del_waiter(struct clock *c, struct clock_waiter *w);

#endif
