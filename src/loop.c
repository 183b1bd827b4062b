/*
 * Event loop: see loop.h.
 *
 * Timers sleep on a timerfd, which any thread may bring forward without waking
 * the loop; an eventfd wakes it for bottom halves and stop. Both are watched
 * edge-triggered, so they need no read. The timer list is sorted and its links
 * are in the timers: a machine has a handful, and arming one cannot fail.
 *
 * Locking: timer_lock covers the timer lists and `programmed`. Bottom halves
 * are pushed on a lock-free stack; all else belongs to the loop's thread.
 */
#include "src/loop.h"

#include "src/mem/topology.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

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
static _Thread_local struct loop *current_loop;

static void wake(struct loop *l)
{
    (void)eventfd_write(l->wake_fd, 1); /* cannot overflow in any lifetime */
}

/* --- timers ----------------------------------------------------------- */

/* Set timer_fd for the first timer. timer_lock is held. */
static void program_timer(struct loop *l)
{
    if (l->timers == NULL || l->timers->deadline >= l->programmed || clock_paused(l->clock)) {
        return;
    }
    uint64_t now = clock_now(l->clock);
    uint64_t wait = l->timers->deadline > now ? l->timers->deadline - now : 1;
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(wait / NS_PER_SEC), .tv_nsec = (long)(wait % NS_PER_SEC)}};
    timerfd_settime(l->timer_fd, 0, &spec, NULL);
    l->programmed = l->timers->deadline;
}

static void clock_resumed(void *opaque)
{
    struct loop *l = opaque;
    pthread_mutex_lock(&l->timer_lock);
    l->programmed = NEVER; /* it may have expired unheeded during the pause */
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

static void run_timers(struct loop *l)
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

/* Is the first timer due? If not, see to it that timer_fd wakes us when it is. */
static bool timer_is_due(struct loop *l)
{
    pthread_mutex_lock(&l->timer_lock);
    bool due = l->timers != NULL && l->timers->deadline <= clock_now(l->clock);
    if (!due) {
        program_timer(l);
    }
    pthread_mutex_unlock(&l->timer_lock);
    return due;
}

/* --- bottom halves ---------------------------------------------------- */

void bh_init(struct bh *b, struct loop *l, void (*run)(void *opaque), void *opaque)
{
    *b = (struct bh){.loop = l, .run = run, .opaque = opaque};
}

void bh_schedule(struct bh *b)
{
    struct loop *l = b->loop;
    if (atomic_exchange(&b->scheduled, true)) {
        return;
    }
    struct bh *head = atomic_load_explicit(&l->bh_stack, memory_order_relaxed);
    do {
        b->next = head;
    } while (!atomic_compare_exchange_weak(&l->bh_stack, &head, b));
    /* On a stack that was not empty somebody has woken the loop already. */
    if (head == NULL && current_loop != l) {
        wake(l);
    }
}

/* Append what was pushed to bh_next, oldest first. */
static void collect_bhs(struct loop *l)
{
    struct bh *stack = atomic_exchange(&l->bh_stack, NULL);
    struct bh *list = NULL;
    while (stack != NULL) {
        struct bh *b = stack;
        stack = b->next;
        b->next = list;
        list = b;
    }
    struct bh **end = &l->bh_next;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = list;
}

static bool unlink_bh(struct bh **list, struct bh *b)
{
    for (; *list != NULL; list = &(*list)->next) {
        if (*list == b) {
            *list = b->next;
            return true;
        }
    }
    return false;
}

void bh_cancel(struct bh *b)
{
    struct loop *l = b->loop;
    collect_bhs(l);
    if (unlink_bh(&l->bh_turn, b) || unlink_bh(&l->bh_next, b)) {
        atomic_store(&b->scheduled, false);
    }
}

static void run_bhs(struct loop *l)
{
    collect_bhs(l);
    l->bh_turn = l->bh_next;
    l->bh_next = NULL;
    struct bh *b;
    while ((b = l->bh_turn) != NULL) {
        l->bh_turn = b->next;
        /* An exchange, so that what any scheduler wrote before is seen here. */
        atomic_exchange(&b->scheduled, false);
        b->run(b->opaque);
    }
}

/* --- descriptors ------------------------------------------------------ */

int loop_add_fd(struct loop *l, struct loop_fd *w, uint32_t events)
{
    w->polled = false;
    return loop_mod_fd(l, w, events);
}

/* What was fetched for w in this turn but not delivered: keep only `events` of it. */
static void mask_fetched(struct loop *l, struct loop_fd *w, uint32_t events)
{
    for (int i = 0; i < l->event_count; i++) {
        struct epoll_event *ev = &l->events[i];
        if (ev->data.ptr == w) {
            ev->events &= events;
            if (ev->events == 0) {
                ev->data.ptr = NULL;
            }
        }
    }
}

int loop_mod_fd(struct loop *l, struct loop_fd *w, uint32_t events)
{
    if (events == 0) {
        loop_del_fd(l, w);
        return 0;
    }
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll_fd, w->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &ev) < 0) {
        return -errno;
    }
    w->polled = true;
    mask_fetched(l, w, events | EPOLLERR | EPOLLHUP);
    return 0;
}

