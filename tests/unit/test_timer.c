/*
 * The machine clock and timers. Time is driven by hand unless a test is about
 * real waiting.
 */
#include "src/clock.h"
#include "src/loop.h"
#include "tests/unit/loop_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

TestSuite(clock, .init = loop_fixture_setup, .fini = loop_fixture_teardown);
TestSuite(timer, .init = loop_fixture_setup, .fini = loop_fixture_teardown);

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

Test(timer, fire_in_order_of_deadline)
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

Test(timer, with_one_deadline_fire_in_order_of_arming)
{
    struct timer a, b;
    timer_init(&a, loop, note_call, A);
    timer_init(&b, loop, note_call, B);
    timer_arm(&b, 1100);
    timer_arm(&a, 1100);
    host_now = 1100;
    cr_assert_str_eq(turn(), "ba");
}

Test(timer, a_timer_can_be_moved_and_cancelled)
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

Test(timer, one_that_rearms_itself_runs_once_a_turn)
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

Test(timer, a_timer_cancelled_by_another_in_its_turn_does_not_fire)
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

Test(timer, do_not_fire_while_the_clock_is_paused)
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

Test(timer, many_agree_with_sorting)
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

/* --- waiting ---------------------------------------------------------- */

Test(timer, run_waits_for_a_real_timer_and_not_much_longer)
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

static void nothing(void *opaque)
{
    (void)opaque;
}

Test(timer, a_resume_wakes_a_loop_for_its_timers)
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
    iothread_call(t, nothing, NULL); /* it wakes, and finds nothing due */
    iothread_call(t, nothing, NULL);
    cr_assert(timer_armed(&stop));
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

Test(timer, a_timer_armed_by_another_thread_wakes_the_loop)
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
