/*
 * The machine clock, and the event loop: descriptors, timers, bottom halves,
 * I/O threads. Time is driven by hand unless a test is about real waiting.
 */
#include "src/loop.h"
#include "src/mem/internal.h"

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

/* --- fixture ---------------------------------------------------------- */

static uint64_t host_now; /* what the fake host clock says */
static struct clock fake;
static struct loop *loop;

static uint64_t fake_host_ns(void *opaque)
{
    (void)opaque;
    return host_now;
}

static void setup(void)
{
    host_now = 1000;
    fake = (struct clock){.host_ns = fake_host_ns, .host_realtime_ns = fake_host_ns};
    loop = loop_new(&fake, NULL);
    cr_assert_not_null(loop);
}

static void teardown(void)
{
    loop_free(loop);
}

TestSuite(loop, .init = setup, .fini = teardown);
TestSuite(clock, .init = setup, .fini = teardown);

/* A log of who was called, as letters. */
static char calls[64];

static void note(char who)
{
    size_t n = strlen(calls);
    cr_assert(n + 1 < sizeof(calls));
    calls[n] = who;
    calls[n + 1] = '\0';
}

static void note_call(void *opaque)
{
    note(*(const char *)opaque);
}

static const char *turn(void)
{
    calls[0] = '\0';
    loop_poll(loop);
    return calls;
}

static char A[] = "a", B[] = "b", C[] = "c";

/* --- clock ------------------------------------------------------------ */

Test(clock, stops_while_paused_and_stays_behind)
{
    cr_assert_eq(clock_now(&fake), 1000);
    host_now = 1500;
    clock_pause(&fake);
    cr_assert(clock_paused(&fake));
    host_now = 9000;
    clock_pause(&fake); /* nothing */
    cr_assert_eq(clock_now(&fake), 1500);
    cr_assert_eq(clock_realtime(&fake), 9000);
    clock_resume(&fake);
    cr_assert_not(clock_paused(&fake));
    cr_assert_eq(clock_now(&fake), 1500);
    host_now = 9010;
    clock_resume(&fake); /* nothing */
    cr_assert_eq(clock_now(&fake), 1510);
    clock_pause(&fake);
    host_now = 20000;
    clock_resume(&fake);
    cr_assert_eq(clock_now(&fake), 1510);
}

Test(clock, tells_waiters_of_a_resume_only)
{
    struct clock_waiter a = {.resumed = note_call, .opaque = A};
    struct clock_waiter b = {.resumed = note_call, .opaque = B};
    clock_add_waiter(&fake, &a);
    clock_add_waiter(&fake, &b);
    clock_resume(&fake);
    clock_pause(&fake);
    cr_assert_str_empty(calls);
    clock_resume(&fake);
    cr_assert_eq(strlen(calls), 2);
    clock_del_waiter(&fake, &a);
    clock_pause(&fake);
    clock_resume(&fake);
    cr_assert_eq(strlen(calls), 3);
    cr_assert_eq(calls[2], 'b');
    clock_del_waiter(&fake, &b);
}

Test(clock, real_clock_moves)
{
    struct clock real;
    clock_init(&real);
    uint64_t first = clock_now(&real);
    cr_assert(clock_now(&real) >= first);
    cr_assert(clock_realtime(&real) > 1600000000ULL * NS_PER_SEC);
}

/* --- timers ----------------------------------------------------------- */

Test(loop, timers_fire_in_order_of_deadline)
{
    struct timer a, b, c;
    timer_init(&a, loop, note_call, A);
    timer_init(&b, loop, note_call, B);
    timer_init(&c, loop, note_call, C);
    timer_arm(&c, 1300);
    timer_arm(&a, 1100);
    timer_arm(&b, 1200);
    cr_assert_str_eq(turn(), "");
    host_now = 1099;
    cr_assert_str_eq(turn(), "");
    host_now = 1100;
    cr_assert_str_eq(turn(), "a");
    cr_assert_not(timer_armed(&a));
    cr_assert(timer_armed(&b));
    host_now = 5000;
    cr_assert_str_eq(turn(), "bc");
    cr_assert_str_eq(turn(), "", "one shot");
}

Test(loop, timers_with_one_deadline_fire_in_order_of_arming)
{
    struct timer a, b;
    timer_init(&a, loop, note_call, A);
    timer_init(&b, loop, note_call, B);
    timer_arm(&b, 1100);
    timer_arm(&a, 1100);
    host_now = 1100;
    cr_assert_str_eq(turn(), "ba");
}

Test(loop, a_timer_can_be_moved_and_cancelled)
{
    struct timer a, b;
    timer_init(&a, loop, note_call, A);
    timer_init(&b, loop, note_call, B);
    timer_cancel(&a); /* not armed */
    timer_arm(&a, 1100);
    timer_arm(&b, 1200);
    timer_arm(&a, 1300);
    host_now = 1250;
    cr_assert_str_eq(turn(), "b");
    timer_cancel(&a);
    cr_assert_not(timer_armed(&a));
    host_now = 2000;
    cr_assert_str_eq(turn(), "");
}

