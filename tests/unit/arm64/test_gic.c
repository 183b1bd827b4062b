/*
 * The interrupt controllers of arm64 on hosts that have this or that of them: what is
 * created, what is refused, where it is, and that a reset leaves nothing behind.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/kvm/irqchip.h"
#include "src/kvm/msi.h"
#include "tests/unit/arm64/fake_host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DIST_REG(offset) fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, (offset))

static struct fake_host h;
static struct kvm *kvm;
static struct err e;

static void start(void)
{
    fake_host_init(&h);
    kvm = &h.fake.kvm;
    e = ERR_INIT;
}

TestSuite(arm64_gic, .init = start);

static uint64_t address(int fd, uint64_t type)
{
    return fake_host_attr(&h, fd, KVM_DEV_ARM_VGIC_GRP_ADDR, type);
}

static void create(void)
{
    cr_assert_eq(arch_irqchip_create(kvm, &e), 0, "%s", e.what);
}

/* --- creation ----------------------------------------------------------------- */

Test(arm64_gic, a_gicv3_with_its_where_the_host_has_all)
{
    create();
    cr_expect_eq(kvm->irqchip_version, 3);
    cr_expect_eq(kvm->irqchip_fd, FAKE_GIC);
    cr_expect_eq(kvm->its_fd, FAKE_ITS);
    cr_expect_eq(address(FAKE_GIC, KVM_VGIC_V3_ADDR_TYPE_DIST), 0x08000000);
    cr_expect_eq(address(FAKE_GIC, KVM_VGIC_V3_ADDR_TYPE_REDIST), 0x080a0000);
    cr_expect_eq(address(FAKE_ITS, KVM_VGIC_ITS_ADDR_TYPE), 0x08080000);
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), 32 + 128);
    cr_expect(arch_is_msi_address(kvm, 0x08090040));
    cr_expect(!arch_is_msi_address(kvm, 0x08090044));
}

/* KVM wants the vCPUs first, and the GIC before its translation service. */
Test(arm64_gic, the_end_of_set_up_comes_later)
{
    const uint32_t control = KVM_DEV_ARM_VGIC_GRP_CTRL;
    create();
    cr_expect(!fake_host_has_attr(&h, FAKE_GIC, control, KVM_DEV_ARM_VGIC_CTRL_INIT));
    cr_assert_eq(arch_irqchip_init(kvm, &e), 0, "%s", e.what);
    cr_expect_lt(fake_host_when(&h, FAKE_GIC, control, KVM_DEV_ARM_VGIC_CTRL_INIT),
                 fake_host_when(&h, FAKE_ITS, control, KVM_DEV_ARM_VGIC_CTRL_INIT));
}

Test(arm64_gic, without_its_there_are_no_messages)
{
    h.its = false;
    create();
    cr_expect_eq(kvm->irqchip_version, 3);
    cr_expect_eq(kvm->its_fd, -1);
    cr_expect(!arch_is_msi_address(kvm, 0x08090040));
    cr_expect_eq(arch_irqchip_init(kvm, &e), 0);
}

Test(arm64_gic, a_host_without_gicv3_gives_a_gicv2)
{
    h.gicv3 = false;
    create();
    cr_expect_eq(kvm->irqchip_version, 2);
    cr_expect_eq(kvm->its_fd, -1);
    cr_expect_eq(address(FAKE_GIC, KVM_VGIC_V2_ADDR_TYPE_DIST), 0x08000000);
    cr_expect_eq(address(FAKE_GIC, KVM_VGIC_V2_ADDR_TYPE_CPU), 0x08010000);
}

Test(arm64_gic, gic_2_is_taken_though_there_is_a_gicv3)
{
    kvm->irqchip_version = 2;
    create();
    cr_expect_eq(kvm->irqchip_version, 2);
    cr_expect_eq(kvm->its_fd, -1);
}

/* --- hosts without -------------------------------------------------------------- */

