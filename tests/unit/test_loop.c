/*
 * The event loop: bottom halves, descriptors, I/O threads. Timers are in
 * test_timer.c.
 */
#include "src/loop.h"
#include "src/mem/internal.h"
#include "tests/unit/loop_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(loop, .init = loop_fixture_setup, .fini = loop_fixture_teardown);

/* --- bottom halves ---------------------------------------------------- */

Test(loop, bottom_halves_run_once_and_in_order)
{
    struct bh a, b;
    bh_init(&a, loop, note_call, A);
    bh_init(&b, loop, note_call, B);
    bh_schedule(&b);
    bh_schedule(&a);
    bh_schedule(&b);
    cr_assert_str_eq(turn(), "ba");
    cr_assert_str_eq(turn(), "");
    bh_schedule(&a);
    cr_assert_str_eq(turn(), "a");
}

Test(loop, a_cancelled_bottom_half_can_be_scheduled_again)
{
    struct bh a, b, c;
    bh_init(&a, loop, note_call, A);
    bh_init(&b, loop, note_call, B);
    bh_init(&c, loop, note_call, C);
    bh_cancel(&a); /* not scheduled */
    bh_schedule(&a);
    bh_schedule(&b);
    bh_schedule(&c);
    bh_cancel(&b);
    cr_assert_str_eq(turn(), "ac");
    bh_schedule(&b);
    cr_assert_str_eq(turn(), "b");
}

static struct bh again, bh_victim;

static void reschedule_and_kill(void *opaque)
{
    (void)opaque;
    note('r');
    bh_schedule(&again);
    bh_cancel(&bh_victim);
}

Test(loop, a_bottom_half_scheduled_in_a_turn_waits_and_a_cancelled_one_is_not_run)
{
    bh_init(&again, loop, reschedule_and_kill, NULL);
    bh_init(&bh_victim, loop, note_call, A);
    bh_schedule(&again);
    bh_schedule(&bh_victim);
    cr_assert_str_eq(turn(), "r");
    cr_assert_str_eq(turn(), "r");
    bh_cancel(&again);
    cr_assert_str_eq(turn(), "");
}

/* --- descriptors ------------------------------------------------------ */

struct pipe_watch {
    int fds[2];
    struct loop_fd w;
    char who;
    uint32_t seen;
    struct loop_fd *kill; /* delete this one when called */
    struct loop_fd *mute; /* set this one's events to 0 */
};

static void pipe_ready(void *opaque, uint32_t events)
{
    struct pipe_watch *p = opaque;
    note(p->who);
    p->seen = events;
    if (p->kill != NULL) {
        loop_del_fd(loop, p->kill);
    }
    if (p->mute != NULL) {
        loop_mod_fd(loop, p->mute, 0);
    }
}

static void watch_pipe(struct pipe_watch *p, char who)
{
    *p = (struct pipe_watch){.who = who};
    cr_assert_eq(pipe2(p->fds, O_NONBLOCK | O_CLOEXEC), 0);
    p->w = (struct loop_fd){.fd = p->fds[0], .ready = pipe_ready, .opaque = p};
    cr_assert_eq(loop_add_fd(loop, &p->w, EPOLLIN), 0);
}

static void unwatch_pipe(struct pipe_watch *p)
{
    loop_del_fd(loop, &p->w);
    close(p->fds[0]);
    close(p->fds[1]);
}

Test(loop, descriptors_are_level_triggered)
{
    struct pipe_watch p;
    watch_pipe(&p, 'p');
    cr_assert_str_eq(turn(), "");
    cr_assert_eq(write(p.fds[1], "x", 1), 1);
    cr_assert_str_eq(turn(), "p");
    cr_assert_eq(p.seen, EPOLLIN);
    cr_assert_str_eq(turn(), "p", "not read yet");
    char c;
    cr_assert_eq(read(p.fds[0], &c, 1), 1);
    cr_assert_str_eq(turn(), "");
    unwatch_pipe(&p);
}

Test(loop, events_zero_mutes_even_a_hang_up)
{
    struct pipe_watch p;
    watch_pipe(&p, 'p');
    close(p.fds[1]);
    cr_assert_str_eq(turn(), "p");
    cr_assert(p.seen & EPOLLHUP);
    cr_assert_eq(loop_mod_fd(loop, &p.w, 0), 0);
    cr_assert_str_eq(turn(), "");
    cr_assert_eq(loop_mod_fd(loop, &p.w, EPOLLIN), 0);
    cr_assert_str_eq(turn(), "p");
    loop_del_fd(loop, &p.w);
    loop_del_fd(loop, &p.w); /* harmless */
    cr_assert_str_eq(turn(), "");
    close(p.fds[0]);
}

/* Two ready descriptors in one turn; the first called stops the second by `stop`. */
static void check_fetched_event_is_dropped(bool mute)
{
    struct pipe_watch p, q;
    watch_pipe(&p, 'p');
    watch_pipe(&q, 'q');
    *(mute ? &p.mute : &p.kill) = &q.w;
    *(mute ? &q.mute : &q.kill) = &p.w;
    cr_assert_eq(write(p.fds[1], "x", 1), 1);
    cr_assert_eq(write(q.fds[1], "x", 1), 1);
    cr_assert_eq(strlen(turn()), 1, "'%s'", calls);
    unwatch_pipe(&p);
    unwatch_pipe(&q);
}

