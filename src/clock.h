/*
 * The machine's clock: nanoseconds that stop while the machine is paused.
 * Timers and the RTC go through it, so that tests can drive time by hand.
 *
 * Locking: reads are lock-free; pause and resume come from one thread.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS  1000000ULL
#define NS_PER_SEC 1000000000ULL

struct clock {
    /* Host CLOCK_MONOTONIC in ns; replaced by fakes in tests. */
    uint64_t (*host_ns)(void *opaque);
    /* Host CLOCK_REALTIME in ns since 1970 UTC. */
    uint64_t (*host_realtime_ns)(void *opaque);
    void *opaque;
    _Atomic uint64_t paused_total; /* ns spent paused so far */
    _Atomic uint64_t paused_at;    /* host ns at the pause; 0: running */
};

/* A running clock on the host's monotonic time. */
void clock_init(struct clock *c);

/* Machine nanoseconds: monotonic, do not advance while paused. */
uint64_t clock_now(const struct clock *c);

/* Wall-clock nanoseconds since 1970 UTC, for the RTC. Not stopped by a pause. */
uint64_t clock_realtime(const struct clock *c);

void clock_pause(struct clock *c);
void clock_resume(struct clock *c);

#endif