static void refused(unsigned wanted, const char *what, const char *hint)
{
    e = ERR_INIT;
    kvm->irqchip_version = wanted;
    cr_assert_eq(arch_irqchip_create(kvm, &e), -ENODEV);
    cr_expect_eq(e.status, EXIT_NO_KVM);
    cr_expect_not_null(strstr(e.what, what), "%s", e.what);
    cr_expect_not_null(strstr(e.hint, hint), "%s", e.hint);
}

Test(arm64_gic, a_version_that_the_host_has_not_is_refused)
{
    h.gicv3 = false;
    refused(3, "this host's KVM has no GICv3 for guests", "without gic=");
    h.gicv3 = true;
    h.gicv2 = false;
    refused(2, "this host's KVM has no GICv2 for guests", "without gic=");
}

Test(arm64_gic, a_host_without_either_cannot_run_guests)
{
    h.gicv2 = h.gicv3 = false;
    refused(0, "no GICv3 and no GICv2 for guests", "a host with a GICv2 or GICv3");
}

Test(arm64_gic, any_other_failure_is_kvms_own)
{
    h.fake.fail_request = KVM_SET_DEVICE_ATTR;
    h.fake.fail_code = -E2BIG;
    cr_assert_eq(arch_irqchip_create(kvm, &e), -E2BIG);
    cr_expect_eq(e.status, EXIT_HOST);
    cr_expect_not_null(strstr(e.what, "KVM refused the GICv3: Argument list too long"), "%s",
                       e.what);
    h.fake.fail_code = 0;
    create();
    h.fake.fail_code = -EBUSY;
    cr_assert_eq(arch_irqchip_init(kvm, &e), -EBUSY);
    cr_expect_not_null(strstr(e.what, "GICv3"), "%s", e.what);
}

/* --- lines ------------------------------------------------------------------------ */

Test(arm64_gic, a_gsi_is_a_shared_peripheral_interrupt)
{
    struct kvm_irq_routing_entry routes[ARCH_IRQ_PINS];
    cr_expect_eq(arch_irq_line(0), 1U << 24 | 32);
    cr_expect_eq(arch_irq_line(127), 1U << 24 | 159);
    cr_expect_eq(arch_irq_routes(NULL), 128);
    cr_assert_eq(arch_irq_routes(routes), 128);
    for (unsigned gsi = 0; gsi < 128; gsi++) {
        cr_expect_eq(routes[gsi].gsi, gsi);
        cr_expect_eq(routes[gsi].type, KVM_IRQ_ROUTING_IRQCHIP);
        cr_expect_eq(routes[gsi].u.irqchip.irqchip, 0);
        cr_expect_eq(routes[gsi].u.irqchip.pin, gsi);
    }
}

/* The translation service wants to know which PCI function sends a message. */
Test(arm64_gic, a_message_says_who_sends_it)
{
    struct irqchip chip;
    struct msi_table table;
    struct irq_msi msi;
    kvm->max_gsis = 4096;
    cr_assert_eq(irqchip_create(&chip, kvm, &e), 0, "%s", e.what);
    msi_table_init(&table, &chip);
    cr_assert_eq(msi_get(&table, 0x28, &msi, &e), 0, "%s", e.what);
    cr_expect_eq(msi.gsi, 128, "behind the lines");
    cr_assert_eq(msi_set(&table, &msi, 0x08090040, 7), 0);
    cr_expect_eq(h.last_route.gsi, 128);
    cr_expect_eq(h.last_route.type, KVM_IRQ_ROUTING_MSI);
    cr_expect_eq(h.last_route.flags, KVM_MSI_VALID_DEVID);
    cr_expect_eq(h.last_route.u.msi.devid, 0x28);
    cr_expect_eq(h.last_route.u.msi.address_lo, 0x08090040);
    cr_expect_eq(h.last_route.u.msi.data, 7);
    msi_put(&table, &msi);
    msi_table_destroy(&table);
}

