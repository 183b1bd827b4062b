/*
 * Event loop: see loop.h and, for what it is made of, loop_internal.h.
 */
#include "src/loop.h"

#include "src/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Thread_local struct loop *current_loop;

static void wake(struct loop *l)
{
    (void)eventfd_write(l->wake_fd, 1); /* cannot overflow in any lifetime */
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
    l->waiter = (struct clock_waiter){.resumed = loop_clock_resumed, .opaque = l};
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
    bool work = l->bh_next != NULL || atomic_load(&l->bh_stack) != NULL || loop_timer_is_due(l);
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, may_wait && !work ? -1 : 0);
    l->event_count = n > 0 ? n : 0; /* a signal ends the wait early */
    reader_online(l);
    run_fds(l);
    loop_run_timers(l);
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
