/*
 * Interrupt lines and edges as KVM sees them.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/kvm/irqchip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/resource.h>

static struct fake_kvm f;
static struct err e;
static struct irqchip chip;

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
}

TestSuite(irqchip, .init = setup);

Test(irqchip, creation_reports_kvms_refusal)
{
    struct irqchip other;
#ifdef __x86_64__
    const char *what = "cannot create the timer: Invalid argument";
    f.fail_request = KVM_CREATE_PIT2;
#else
    const char *what = "refused the GICv3: Invalid argument";
    f.fail_request = KVM_CREATE_DEVICE;
#endif
    f.fail_code = -EINVAL;
    cr_assert_eq(irqchip_create(&other, &f.kvm, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, what), "%s", e.what);
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

Test(irqchip, no_descriptor_left_is_an_error_with_a_hint)
{
    struct irq_edge edge;
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 4096};
    const struct rlimit some = {.rlim_cur = 4096, .rlim_max = 4096};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(irqchip_edge_get(&chip, 17, &edge, &e), -EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &some), 0);
    cr_assert_eq(edge.fd, -1);
    cr_assert_not_null(strstr(e.what, "interrupt 17"));
    cr_assert_not_null(strstr(e.hint, "ulimit -n"));
    assert_log(&f, "");
}