/* --- reset -------------------------------------------------------------------------- */

/* Each of the 128 shared interrupts: off, not pending, not active, priority 0, level. */
static void expect_distributor_reset(void)
{
    cr_expect_eq(h.lines_lowered, 128);
    cr_expect_eq(DIST_REG(0), 0, "CTLR");
    for (unsigned intid = 32; intid < 160; intid++) {
        const uint32_t bit = 1U << intid % 32;
        cr_expect(DIST_REG(0x180 + intid / 32 * 4) & bit, "%u: ICENABLER", intid);
        cr_expect_eq(DIST_REG(0x200 + intid / 32 * 4), 0, "%u: ISPENDR", intid);
        cr_expect(DIST_REG(0x280 + intid / 32 * 4) & bit, "%u: ICPENDR", intid);
        cr_expect(DIST_REG(0x380 + intid / 32 * 4) & bit, "%u: ICACTIVER", intid);
        cr_expect_eq(DIST_REG(0x400 + intid / 4 * 4), 0, "%u: IPRIORITYR", intid);
        cr_expect_eq(DIST_REG(0xc00 + intid / 16 * 4), 0, "%u: ICFGR", intid);
    }
}

Test(arm64_gic, a_reset_of_gicv3)
{
    create();
    cr_assert_eq(arch_irqchip_reset(kvm, &e), 0, "%s", e.what);
    expect_distributor_reset();
    fake_host_attr(&h, FAKE_ITS, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_ITS_CTRL_RESET);
}

Test(arm64_gic, a_reset_of_gicv2)
{
    kvm->irqchip_version = 2;
    create();
    cr_assert_eq(arch_irqchip_reset(kvm, &e), 0, "%s", e.what);
    expect_distributor_reset();
    cr_expect(
        !fake_host_has_attr(&h, FAKE_ITS, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_ITS_CTRL_RESET));
}

Test(arm64_gic, a_reset_that_kvm_refuses)
{
    create();
    h.fake.fail_request = KVM_SET_DEVICE_ATTR;
    h.fake.fail_code = -EBUSY;
    cr_expect_eq(arch_irqchip_reset(kvm, &e), -EBUSY);
    cr_expect_not_null(strstr(e.what, "cannot reset KVM's interrupt controllers"), "%s", e.what);
}

/* Registers of a CPU are chosen by its affinity, packed into 32 bits. */
Test(arm64_gic, a_cpus_own_part_of_gicv3)
{
    const uint64_t mpidr = 0x0480030201, cpu = 0x04030201ULL << 32;
    const uint32_t group = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;
    create();
    cr_assert_eq(gic_reset_cpu(kvm, 5, mpidr), 0);
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | 0), 0, "CTLR");
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | (0x70 + 4 * i)), 0, "tables");
    }
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | 0x10100), 0xffff, "SGIs on");
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | 0x10180), 0xffff0000, "PPIs off");
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | 0x10380), UINT32_MAX, "none active");
    for (unsigned i = 0; i < 8; i++) {
        cr_expect_eq(fake_host_attr(&h, FAKE_GIC, group, cpu | (0x10400 + 4 * i)), 0);
    }
    /* ICC_PMR_EL1 is 3, 0, c4, c6, 0; ICC_IGRPEN1_EL1 3, 0, c12, c12, 7. */
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpu | 0xc230), 0);
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpu | 0xc667), 0);
}

Test(arm64_gic, a_cpus_own_part_of_gicv2)
{
    const uint64_t cpu = 5ULL << 32;
    kvm->irqchip_version = 2;
    create();
    cr_assert_eq(gic_reset_cpu(kvm, 5, 0x80000005), 0);
    cr_expect_eq(fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, cpu | 0x180),
                 0xffff0000);
    for (unsigned reg = 0; reg < 0xc; reg += 4) {
        cr_expect_eq(fake_host_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, cpu | reg), 0);
    }
    cr_expect(!fake_host_has_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, cpu));
}
