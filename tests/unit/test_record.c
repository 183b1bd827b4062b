/*
 * The record of guest events: rings of several vCPUs, put in order.
 */
#include "src/kvm/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct recorder *recorder;
static uint64_t seen; /* number of the last event that was shown */
static unsigned silences;

static void on_event(void *opaque, const struct exit_record *r)
{
    cr_assert_eq(opaque, &seen);
    cr_assert_eq(r->number, seen + 1);
    seen = r->number;
}

static void on_silent(void *opaque, unsigned cpu)
{
    (void)opaque;
    silences += cpu + 1;
}

static void make(unsigned cpus, unsigned capacity)
{
    recorder = recorder_new(cpus, capacity);
    cr_assert_not_null(recorder);
    recorder->event = on_event;
    recorder->silent = on_silent;
    recorder->opaque = &seen;
    seen = silences = 0;
}

static void teardown(void)
{
    recorder_free(recorder);
}

TestSuite(record, .fini = teardown);

static void add(unsigned cpu, uint64_t value)
{
    const struct exit_record r = {.cpu = (uint16_t)cpu, .value = value, .size = 1};
    recorder_add(recorder, &r);
}

/* The last events after number `after` have these numbers; values go by them. */
static void last(uint64_t after, size_t max, size_t n, uint64_t first)
{
    struct exit_record list[64];
    cr_assert_eq(recorder_last(recorder, after, list, max), n);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(list[i].number, first + i);
        cr_assert_eq(list[i].value, first + i);
    }
}

Test(record, of_one_vcpu)
{
    make(1, 4);
    last(0, 8, 0, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        add(0, i);
    }
    last(0, 8, 3, 1);
    last(0, 2, 2, 2);
    last(0, 0, 0, 0);
    last(2, 8, 1, 3);
    last(3, 8, 0, 0);
    for (uint64_t i = 4; i <= 11; i++) {
        add(0, i);
    }
    last(0, 8, 4, 8);
    last(9, 8, 2, 10);
}

/* Whatever vCPUs they are of: what is kept is in the order of numbers, without gaps at its end. */
Test(record, of_several_in_order)
{
    enum { CPUS = 5, CAPACITY = 16 };
    make(CPUS, CAPACITY);
    srand(1);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct exit_record list[CPUS * CAPACITY];
        add((unsigned)rand() % CPUS, i);
        const size_t n = recorder_last(recorder, 0, list, CPUS * CAPACITY);
        cr_assert(n >= (i < CAPACITY ? i : CAPACITY) && n <= CPUS * CAPACITY);
        for (size_t k = 0; k < n; k++) {
            cr_assert_eq(list[k].number, list[k].value);
            cr_assert(k == 0 || list[k].number > list[k - 1].number);
        }
        cr_assert_eq(list[n - 1].number, i);
        for (size_t k = 0; k < CAPACITY && k < n; k++) { /* no ring can have lost these */
            cr_assert_eq(list[n - 1 - k].number, i - k);
        }
    }
}

/* A rare vCPU's event stays while others' go round. */
Test(record, of_a_rare_vcpu)
{
    struct exit_record list[8];
    make(2, 4);
    add(1, 1);
    for (uint64_t i = 2; i <= 20; i++) {
        add(0, i);
    }
    cr_assert_eq(recorder_last(recorder, 0, list, 8), 5);
    cr_assert_eq(list[0].number, 1);
    cr_assert_eq(list[1].number, 17);
}

/* --- silence ------------------------------------------------------------ */

static void burn(void)
{
    for (volatile unsigned i = 0; i < 200000; i++) {
    }
}

Test(record, silence_is_cpu_time_without_events)
{
    make(2, 4);
    recorder->silent_ns = 1;
    recorder_look(recorder, 1); /* the first look begins */
    cr_assert_eq(silences, 0);
    burn();
    add(0, 1); /* any vCPU's event counts */
    recorder_look(recorder, 1);
    cr_assert_eq(silences, 0);
    burn();
    recorder_look(recorder, 1);
    cr_assert_eq(silences, 2);
    recorder->silent_ns = 0; /* never */
    recorder_look(recorder, 1);
    cr_assert_eq(silences, 2);
    recorder->silent_ns = UINT64_MAX;
    recorder_look(recorder, 1);
    cr_assert_eq(silences, 2);
}

Test(record, none_is_interrupted)
{
    make(1, 1);
    recorder_interrupted(NULL, 0);
    recorder_interrupted(recorder, 0);
    recorder_free(NULL);
}