Test(loop, a_descriptor_deleted_in_the_turn_is_not_called)
{
    check_fetched_event_is_dropped(false);
}

Test(loop, a_descriptor_muted_in_the_turn_is_not_called)
{
    check_fetched_event_is_dropped(true);
}

Test(loop, adding_says_why_it_cannot)
{
    struct loop_fd w = {.fd = -1, .ready = pipe_ready};
    cr_assert_eq(loop_add_fd(loop, &w, EPOLLIN), -EBADF);
    w.fd = open("/etc/passwd", O_RDONLY);
    cr_assert_eq(loop_add_fd(loop, &w, EPOLLIN), -EPERM, "a regular file");
    cr_assert_not(w.polled);
    loop_del_fd(loop, &w);
    close(w.fd);
}

Test(loop, a_loop_without_descriptors_says_why)
{
    struct rlimit usual;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = usual.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&fake, &e);
    setrlimit(RLIMIT_NOFILE, &usual);
    cr_assert_null(l);
    cr_assert_not_null(strstr(e.what, "Too many open files"));
    cr_assert_null(fake.waiters->next, "nothing of it stays behind");
}

/* --- waiting and other threads ---------------------------------------- */

Test(loop, a_stop_that_came_before_returns_at_once)
{
    loop_stop(loop);
    loop_run(loop);
    cr_assert_str_eq(turn(), "");
}

#define SCHEDULERS 3
#define SCHEDULES  5000

struct counted_bh {
    struct bh bh;
    _Atomic unsigned wanted; /* raised before each schedule */
    unsigned seen;           /* by run, on the loop's thread */
    unsigned runs;
};

static struct counted_bh counted[SCHEDULERS];

static void count_bh(void *opaque)
{
    struct counted_bh *c = opaque;
    c->seen = atomic_load_explicit(&c->wanted, memory_order_relaxed);
    c->runs++;
}

static void *schedule_many(void *opaque)
{
    struct counted_bh *c = opaque;
    for (unsigned i = 0; i < SCHEDULES; i++) {
        atomic_fetch_add_explicit(&c->wanted, 1, memory_order_relaxed);
        bh_schedule(&c->bh);
        bh_schedule(&counted[0].bh);
    }
    return NULL;
}

static void nothing(void *opaque)
{
    (void)opaque;
}

Test(loop, no_schedule_from_a_thread_is_lost)
{
    struct clock real;
    clock_init(&real);
    struct iothread *t = iothread_new("io", &real, NULL);
    pthread_t threads[SCHEDULERS];
    for (int i = 0; i < SCHEDULERS; i++) {
        bh_init(&counted[i].bh, iothread_loop(t), count_bh, &counted[i]);
    }
    for (int i = 0; i < SCHEDULERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, schedule_many, &counted[i]), 0);
    }
    for (int i = 0; i < SCHEDULERS; i++) {
        pthread_join(threads[i], NULL);
    }
    iothread_call(t, nothing, NULL); /* everything scheduled before has run */
    iothread_free(t);
    for (int i = 0; i < SCHEDULERS; i++) {
        cr_assert_eq(counted[i].seen, SCHEDULES);
        cr_assert(counted[i].runs > 0);
    }
}

static void name_thread(void *opaque)
{
    pthread_getname_np(pthread_self(), opaque, 16);
}

Test(loop, iothread_call_runs_there_and_waits)
{
    struct clock real;
    clock_init(&real);
    struct iothread *t = iothread_new("vmm-io", &real, NULL);
    char name[16] = "";
    iothread_call(t, name_thread, name);
    cr_assert_str_eq(name, "vmm-io");
    iothread_free(t);
    iothread_free(NULL);
}

/* --- readers of guest memory ------------------------------------------ */

/* The loop is the topology's only reader. */
static void note_reader(void *opaque)
{
    const struct topology *t = opaque;
    note(atomic_load(&t->readers->epoch) != 0 ? '+' : '-');
}

Test(loop, callbacks_are_online_readers)
{
    struct topology *t = topology_new();
    struct bh b;
    bh_init(&b, loop, note_reader, t);
    loop_set_topology(loop, t);
    note_reader(t);
    bh_schedule(&b);
    loop_poll(loop);
    note_reader(t);
    cr_assert_str_eq(calls, "-+-");
    loop_set_topology(loop, NULL);
    cr_assert_null(t->readers);
    topology_free(t);
}

struct joining {
    struct loop *loop;
    struct topology *topo;
};

static void join_topology(void *opaque)
{
    struct joining *j = opaque;
    loop_set_topology(j->loop, j->topo);
    note_reader(j->topo);
}

Test(loop, an_io_thread_becomes_a_reader_while_it_runs)
{
    struct topology *t = topology_new();
    struct iothread *io = iothread_new("io", &fake, NULL);
    struct joining j = {.loop = iothread_loop(io), .topo = t};
    iothread_call(io, join_topology, &j);
    iothread_call(io, note_reader, t);
    cr_assert_str_eq(calls, "++");
    iothread_free(io);
    cr_assert_null(t->readers);
    topology_free(t);
}
