/*
 * Shared level lines behind irqfd, against a KVM that a test plays: it takes the
 * eventfd of a rise when it likes, and ends interrupts when it likes.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/kvm/level.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#define GSI 12

static struct fake_kvm f;
static struct err e;
static struct irqchip chip;
static struct fake_clock fake_time;
static struct loop *loop;
static struct level_line line;
static struct irq source[3];

/* KVM's side. */
static _Atomic int raise_fd, resample_fd;
static _Atomic bool asserted;

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    const struct kvm_irqfd *irqfd = arg;
    (void)fake;
    (void)fd;
    if (request == KVM_IRQFD && irqfd->gsi == GSI) {
        cr_assert_eq(irqfd->flags, KVM_IRQFD_FLAG_RESAMPLE);
        raise_fd = (int)irqfd->fd;
        resample_fd = (int)irqfd->resamplefd;
    }
    return -ENOSYS;
}

/* KVM's worker: what was written to the eventfd raises the line. */
static bool inject(void)
{
    eventfd_t count;
    if (raise_fd < 0 || eventfd_read(raise_fd, &count) < 0) {
        return false;
    }
    asserted = true;
    return true;
}

/* The guest ends an interrupt. */
static void end_of_interrupt(void)
{
    asserted = false;
    eventfd_write(resample_fd, 1);
}

/* What is under way arrives. */
static void settle(void)
{
    do {
        loop_poll(loop);
    } while (inject());
}

static void make_line(void)
{
    cr_assert_eq(level_line_init(&line, &chip, loop, GSI, &e), 0, "%s", e.what);
    for (size_t i = 0; i < ARRAY_LEN(source); i++) {
        cr_assert_eq(level_line_source(&line, &source[i], &e), 0);
    }
}

/* Used often enough for an irqfd; low. */
static void make_busy_line(void)
{
    make_line();
    for (unsigned i = 0; i < LEVEL_FEW_RISES; i++) {
        irq_set(&source[0], true);
        irq_set(&source[0], false);
    }
    fake_kvm_clear(&f);
}

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
    f.answer = answer;
    fake_clock_init(&fake_time);
    loop = loop_new(&fake_time.clock, &e);
    cr_assert_not_null(loop);
    raise_fd = resample_fd = -1;
}

static void teardown(void)
{
    level_line_destroy(&line);
    loop_free(loop);
}

TestSuite(level, .init = setup, .fini = teardown);

Test(level, a_line_that_seldom_rises_costs_no_irqfd)
{
    make_line();
    irq_set(&source[0], false);
    assert_log(&f, "");
    irq_set(&source[0], true);
    irq_set(&source[1], true);
    irq_set(&source[0], false);
    irq_set(&source[1], false);
    assert_log(&f, "line 12=1;line 12=0;");
}

Test(level, kvm_hears_of_the_irqfd_when_the_line_is_busy)
{
    make_busy_line();
    irq_set(&source[0], true);
    irq_set(&source[0], false);
    irq_set(&source[1], true);
    assert_log(&f, "+irqfd 12 resample;");
}

Test(level, a_rise_asserts_the_line_until_the_end_of_interrupt)
{
    make_busy_line();
    irq_set(&source[0], true);
    settle();
    cr_assert(asserted);
    irq_set(&source[0], false);
    end_of_interrupt();
    settle();
    cr_assert_not(asserted);
}

Test(level, a_line_still_high_rises_again_after_each_end_of_interrupt)
{
    make_busy_line();
    irq_set(&source[0], true);
    irq_set(&source[1], true);
    settle();
    irq_set(&source[0], false);
    for (int i = 0; i < 3; i++) {
        end_of_interrupt();
        cr_assert_not(asserted);
        settle();
        cr_assert(asserted, "source 1 is high");
    }
    irq_set(&source[1], false);
    end_of_interrupt();
    settle();
    cr_assert_not(asserted);
}

Test(level, a_fall_and_rise_between_end_of_interrupt_and_resampling_is_not_lost)
{
    make_busy_line();
    irq_set(&source[0], true);
    settle();
    irq_set(&source[0], false);
    end_of_interrupt();
    irq_set(&source[0], true); /* before the main loop came by */
    cr_assert(inject());
    end_of_interrupt(); /* taken and ended, still before */
    irq_set(&source[0], false);
    irq_set(&source[0], true);
    settle();
    cr_assert(asserted);
}

Test(level, a_million_raises_leave_the_last_state)
{
    make_busy_line();
    for (unsigned i = 0; i < 1000000; i++) {
        irq_set(&source[i % 3], true);
        irq_set(&source[i % 3], false);
    }
    irq_set(&source[2], true);
    settle();
    cr_assert(asserted);
    end_of_interrupt();
    settle();
    cr_assert(asserted);
    irq_set(&source[2], false);
    end_of_interrupt();
    settle();
    cr_assert_not(asserted);
    assert_log(&f, "+irqfd 12 resample;");
}

