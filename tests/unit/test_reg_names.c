/*
 * Registers by name, whatever the architecture calls them.
 */
#include "src/arch/arch.h"
#include "src/kvm/regs.h"
#include "tests/unit/fake_kvm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct fake_kvm f;

static void start(void)
{
    fake_kvm_init(&f);
}

TestSuite(reg_names, .init = start);

Test(reg_names, each_has_one_of_its_own)
{
    size_t n = 0;
    while (vcpu_reg_name(n) != NULL) {
        for (size_t other = 0; other < n; other++) {
            cr_expect_str_neq(vcpu_reg_name(other), vcpu_reg_name(n));
        }
        n++;
    }
    cr_expect_eq(n, arch_reg_count);
    cr_expect_gt(n, 16);
    cr_expect_null(vcpu_reg_name(SIZE_MAX));
}

/* The fake KVM takes everything. */
Test(reg_names, what_cannot_be_set_is_refused)
{
    unsigned fixed = 0;
    for (size_t i = 0; i < arch_reg_count; i++) {
        const int ret = vcpu_reg_set(&f.kvm, 1, arch_regs[i].name, 0);
        cr_expect_eq(ret, arch_regs[i].fixed ? -EPERM : 0, "%s", arch_regs[i].name);
        fixed += arch_regs[i].fixed;
    }
    cr_expect_gt(fixed, 0);
}

Test(reg_names, a_name_nobody_has)
{
    uint64_t value;
    cr_expect_eq(vcpu_reg_get(&f.kvm, 1, "nothing", &value), -ENOENT);
    cr_expect_eq(vcpu_reg_set(&f.kvm, 1, "", 0), -ENOENT);
}
