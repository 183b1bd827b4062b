/*
 * Registers of x86-64 by name.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>

GUEST(count);

Test(state, registers)
{
    uint64_t value;
    struct vmm_error e;

    MACHINE(m, VMM_LONG64, 0x10000, count, "cpus=2");
    vmm_expect_reg(m, 0, "rip", 0x10000); /* before the first run */
    vmm_expect_reg(m, 0, "cs", 0x10);
    vmm_expect_reg(m, 0, "cr3", 0x9000);
    vmm_expect_exit(m, "IO write value 1");
    vmm_expect_reg(m, 0, "r15", 1);
    cr_assert(vmm_set_reg(m, 0, "r15", 2, &e) == 0);
    vmm_expect_exit(m, "IO write value 3");
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_reg(m, 0, "r15", 3);
    vmm_expect_reg(m, 1, "rip", 0xfff0); /* it never started */

    cr_assert(vmm_reg(m, 0, "r16", &value, &e) == -ENOENT && strstr(e.hint, "r1") != NULL);
    cr_assert(vmm_reg(m, 2, "rax", &value, &e) == -ENOENT);
    cr_assert(vmm_set_reg(m, 0, "cs", 0, &e) == -EPERM);
    cr_assert(vmm_set_reg(m, 0, "", 0, NULL) == -ENOENT);
    vmm_free(m);
}