static struct timer rearming;

static void rearm_in_the_past(void *opaque)
{
    (void)opaque;
    note('r');
    timer_arm(&rearming, 0);
}

Test(loop, a_timer_that_rearms_itself_runs_once_a_turn)
{
    timer_init(&rearming, loop, rearm_in_the_past, NULL);
    timer_arm(&rearming, 0);
    cr_assert_str_eq(turn(), "r");
    cr_assert_str_eq(turn(), "r");
    timer_cancel(&rearming);
    cr_assert_str_eq(turn(), "");
}

static struct timer victim;

static void cancel_victim(void *opaque)
{
    (void)opaque;
    note('k');
    timer_cancel(&victim);
}

Test(loop, a_timer_cancelled_by_another_in_its_turn_does_not_fire)
{
    struct timer killer;
    timer_init(&killer, loop, cancel_victim, NULL);
    timer_init(&victim, loop, note_call, A);
    timer_arm(&killer, 1001);
    timer_arm(&victim, 1002);
    host_now = 2000;
    cr_assert_str_eq(turn(), "k");
    cr_assert_str_eq(turn(), "");
}

Test(loop, timers_do_not_fire_while_the_clock_is_paused)
{
    struct timer a;
    timer_init(&a, loop, note_call, A);
    timer_arm(&a, 1100);
    clock_pause(&fake);
    host_now = 9000;
    cr_assert_str_eq(turn(), "");
    clock_resume(&fake);
    cr_assert_str_eq(turn(), "");
    host_now = 9100;
    cr_assert_str_eq(turn(), "a");
}

Test(loop, many_timers_agree_with_sorting)
{
    enum { COUNT = 200 };
    static struct timer timers[COUNT];
    static char name[] = "x";
    unsigned seed = 7;
    for (int i = 0; i < COUNT; i++) {
        timer_init(&timers[i], loop, note_call, name);
    }
    for (int i = 0; i < COUNT * 5; i++) {
        struct timer *t = &timers[rand_r(&seed) % COUNT];
        if (rand_r(&seed) % 4 == 0) {
            timer_cancel(t);
        } else {
            timer_arm(t, 2000 + (unsigned)rand_r(&seed) % 500);
        }
    }
    while (host_now < 2600) {
        host_now += 10;
        turn();
        int still_due = 0;
        for (int i = 0; i < COUNT; i++) {
            still_due += timer_armed(&timers[i]) && timers[i].deadline <= host_now;
        }
        cr_assert_eq(still_due, 0);
    }
    for (int i = 0; i < COUNT; i++) {
        cr_assert_not(timer_armed(&timers[i]));
    }
}

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

static void stop_loop(void *opaque)
{
    loop_stop(opaque);
}

Test(loop, a_stop_that_came_before_returns_at_once)
{
    loop_stop(loop);
    loop_run(loop);
    cr_assert_str_eq(turn(), "");
}

Test(loop, run_waits_for_a_real_timer_and_not_much_longer)
{
    struct clock real;
    clock_init(&real);
    struct loop *l = loop_new(&real, NULL);
    struct timer t, later;
    timer_init(&t, l, stop_loop, l);
    timer_init(&later, l, note_call, A);
    uint64_t start = clock_now(&real);
    timer_arm(&later, start + 1000 * NS_PER_SEC);
    timer_arm(&t, start + 2 * NS_PER_MS);
    loop_run(l);
    uint64_t took = clock_now(&real) - start;
    cr_assert(took >= 2 * NS_PER_MS && took < NS_PER_SEC, "%lu ns", (unsigned long)took);
    timer_cancel(&later);
    loop_free(l);
}

Test(loop, a_resume_wakes_a_loop_for_its_timers)
{
    struct clock real;
    clock_init(&real);
    struct iothread *t = iothread_new("io", &real, NULL);
    struct loop *l = iothread_loop(t);
    struct iothread *other = iothread_new("other", &real, NULL);
    clock_pause(&real);
    struct timer stop;
    timer_init(&stop, loop, stop_loop, loop);
    stop.loop = l; /* fires on the iothread, stops the loop that this thread runs */
    timer_arm(&stop, clock_now(&real) + 1);
    clock_resume(&real);
    loop_run(loop);
    cr_assert_not(timer_armed(&stop));
    iothread_free(other);
    iothread_free(t);
}

static void *arm_from_thread(void *opaque)
{
    struct timer *t = opaque;
    timer_arm(t, clock_now(loop_clock(t->loop)));
    return NULL;
}

Test(loop, a_timer_armed_by_another_thread_wakes_the_loop)
{
    struct clock real;
    clock_init(&real);
    struct loop *l = loop_new(&real, NULL);
    struct timer t, later;
    timer_init(&t, l, stop_loop, l);
    timer_init(&later, l, note_call, A);
    timer_arm(&later, clock_now(&real) + 1000 * NS_PER_SEC);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, arm_from_thread, &t), 0);
    loop_run(l);
    pthread_join(thread, NULL);
    timer_cancel(&later);
    loop_free(l);
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
