/*
 * What arm64's vCPUs and VMs are asked of KVM: features, numbers, entry state, width of
 * addresses; and what is said where KVM will not.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/arch/virt/virt.h"
#include "src/boot/boot.h"
#include "tests/unit/arm64/fake_host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define BIT(name) (1U << KVM_ARM_VCPU_##name)
#define PAUTH     (BIT(PTRAUTH_ADDRESS) | BIT(PTRAUTH_GENERIC))
#define PMU       KVM_ARM_VCPU_PMU_V3_CTRL

static struct fake_host h;
static struct kvm *kvm;
static struct err e;
static struct cpu_model *model;

static void start(void)
{
    fake_host_init(&h);
    kvm = &h.fake.kvm;
    e = ERR_INIT;
    model = NULL;
}

static void stop(void)
{
    cpu_model_free(model);
}

TestSuite(arm64_vcpu, .init = start, .fini = stop);

static void make_model(const char *spec)
{
    cr_assert_eq(cpu_model_new(&model, kvm, spec, 2, &e), 0, "%s", e.what);
}

static int init(unsigned index)
{
    return arch_vcpu_init(kvm, FAKE_VCPU + (int)index, index, model, &e);
}

static void fail(unsigned long request, int code)
{
    h.fake.fail_request = request;
    h.fake.fail_code = code;
}

/* --- features ------------------------------------------------------------------- */

Test(arm64_vcpu, it_has_what_the_host_has)
{
    make_model(NULL);
    cr_assert_eq(init(0), 0, "%s", e.what);
    cr_assert_eq(init(1), 0, "%s", e.what);
    cr_expect_eq(h.features[0], BIT(PSCI_0_2) | BIT(PMU_V3) | BIT(SVE) | PAUTH);
    cr_expect_eq(h.features[1], h.features[0] | BIT(POWER_OFF), "PSCI starts it");
    cr_expect_eq(h.finalized[0], KVM_ARM_VCPU_SVE);
    cr_expect_eq(fake_host_attr(&h, FAKE_VCPU, PMU, KVM_ARM_VCPU_PMU_V3_IRQ), 23);
    cr_expect_lt(fake_host_when(&h, FAKE_VCPU, PMU, KVM_ARM_VCPU_PMU_V3_IRQ),
                 fake_host_when(&h, FAKE_VCPU, PMU, KVM_ARM_VCPU_PMU_V3_INIT));
    cr_expect(virt_has_feature(kvm, NULL, BIT(PMU_V3)));
}

Test(arm64_vcpu, an_old_host_has_none_of_it)
{
    h.pmu = h.sve = h.pauth = false;
    make_model("host");
    cr_assert_eq(init(0), 0, "%s", e.what);
    cr_expect_eq(h.features[0], BIT(PSCI_0_2));
    cr_expect_eq(h.finalized[0], 0);
    cr_expect(!fake_host_has_attr(&h, FAKE_VCPU, PMU, KVM_ARM_VCPU_PMU_V3_INIT));
    cr_expect(!virt_has_feature(kvm, NULL, BIT(PMU_V3)));
}

Test(arm64_vcpu, features_are_taken_away)
{
    make_model("host,-sve,-pmu");
    cr_assert_eq(init(0), 0, "%s", e.what);
    cr_expect_eq(h.features[0], BIT(PSCI_0_2) | PAUTH);
    cr_expect(!virt_has_feature(kvm, "host,-pmu", BIT(PMU_V3)));
}

Test(arm64_vcpu, features_that_cannot_be)
{
    h.pauth = false;
    cr_expect_eq(cpu_model_new(&model, kvm, "host,+pauth", 1, &e), -EINVAL);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_not_null(strstr(e.what, "this host cannot give a guest 'pauth'"), "%s", e.what);
    cr_expect_eq(cpu_model_new(&model, kvm, "host,-svee", 1, &e), -EINVAL);
    cr_expect_not_null(strstr(e.hint, "sve"), "%s", e.hint);
    cr_expect_null(model);
}

/* --- set-up ----------------------------------------------------------------------- */