/* As a machine reset does: the devices fall, then the controllers forget. */
Test(level, after_a_reset_an_asserted_line_works_again)
{
    make_busy_line();
    irq_set(&source[0], true);
    settle();
    irq_set(&source[0], false);
    asserted = false;
    settle();
    cr_assert_not(asserted);
    irq_set(&source[0], true);
    settle();
    cr_assert(asserted);
}

/* Whatever the order of things: when all is quiet, a high line is asserted. */
Test(level, no_order_of_events_loses_an_interrupt)
{
    bool high[3] = {false};
    srandom(20);
    make_busy_line();
    irq_set(&source[0], true);
    irq_set(&source[0], false);
    for (unsigned step = 0; step < 200000; step++) {
        const unsigned n = (unsigned)random() % 3;
        switch (random() % 6) {
        case 0:
        case 1:
            high[n] = !high[n];
            irq_set(&source[n], high[n]);
            break;
        case 2:
            inject();
            break;
        case 3:
            end_of_interrupt();
            break;
        case 4:
            loop_poll(loop);
            break;
        default:
            settle();
            cr_assert(asserted || !(high[0] || high[1] || high[2]), "lost in step %u", step);
        }
    }
}

/* --- threads ---------------------------------------------------------- */

static void *toggle(void *opaque)
{
    const struct irq *mine = opaque;
    for (int i = 0; i < 20000; i++) {
        irq_set(mine, true);
        irq_set(mine, false);
    }
    irq_set(mine, true);
    return NULL;
}

static _Atomic bool kvm_done;

static void *play_kvm(void *opaque)
{
    (void)opaque;
    while (!kvm_done) {
        if (inject()) {
            end_of_interrupt();
        }
    }
    return NULL;
}

Test(level, threads_that_raise_while_interrupts_end_lose_nothing)
{
    pthread_t devices[3], kvm;
    make_busy_line();
    kvm_done = false;
    cr_assert_eq(pthread_create(&kvm, NULL, play_kvm, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        cr_assert_eq(pthread_create(&devices[i], NULL, toggle, &source[i]), 0);
    }
    for (int i = 0; i < 2000; i++) {
        loop_poll(loop);
    }
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        pthread_join(devices[i], NULL);
    }
    kvm_done = true;
    pthread_join(kvm, NULL);
    settle();
    cr_assert(asserted, "all three are high");
    for (size_t i = 0; i < ARRAY_LEN(source); i++) {
        irq_set(&source[i], false);
    }
    end_of_interrupt();
    settle();
    cr_assert_not(asserted);
}

/* --- hosts ------------------------------------------------------------ */

static int no_resampling(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    (void)fd;
    const bool asked = request == KVM_CHECK_EXTENSION && (uintptr_t)arg == KVM_CAP_IRQFD_RESAMPLE;
    return asked ? 0 : -ENOSYS;
}

Test(level, a_kvm_that_cannot_resample_is_driven_by_ioctls)
{
    f.answer = no_resampling;
    make_line();
    irq_set(&source[0], true);
    irq_set(&source[1], true);
    irq_set(&source[0], false);
    irq_set(&source[1], false);
    assert_log(&f, "line 12=1;line 12=0;");
}

Test(level, a_refused_irqfd_is_replaced_by_ioctls)
{
    f.answer = NULL;
    f.fail_request = KVM_IRQFD;
    f.fail_code = -ENOMEM;
    make_busy_line();
    irq_set(&source[0], true);
    irq_set(&source[0], false);
    f.fail_code = 0;
    irq_set(&source[1], true);
    assert_log(&f, "line 12=1;line 12=0;line 12=1;");
}

Test(level, no_descriptor_left_is_an_error_with_a_hint)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 4096};
    const struct rlimit some = {.rlim_cur = 4096, .rlim_max = 4096};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(level_line_init(&line, &chip, loop, GSI, &e), -EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &some), 0);
    cr_assert_not_null(strstr(e.what, "interrupt 12"));
    cr_assert_not_null(strstr(e.hint, "ulimit -n"));
    make_line();
}

Test(level, a_full_line_takes_no_more_devices)
{
    struct irq more;
    make_line();
    for (size_t i = ARRAY_LEN(source); i < IRQ_OR_MAX; i++) {
        cr_assert_eq(level_line_source(&line, &more, &e), 0);
    }
    cr_assert_eq(level_line_source(&line, &more, &e), -ENOSPC);
    cr_assert_not_null(strstr(e.what, "64"));
}
