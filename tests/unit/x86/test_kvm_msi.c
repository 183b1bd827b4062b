/*
 * Message-signalled interrupts: what of them reaches KVM, and when.
 */
#include "tests/unit/fake_kvm.h"

#include "src/kvm/msi.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

static struct fake_kvm f;
static struct err e;
static struct irqchip chip;
static struct msi_table table;

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
    msi_table_init(&table, &chip);
}

static void teardown(void)
{
    msi_table_destroy(&table);
}

TestSuite(kvm_msi, .init = setup, .fini = teardown);

static struct irq_msi get(void)
{
    struct irq_msi msi;
    cr_assert_eq(msi_get(&table, 0x28, &msi, &e), 0, "%s", e.what);
    return msi;
}

Test(kvm_msi, one_without_a_message_costs_kvm_nothing)
{
    struct irq_msi msi = get();
    cr_assert_eq(msi.gsi, 24);
    cr_assert_geq(msi.edge.fd, 0);
    const int fd = msi.edge.fd;
    msi_put(&table, &msi);
    cr_assert_eq(msi.edge.fd, -1);
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
    assert_log(&f, "");
}

Test(kvm_msi, messages_come_after_the_lines_in_one_table)
{
    struct irq_msi a = get(), b = get();
    cr_assert_eq(msi_set(&table, &a, 0xfee00000, 0x41), 0);
    cr_assert_eq(msi_set(&table, &b, 0xfee01000, 0x42), 0);
    assert_log(&f, "+irqfd 24;routes 41: 24=0fee00000:41;"
                   "+irqfd 25;routes 42: 24=0fee00000:41 25=0fee01000:42;");
    msi_put(&table, &a);
    msi_put(&table, &b);
}

Test(kvm_msi, only_a_new_message_makes_kvm_take_a_table)
{
    struct irq_msi msi = get();
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), 0);
    }
    assert_log(&f, "+irqfd 24;routes 41: 24=0fee00000:1;");
    fake_kvm_clear(&f);
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 2), 0);
    cr_assert_eq(msi_set(&table, &msi, 0xfee02000, 2), 0);
    assert_log(&f, "routes 41: 24=0fee00000:2;routes 41: 24=0fee02000:2;");
    msi_put(&table, &msi);
}

Test(kvm_msi, a_message_to_nowhere_takes_the_old_one_away)
{
    static const uint64_t nowhere[] = {0, 0xfedffffc, 0xfef00000, 0x1fee00000, ~UINT64_C(3)};
    struct irq_msi msi = get();
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        cr_assert_eq(msi_set(&table, &msi, nowhere[i], 1), -EINVAL);
    }
    assert_log(&f, "");
    cr_assert_eq(msi_set(&table, &msi, 0xfeeffffc, 1), 0);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        cr_assert_eq(msi_set(&table, &msi, nowhere[i], 1), -EINVAL);
    }
    assert_log(&f, "+irqfd 24;routes 41: 24=0feeffffc:1;routes 40:;");
    cr_assert_eq(msi_set(&table, &msi, 0xfeeffffc, 1), 0);
    assert_log(&f, "+irqfd 24;routes 41: 24=0feeffffc:1;routes 40:;routes 41: 24=0feeffffc:1;");
    msi_put(&table, &msi);
}

Test(kvm_msi, a_number_given_back_is_used_again_and_its_message_is_gone)
{
    struct irq_msi a = get(), b = get();
    msi_set(&table, &a, 0xfee00000, 1);
    msi_put(&table, &a);
    fake_kvm_clear(&f);
    a = get();
    cr_assert_eq(a.gsi, 24);
    assert_log(&f, "");
    cr_assert_eq(msi_set(&table, &b, 0xfee00000, 2), 0);
    assert_log(&f, "+irqfd 25;routes 41: 25=0fee00000:2;");
    fake_kvm_clear(&f);
    cr_assert_eq(msi_set(&table, &a, 0xfee00000, 1), 0);
    assert_log(&f, "+irqfd 24;routes 42: 24=0fee00000:1 25=0fee00000:2;");
    msi_put(&table, &a);
    msi_put(&table, &b);
}

