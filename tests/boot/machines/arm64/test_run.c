/*
 * Ends, and places that cannot be, of arm64.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>

GUEST(power_off);
GUEST(reboot);
GUEST(panic);
GUEST(crash);
GUEST(halt_for_ever);

Test(run, power_off)
{
    ENDS(0, VMM_EL1, CODE, power_off, "cpus=2");
}

/* What vmm_load() put there would be gone. */
Test(run, reboot_of_loaded_code_is_an_end)
{
    ENDS(0, VMM_EL1, CODE, reboot, "machine=virt");
}

Test(run, panic)
{
    ENDS(127, VMM_EL1, CODE, panic, "machine=virt");
}

Test(run, crash)
{
    MACHINE(m, VMM_EL1, CODE, crash, "machine=virt");
    crashes(m, "KVM cannot carry out", "code at 0x40010004: a9400440");
}

Test(refused, loading)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    struct vmm_error e;

    cr_assert(vmm_run(m, NULL, NULL, &e) == -EINVAL && strstr(e.what, "nothing to run") != NULL);
    cr_assert(vmm_load(m, VMM_LONG64, CODE, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, (enum vmm_mode)99, CODE, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, VMM_EL1, CODE + 2, "", 1, &e) == -EINVAL);
    cr_assert(vmm_load(m, VMM_EL1, RAM - 1, "ab", 2, &e) == -EFAULT);
    cr_assert(vmm_load(m, VMM_EL1, RAM + 0xfffff, "ab", 2, &e) == -EFAULT);
    cr_assert(vmm_load(m, VMM_EL1, UINT64_MAX, "a", 1, &e) == -EFAULT);
    cr_assert(vmm_ram_start(m) == RAM);
    LOAD(m, VMM_EL1, CODE, power_off);
    LOAD(m, VMM_EL1, CODE, halt_for_ever); /* the last one counts */
    vmm_expect_stop(m, VMM_DEAD);
    cr_assert(vmm_load(m, VMM_EL1, CODE, "", 1, &e) == -EINVAL);
    vmm_free(m);
}
