/*
 * Ends, and modes that cannot be, of x86-64.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>

GUEST(power_off);
GUEST(reboot);
GUEST(crash);
GUEST(halt_for_ever);

Test(run, power_off)
{
    ENDS(0, VMM_PROT32, 0x10000, power_off, "cpus=2");
}

/* What vmm_load() put there would be gone. */
Test(run, reboot_of_loaded_code_is_an_end)
{
    ENDS(0, VMM_REAL16, 0x7c00, reboot, "machine=pc");
}

Test(run, crash)
{
    MACHINE(m, VMM_LONG64, 0x10000, crash, "machine=pc");
    crashes(m, "triple fault", "vCPU 0, when it crashed:");
}

Test(refused, loading)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    struct vmm_error e;

    cr_assert(vmm_run(m, NULL, NULL, &e) == -EINVAL && strstr(e.what, "nothing to run") != NULL);
    cr_assert(vmm_load(m, VMM_REAL16, 0x10000, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, VMM_EL1, 0x7c00, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, (enum vmm_mode)99, 0x7c00, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, VMM_PROT32, 0xfffff, "ab", 2, &e) == -EFAULT);
    cr_assert(vmm_load(m, VMM_PROT32, UINT64_MAX, "a", 1, &e) == -EFAULT);
    LOAD(m, VMM_REAL16, 0x7c00, power_off);
    LOAD(m, VMM_REAL16, 0x7c00, halt_for_ever); /* the last one counts */
    vmm_expect_stop(m, VMM_DEAD);
    cr_assert(vmm_load(m, VMM_REAL16, 0x7c00, "", 1, &e) == -EINVAL);
    vmm_free(m);
}
