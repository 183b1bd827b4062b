/*
 * Event loop: epoll, timers on a struct clock, and bottom halves. The main
 * thread runs one; an iothread is a loop in a thread of its own.
 *
 * A turn is: wait, ready descriptors, due timers, bottom halves. What a
 * callback arms or schedules runs in a later turn, so none can starve others.
 *
 * Locking: loop_run() and all callbacks are on the loop's thread, with no lock
 * held. loop_add_fd, loop_mod_fd and loop_del_fd may be called before the loop
 * runs or on its thread; timer_arm, timer_cancel, bh_schedule and loop_stop
 * from any thread.
 */
#ifndef LOOP_H
#define LOOP_H

#include "src/base/err.h"
#include "src/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct topology;

/*
 * Returns NULL with e set when descriptors or memory are short. clock is
 * borrowed. Made and freed on the thread that pauses and resumes the clock.
 */
struct loop *loop_new(struct clock *clock, struct err *e);

/* All fds, timers and bottom halves must have been removed; the loop is not running. */
void loop_free(struct loop *l);

/* Run callbacks until loop_stop(). A stop that came before makes it return at once. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* One turn that does not wait: everything that is ready now. For tests. */
void loop_poll(struct loop *l);

struct clock *loop_clock(struct loop *l);

/*
 * From now on the loop's thread is an online mem_reader of t while it runs
 * callbacks, and offline while it waits, so that callbacks may look guest
 * addresses up. NULL ends that, and so does loop_free(). While the loop does not
 * run, or from one of its callbacks (iothread_call()).
 */
void loop_set_topology(struct loop *l, struct topology *t);

/* A watched descriptor; the caller owns it and keeps it until loop_del_fd(). */
struct loop_fd {
    int fd;
    void (*ready)(void *opaque, uint32_t epoll_events);
    void *opaque;
    bool polled; /* the loop's: it is in the epoll set */
};

/*
 * events: EPOLLIN | EPOLLOUT ...; level-triggered. 0 watches nothing, not even a
 * hang-up, until loop_mod_fd(). -errno from epoll_ctl (-EPERM: a regular file
 * or directory, always ready).
 */
int loop_add_fd(struct loop *l, struct loop_fd *w, uint32_t events);
int loop_mod_fd(struct loop *l, struct loop_fd *w, uint32_t events);
/* After this returns ready() is not called again, also not for events already fetched. Not
 * watched: nothing happens. */
void loop_del_fd(struct loop *l, struct loop_fd *w);

/* A one-shot timer; expiry in machine ns (clock_now). Owned by the caller. */
struct timer {
    struct loop *loop;
    void (*fire)(void *opaque);
    void *opaque;
    uint64_t deadline;
    struct timer *next, **pprev; /* in the loop's list; pprev NULL: not armed */
};

void timer_init(struct timer *t, struct loop *l, void (*fire)(void *opaque), void *opaque);
/* Arm, or move if armed. A deadline in the past fires at the next turn. Never fails. */
void timer_arm(struct timer *t, uint64_t deadline_ns);
/* From the loop's own thread: after it returns fire() is not called. From
 * another thread a call already begun may still be running. */
void timer_cancel(struct timer *t);
bool timer_armed(const struct timer *t);

/* Deferred work: run once on the loop's thread however often it was scheduled before. */
struct bh {
    struct loop *loop;
    void (*run)(void *opaque);
    void *opaque;
    struct bh *next;
    _Atomic bool scheduled;
};

void bh_init(struct bh *b, struct loop *l, void (*run)(void *opaque), void *opaque);
void bh_schedule(struct bh *b); /* any thread; never allocates or blocks */
void bh_cancel(struct bh *b);   /* from the loop's thread, or while it does not run */

/* A loop with a thread. */
struct iothread;

/* name: thread name, at most 15 bytes. NULL with e set on failure. */
struct iothread *iothread_new(const char *name, struct clock *clock, struct err *e);
struct loop *iothread_loop(struct iothread *t);
/* Run fn(opaque) on the iothread and wait until it returned. Not from the iothread itself. */
void iothread_call(struct iothread *t, void (*fn)(void *opaque), void *opaque);
/* Stop the loop, join the thread, free. */
void iothread_free(struct iothread *t);

#endif