/* The fake has 64 routes, 40 of which are the lines'. */
Test(kvm_msi, a_full_table_is_an_error)
{
    struct irq_msi msi[24], more;
    for (unsigned i = 0; i < 24; i++) {
        msi[i] = get();
        cr_assert_eq(msi[i].gsi, 24 + i);
        cr_assert_eq(msi_set(&table, &msi[i], 0xfee00000, i), 0);
        fake_kvm_clear(&f);
    }
    cr_assert_eq(msi_get(&table, 0x28, &more, &e), -ENOSPC);
    cr_assert_eq(more.edge.fd, -1);
    cr_assert_not_null(strstr(e.what, "64"));
    msi_put(&table, &msi[5]);
    more = get();
    cr_assert_eq(more.gsi, 29);
}

Test(kvm_msi, no_descriptor_left_is_an_error_with_a_hint)
{
    struct irq_msi msi;
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 4096};
    const struct rlimit some = {.rlim_cur = 4096, .rlim_max = 4096};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(msi_get(&table, 0x28, &msi, &e), -EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &some), 0);
    cr_assert_eq(msi.edge.fd, -1);
    cr_assert_not_null(strstr(e.hint, "ulimit -n"));
    msi = get();
    cr_assert_eq(msi.gsi, 24, "the failure kept the number");
}

Test(kvm_msi, a_table_that_kvm_refuses_is_tried_again)
{
    struct irq_msi msi = get();
    f.fail_request = KVM_SET_GSI_ROUTING;
    f.fail_code = -ENOMEM;
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), -ENOMEM);
    f.fail_code = 0;
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), 0);
    assert_log(&f, "+irqfd 24;routes 41: 24=0fee00000:1;");

    f.fail_code = -ENOMEM; /* the old message stays KVM's, and ours */
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 2), -ENOMEM);
    cr_assert_eq(msi_set(&table, &msi, 0, 0), -ENOMEM);
    f.fail_code = 0;
    fake_kvm_clear(&f);
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), 0);
    assert_log(&f, "");
    msi_put(&table, &msi);
}

Test(kvm_msi, an_irqfd_that_kvm_refuses_is_tried_again)
{
    struct irq_msi msi = get();
    f.fail_request = KVM_IRQFD;
    f.fail_code = -ENOMEM;
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), -ENOMEM);
    assert_log(&f, "");
    f.fail_code = 0;
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 1), 0);
    assert_log(&f, "+irqfd 24;routes 41: 24=0fee00000:1;");
    msi_put(&table, &msi);
}

/* --- threads ---------------------------------------------------------- */

#define CHANGERS 3
#define CHANGES  500

static unsigned last_nr;

/* KVM takes one table at a time; the log would be long. */
static int count_routes(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    (void)fd;
    if (request == KVM_SET_GSI_ROUTING) {
        last_nr = ((const struct kvm_irq_routing *)arg)->nr;
        return 0;
    }
    return -ENOSYS;
}

static void *change_often(void *opaque)
{
    struct irq_msi *msi = opaque;
    for (uint32_t i = 0; i < CHANGES; i++) {
        const uint64_t address = i % 4 == 0 ? 0x1000 : 0xfee00000;
        cr_assert_eq(msi_set(&table, msi, address, i), i % 4 == 0 ? -EINVAL : 0);
    }
    return NULL;
}

Test(kvm_msi, threads_may_change_their_messages_at_once)
{
    struct irq_msi msi[CHANGERS];
    pthread_t threads[CHANGERS];
    f.answer = count_routes;
    for (size_t i = 0; i < CHANGERS; i++) {
        msi[i] = get();
        cr_assert_eq(pthread_create(&threads[i], NULL, change_often, &msi[i]), 0);
    }
    for (size_t i = 0; i < CHANGERS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(last_nr, 40 + CHANGERS);
    f.answer = NULL;
    fake_kvm_clear(&f);
    cr_assert_eq(msi_set(&table, &msi[0], 0xfee00000, 7), 0);
    assert_log(&f, "routes 43: 24=0fee00000:7 25=0fee00000:1f3 26=0fee00000:1f3;");
}
