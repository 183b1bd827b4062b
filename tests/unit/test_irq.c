/*
 * Interrupt lines: the OR gate and edge pulses.
 */
#include "src/irq.h"

#include <criterion/criterion.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct record {
    unsigned calls;
    unsigned n;
    bool level;
};

static void record_set(void *opaque, unsigned n, bool level)
{
    struct record *r = opaque;
    r->calls++;
    r->n = n;
    r->level = level;
}

Test(irq, a_line_that_leads_nowhere_is_harmless)
{
    struct irq nowhere = {0};
    irq_set(&nowhere, true);
}

Test(irq, or_tells_the_target_only_of_changes)
{
    struct record r = {0};
    struct irq_or gate;
    irq_or_init(&gate, (struct irq){.set = record_set, .opaque = &r, .n = 9});
    struct irq first = irq_or_source(&gate, 0);
    struct irq last = irq_or_source(&gate, IRQ_OR_MAX - 1);

    irq_set(&first, false);
    cr_assert_eq(r.calls, 0);
    irq_set(&first, true);
    irq_set(&first, true);
    irq_set(&last, true);
    cr_assert_eq(r.calls, 1);
    cr_assert(r.level && r.n == 9);
    irq_set(&first, false);
    cr_assert_eq(r.calls, 1, "the other source holds the line");
    irq_set(&last, false);
    cr_assert_eq(r.calls, 2);
    cr_assert_not(r.level);
}

Test(irq, or_repeats_itself_only_while_high)
{
    struct record r = {0};
    struct irq_or gate;
    irq_or_init(&gate, (struct irq){.set = record_set, .opaque = &r});
    struct irq source = irq_or_source(&gate, 3);

    irq_or_repeat(&gate);
    cr_assert_eq(r.calls, 0);
    irq_set(&source, true);
    irq_or_repeat(&gate);
    cr_assert_eq(r.calls, 2);
    cr_assert(r.level);
    irq_set(&source, false);
    irq_or_repeat(&gate);
    cr_assert_eq(r.calls, 3);
}

#define TOGGLERS 4
#define TOGGLES  2000

static void *toggle(void *opaque)
{
    for (int i = 0; i < TOGGLES; i++) {
        irq_set(opaque, i % 2 == 0);
    }
    return NULL;
}

Test(irq, or_ends_low_when_threads_end_low)
{
    struct record r = {0};
    struct irq_or gate;
    irq_or_init(&gate, (struct irq){.set = record_set, .opaque = &r});
    struct irq sources[TOGGLERS];
    pthread_t threads[TOGGLERS];
    for (unsigned i = 0; i < TOGGLERS; i++) {
        sources[i] = irq_or_source(&gate, i);
        cr_assert_eq(pthread_create(&threads[i], NULL, toggle, &sources[i]), 0);
    }
    for (unsigned i = 0; i < TOGGLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_not(r.level);
    cr_assert(r.calls >= 2 && r.calls % 2 == 0, "each rise has its fall: %u", r.calls);
}

Test(irq, pulse_writes_the_eventfd)
{
    struct record r = {0};
    struct irq_edge e = {.fd = eventfd(0, EFD_NONBLOCK), .irq = {.set = record_set, .opaque = &r}};
    irq_edge_pulse(&e);
    irq_edge_pulse(&e);
    eventfd_t n = 0;
    cr_assert_eq(eventfd_read(e.fd, &n), 0);
    cr_assert_eq(n, 2);
    cr_assert_eq(r.calls, 0);
    close(e.fd);
}

Test(irq, pulse_without_eventfd_goes_up_and_down)
{
    struct record r = {0};
    struct irq_edge e = {.fd = -1, .irq = {.set = record_set, .opaque = &r, .n = 5}};
    irq_edge_pulse(&e);
    cr_assert_eq(r.calls, 2);
    cr_assert(!r.level && r.n == 5);
}