Test(arm64_vcpu, what_kvm_refuses_is_named)
{
    static const struct {
        unsigned long request;
        const char *text;
    } steps[] = {
        {KVM_ARM_PREFERRED_TARGET, "the features of vCPU 1"},
        {KVM_ARM_VCPU_INIT, "the features of vCPU 1"},
        {KVM_ARM_VCPU_FINALIZE, "the vector lengths of vCPU 1"},
        {KVM_SET_DEVICE_ATTR, "the performance counters of vCPU 1"},
        {KVM_GET_ONE_REG, "the number of vCPU 1"},
    };
    make_model(NULL);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        e = ERR_INIT;
        fail(steps[i].request, -EINVAL);
        cr_expect_eq(init(1), -EINVAL);
        cr_expect_not_null(strstr(e.what, steps[i].text), "%s", e.what);
        cr_expect_not_null(strstr(e.what, "KVM refused"), "%s", e.what);
    }
}

Test(arm64_vcpu, a_number_that_the_device_tree_does_not_have)
{
    make_model(NULL);
    h.mpidr[1] = 0x80000100;
    cr_expect_eq(init(0), 0);
    cr_expect_eq(init(1), -ENOTSUP);
    cr_expect_not_null(strstr(e.what, "numbers vCPU 1 otherwise than vmm: MPIDR 0x80000100"), "%s",
                       e.what);
}

/* --- entry and reset ---------------------------------------------------------------- */

Test(arm64_vcpu, the_boot_cpu_enters_as_linux_wants_it)
{
    const struct boot_entry entry = {.ip = 0x40080000, .fdt = 0x48000000};
    cr_assert_eq(arch_vcpu_enter(kvm, FAKE_VCPU, &entry, &e), 0);
    cr_expect_eq(fake_host_register(&h, FAKE_VCPU, CORE_REG(regs.pc)), 0x40080000);
    cr_expect_eq(fake_host_register(&h, FAKE_VCPU, CORE_REG(regs.regs[0])), 0x48000000);
    cr_expect_eq(fake_host_register(&h, FAKE_VCPU, CORE_REG(regs.pstate)), 0x3c5);
    fail(KVM_SET_ONE_REG, -EINVAL);
    cr_expect_eq(arch_vcpu_enter(kvm, FAKE_VCPU, &entry, &e), -EINVAL);
    cr_expect_not_null(strstr(e.what, "the entry state of vCPU 0"), "%s", e.what);
}

Test(arm64_vcpu, a_reset_is_a_power_on_with_a_fresh_gic)
{
    make_model(NULL);
    cr_assert_eq(arch_irqchip_create(kvm, &e), 0);
    cr_assert_eq(arch_vcpu_reset(kvm, FAKE_VCPU + 2, 2, model, &e), 0, "%s", e.what);
    cr_expect(h.features[2] & BIT(POWER_OFF));
    cr_expect_eq(h.finalized[2], 0, "lengths stay");
    cr_expect(fake_host_has_attr(&h, FAKE_GIC, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 2ULL << 32));
    fail(KVM_ARM_VCPU_INIT, -EINVAL);
    cr_expect_eq(arch_vcpu_reset(kvm, FAKE_VCPU + 2, 2, model, &e), -EINVAL);
    cr_expect_not_null(strstr(e.what, "the start state of vCPU 2"), "%s", e.what);
}

/* --- the VM --------------------------------------------------------------------------- */

static unsigned long type_for(int host_bits, unsigned wanted)
{
    h.ipa_bits = host_bits;
    kvm->gpa_bits = wanted;
    cr_assert_eq(kvm_create_vm(kvm, &e), 0, "%s", e.what);
    return h.vm_type;
}

Test(arm64_vcpu, addresses_are_as_wide_as_the_machine_wants)
{
    cr_expect_eq(type_for(44, 33), 33);
    cr_expect_eq(type_for(44, 0), 40, "a probe");
    cr_expect_eq(type_for(36, 0), 36, "which cannot have 40");
    cr_expect_eq(type_for(0, 33), 0, "a KVM without choice");
    cr_expect_eq(type_for(0, 0), 0);
}

Test(arm64_vcpu, an_old_kvm_without_a_choice_of_width_is_enough)
{
    h.ipa_bits = 0;
    cr_expect_eq(kvm_check(kvm, &e), 0, "%s", e.what);
}
