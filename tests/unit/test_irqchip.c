/*
 * Interrupt lines, edges and message routes as KVM sees them.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/kvm/irqchip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>

static struct fake_kvm f;
static struct err e;
static struct irqchip chip;

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
}

static void teardown(void)
{
    irqchip_destroy(&chip);
}

TestSuite(irqchip, .init = setup, .fini = teardown);

Test(irqchip, creation_reports_kvms_refusal)
{
    struct irqchip other;
    f.fail_request = KVM_CREATE_PIT2;
    f.fail_code = -EINVAL;
    cr_assert_eq(irqchip_create(&other, &f.kvm, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "timer"));
}

Test(irqchip, a_line_is_driven_by_its_number)
{
    struct irq line = irqchip_line(&chip, 4);
    irq_set(&line, true);
    irq_set(&line, false);
    assert_log(&f, "line 4=1;line 4=0;");
}

Test(irqchip, a_line_out_of_range_does_nothing)
{
    struct irq line = irqchip_line(&chip, ARCH_IRQ_PINS);
    irq_set(&line, true);
    assert_log(&f, "");
}

Test(irqchip, an_edge_is_an_eventfd_and_goes_away)
{
    struct irq_edge edge;
    cr_assert_eq(irqchip_edge_get(&chip, 17, &edge, &e), 0);
    int fd = edge.fd;
    cr_assert_geq(fd, 0);
    irqchip_edge_put(&chip, 17, &edge);
    cr_assert_eq(edge.fd, -1);
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
    irqchip_edge_put(&chip, 17, &edge);
    assert_log(&f, "+irqfd 17;-irqfd 17;");
}

Test(irqchip, a_refused_edge_leaves_nothing_open)
{
    struct irq_edge edge;
    f.fail_request = KVM_IRQFD;
    f.fail_code = -EBUSY;
    cr_assert_eq(irqchip_edge_get(&chip, 17, &edge, &e), -EBUSY);
    cr_assert_eq(edge.fd, -1);
    cr_assert_not_null(strstr(e.what, "17"));
}

Test(irqchip, messages_come_after_the_lines_in_one_table)
{
    unsigned a, b;
    cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, 0x41, &a, &e), 0);
    cr_assert_eq(irqchip_msi_get(&chip, 0x100fee01000, 0x42, &b, &e), 0);
    cr_assert_eq(a, 24);
    cr_assert_eq(b, 25);
    assert_log(&f, "routes 41: 24=0fee00000:41;routes 42: 24=0fee00000:41 25=100fee01000:42;");
}

Test(irqchip, a_message_can_change_and_its_number_be_reused)
{
    unsigned a, b, c;
    irqchip_msi_get(&chip, 0xfee00000, 1, &a, &e);
    irqchip_msi_get(&chip, 0xfee00000, 2, &b, &e);
    fake_kvm_clear(&f);
    cr_assert_eq(irqchip_msi_set(&chip, b, 0xfee02000, 3, &e), 0);
    irqchip_msi_put(&chip, a);
    cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, 4, &c, &e), 0);
    cr_assert_eq(c, a);
    assert_log(&f, "routes 42: 24=0fee00000:1 25=0fee02000:3;routes 41: 25=0fee02000:3;"
                   "routes 42: 25=0fee02000:3 24=0fee00000:4;");
}

Test(irqchip, a_line_is_no_message)
{
    cr_assert_eq(irqchip_msi_set(&chip, 4, 0xfee00000, 1, &e), -ENOENT);
    irqchip_msi_put(&chip, 4);
    assert_log(&f, "");
}

Test(irqchip, a_full_table_is_an_error)
{
    unsigned gsi;
    for (unsigned i = 24; i < 64; i++) {
        cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, i, &gsi, &e), 0);
        cr_assert_eq(gsi, i);
    }
    cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, 1, &gsi, &e), -ENOSPC);
    cr_assert_not_null(strstr(e.what, "64"));
}

Test(irqchip, a_refused_table_takes_no_number)
{
    unsigned gsi;
    f.fail_request = KVM_SET_GSI_ROUTING;
    f.fail_code = -EINVAL;
    cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, 1, &gsi, &e), -EINVAL);
    f.fail_code = 0;
    cr_assert_eq(irqchip_msi_get(&chip, 0xfee00000, 2, &gsi, &e), 0);
    assert_log(&f, "routes 41: 24=0fee00000:2;");
}
