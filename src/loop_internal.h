/*
 * The inside of a loop, shared by loop.c and timer.c.
 *
 * Timers sleep on a timerfd, which any thread may bring forward without waking
 * the loop; an eventfd wakes it for bottom halves and stop. Both are watched
 * edge-triggered, so they need no read. The timer list is sorted and its links
 * are in the timers: a machine has a handful, and arming one cannot fail.
 *
 * Locking: timer_lock covers the timer lists and `programmed`. Bottom halves
 * are pushed on a lock-free stack; all else belongs to the loop's thread.
 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include "src/loop.h"
#include "src/mem/topology.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define EVENTS_PER_TURN 64
#define NEVER           UINT64_MAX

struct loop {
    int epoll_fd;
    int wake_fd;
    int timer_fd;
    struct clock *clock;
    struct clock_waiter waiter;

    pthread_mutex_t timer_lock;
    struct timer *timers; /* by deadline */
    struct timer *due;    /* taken off `timers` in this turn, not fired yet */
    uint64_t programmed;  /* machine time timer_fd is set to; NEVER: not set */

    struct bh *_Atomic bh_stack; /* newest first; pushed from any thread */
    struct bh *bh_next;          /* taken off the stack, for the next turn, oldest first */
    struct bh *bh_turn;          /* of this turn, not run yet */

    struct topology *topo; /* callbacks are its online reader; NULL: of none */
    struct mem_reader reader;

    _Atomic bool stop;
    struct epoll_event events[EVENTS_PER_TURN]; /* data.ptr NULL: nobody to call */
    int event_count;
};

/* The loop whose callbacks this thread is running. */
extern _Thread_local struct loop *current_loop;

/* Fire the timers that are due, on the loop's thread. */
void loop_run_timers(struct loop *l);
/* Is the first timer due? If not, see to it that timer_fd wakes the loop when it is. */
bool loop_timer_is_due(struct loop *l);
/* The waiter of the loop's clock; opaque is the loop. */
void loop_clock_resumed(void *opaque);

#endif
