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
    MACHINE(m, VMM_PROT32, 0x10000, power_off, "cpus=2");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

/* What vmm_load() put there would be gone. */
Test(run, reboot_of_loaded_code_is_an_end)
{
    MACHINE(m, VMM_REAL16, 0x7c00, reboot, "machine=pc");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

Test(run, crash)
{
    struct vmm_stop stop;
    char *text = NULL;
    size_t size;

    MACHINE(m, VMM_LONG64, 0x10000, crash, "machine=pc");
    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_ENDED && stop.status == 126, "%s", stop.text);
    cr_assert(strstr(stop.text, "triple fault") != NULL, "%s", stop.text);
    FILE *out = open_memstream(&text, &size);
    vmm_transcript(m, out);
    fclose(out);
    cr_assert(strstr(text, "when it crashed") != NULL, "%s", text);
    free(text);
    vmm_free(m);
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
