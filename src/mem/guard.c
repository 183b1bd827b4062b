/*
 * The lock around device callbacks and the mark of a thread that is in one.
 *
 * Locking: this is the device's lock. The mark is the thread's own.
 */
#include "src/mem/internal.h"

_Thread_local unsigned io_callback_depth;

void io_guard_init(struct io_guard *g)
{
    pthread_mutex_init(&g->lock, NULL);
    atomic_init(&g->refused, 0);
}

void io_guard_destroy(struct io_guard *g)
{
    pthread_mutex_destroy(&g->lock);
}

void io_guard_enter(struct io_guard *g)
{
    guard_enter(g);
}

void io_guard_leave(struct io_guard *g)
{
    guard_leave(g);
}