void loop_del_fd(struct loop *l, struct loop_fd *w)
{
    if (w->polled) {
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
        w->polled = false;
        mask_fetched(l, w, 0);
    }
}

static void run_fds(struct loop *l)
{
    for (int i = 0; i < l->event_count; i++) {
        struct loop_fd *w = l->events[i].data.ptr;
        if (w != NULL) {
            l->events[i].data.ptr = NULL;
            w->ready(w->opaque, l->events[i].events);
        }
    }
    l->event_count = 0;
}

/* --- the loop --------------------------------------------------------- */

/* Watch one of the loop's own descriptors: it wakes, and calls nobody. */
static int watch_own(struct loop *l, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    return fd < 0 ? -1 : epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void close_fds(struct loop *l)
{
    const int fds[] = {l->epoll_fd, l->wake_fd, l->timer_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

struct loop *loop_new(struct clock *clock, struct err *e)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        err_set(e, ENOMEM, "cannot make an event loop, out of memory");
        return NULL;
    }
    l->clock = clock;
    l->programmed = NEVER;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll_fd < 0 || watch_own(l, l->wake_fd) < 0 || watch_own(l, l->timer_fd) < 0) {
        err_set(e, errno, "cannot make an event loop, %s", strerror(errno));
        err_hint(e, "ulimit -n shows how many descriptors a process may have");
        close_fds(l);
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->timer_lock, NULL);
    l->waiter = (struct clock_waiter){.resumed = clock_resumed, .opaque = l};
    clock_add_waiter(clock, &l->waiter);
    return l;
}

void loop_free(struct loop *l)
{
    if (l == NULL) {
        return;
    }
    loop_set_topology(l, NULL);
    clock_del_waiter(l->clock, &l->waiter);
    pthread_mutex_destroy(&l->timer_lock);
    close_fds(l);
    free(l);
}

struct clock *loop_clock(struct loop *l)
{
    return l->clock;
}

static void reader_online(struct loop *l)
{
    if (l->topo != NULL) {
        mem_reader_online(&l->reader);
    }
}

static void reader_offline(struct loop *l)
{
    if (l->topo != NULL) {
        mem_reader_offline(&l->reader);
    }
}

void loop_set_topology(struct loop *l, struct topology *t)
{
    if (l->topo != NULL) {
        reader_offline(l);
        mem_reader_unregister(&l->reader);
    }
    l->topo = t;
    if (t != NULL) {
        mem_reader_register(&l->reader, t);
        if (current_loop == l) { /* the rest of this turn too */
            reader_online(l);
        }
    }
}

static void run_turn(struct loop *l, bool may_wait)
{
    bool work = l->bh_next != NULL || atomic_load(&l->bh_stack) != NULL || timer_is_due(l);
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, may_wait && !work ? -1 : 0);
    l->event_count = n > 0 ? n : 0; /* a signal ends the wait early */
    reader_online(l);
    run_fds(l);
    run_timers(l);
    run_bhs(l);
    reader_offline(l);
}

void loop_run(struct loop *l)
{
    struct loop *outer = current_loop;
    current_loop = l;
    while (!atomic_exchange(&l->stop, false)) {
        run_turn(l, true);
    }
    current_loop = outer;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}

void loop_poll(struct loop *l)
{
    struct loop *outer = current_loop;
    current_loop = l;
    run_turn(l, false);
    current_loop = outer;
}
