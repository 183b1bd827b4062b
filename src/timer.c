/*
 * The timers of a loop: see loop.h and loop_internal.h.
 */
#include "src/loop_internal.h"

#include <sys/timerfd.h>

/* Set timer_fd for the first timer. timer_lock is held. */
static void program_timer(struct loop *l)
{
    if (l->timers == NULL || l->timers->deadline >= l->programmed) {
        return;
    }
    uint64_t now = clock_now(l->clock);
    uint64_t wait = l->timers->deadline > now ? l->timers->deadline - now : 1;
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(wait / NS_PER_SEC), .tv_nsec = (long)(wait % NS_PER_SEC)}};
    timerfd_settime(l->timer_fd, 0, &spec, NULL);
    l->programmed = l->timers->deadline;
}

void loop_clock_resumed(void *opaque)
{
    struct loop *l = opaque;
    pthread_mutex_lock(&l->timer_lock);
    l->programmed = NEVER; /* it may have expired during the pause, when nothing was due */
    program_timer(l);
    pthread_mutex_unlock(&l->timer_lock);
}

static void timer_unlink(struct timer *t)
{
    if (t->pprev == NULL) {
        return;
    }
    *t->pprev = t->next;
    if (t->next != NULL) {
        t->next->pprev = t->pprev;
    }
    t->pprev = NULL;
}

static void timer_insert(struct timer **p, struct timer *t)
{
    while (*p != NULL && (*p)->deadline <= t->deadline) {
        p = &(*p)->next;
    }
    t->next = *p;
    t->pprev = p;
    if (t->next != NULL) {
        t->next->pprev = &t->next;
    }
    *p = t;
}

void timer_init(struct timer *t, struct loop *l, void (*fire)(void *opaque), void *opaque)
{
    *t = (struct timer){.loop = l, .fire = fire, .opaque = opaque};
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
    struct loop *l = t->loop;
    pthread_mutex_lock(&l->timer_lock);
    timer_unlink(t);
    t->deadline = deadline_ns;
    timer_insert(&l->timers, t);
    if (current_loop != l) { /* the loop's thread does it once, before it waits */
        program_timer(l);
    }
    pthread_mutex_unlock(&l->timer_lock);
}

void timer_cancel(struct timer *t)
{
    /* timer_fd stays set: one empty turn costs less than a system call each time. */
    pthread_mutex_lock(&t->loop->timer_lock);
    timer_unlink(t);
    pthread_mutex_unlock(&t->loop->timer_lock);
}

bool timer_armed(const struct timer *t)
{
    pthread_mutex_lock(&t->loop->timer_lock);
    bool armed = t->pprev != NULL;
    pthread_mutex_unlock(&t->loop->timer_lock);
    return armed;
}

/* Move the timers that are due now to l->due, so that one armed by a callback waits a turn. */
static void take_due(struct loop *l)
{
    struct timer *t;
    uint64_t now = l->timers != NULL ? clock_now(l->clock) : 0;
    if (l->programmed <= now) {
        l->programmed = NEVER;
    }
    while ((t = l->timers) != NULL && t->deadline <= now) {
        timer_unlink(t);
        timer_insert(&l->due, t);
    }
}

void loop_run_timers(struct loop *l)
{
    struct timer *t;
    pthread_mutex_lock(&l->timer_lock);
    take_due(l);
    while ((t = l->due) != NULL) {
        timer_unlink(t);
        pthread_mutex_unlock(&l->timer_lock);
        t->fire(t->opaque);
        pthread_mutex_lock(&l->timer_lock);
    }
    pthread_mutex_unlock(&l->timer_lock);
}

bool loop_timer_is_due(struct loop *l)
{
    pthread_mutex_lock(&l->timer_lock);
    bool due = l->timers != NULL && l->timers->deadline <= clock_now(l->clock);
    if (!due) {
        program_timer(l);
    }
    pthread_mutex_unlock(&l->timer_lock);
    return due;
}
