/*
 * Registers of arm64 by name.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>

GUEST(count);

Test(state, registers)
{
    uint64_t value;
    struct vmm_error e;

    MACHINE(m, VMM_EL1, CODE, count, "cpus=2");
    vmm_expect_reg(m, 0, "pc", CODE); /* before the first run */
    vmm_expect_reg(m, 0, "pstate", 0x3c5);
    cr_assert(vmm_set_reg(m, 0, "x30", 0x123456789abcdef0, &e) == 0);
    cr_assert(vmm_set_reg(m, 0, "sp", CODE, &e) == 0);
    vmm_expect_exit(m, "write value 1");
    vmm_expect_reg(m, 0, "x15", 1);
    cr_assert(vmm_set_reg(m, 0, "x15", 2, &e) == 0);
    vmm_expect_exit(m, "write value 3");
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_reg(m, 0, "x15", 3);
    vmm_expect_reg(m, 0, "x30", 0x123456789abcdef0);
    vmm_expect_reg(m, 0, "sp", CODE);
    vmm_expect_reg(m, 1, "x15", 0); /* it never started */

    cr_assert(vmm_reg(m, 0, "sctlr_el1", &value, &e) == 0 && (value & 1) == 0); /* no MMU */
    cr_assert(vmm_reg(m, 0, "x31", &value, &e) == -ENOENT && strstr(e.hint, "'x") != NULL);
    cr_assert(vmm_reg(m, 2, "x0", &value, &e) == -ENOENT);
    cr_assert(vmm_set_reg(m, 0, "sctlr_el1", 0, &e) == -EPERM);
    cr_assert(vmm_set_reg(m, 0, "", 0, NULL) == -ENOENT);
    vmm_free(m);
}
