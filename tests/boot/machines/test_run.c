/*
 * How runs end, and what cannot be run.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>
#include <pthread.h>

GUEST(exit);
GUEST(spin);
GUEST(halt_for_ever);
GUEST(sleep);
GUEST(chatter);

Test(run, guest_status)
{
    MACHINE(m, MODE, CODE, exit, DEBUG_EXIT);
    cr_assert(vmm_set_reg(m, 0, REG_VALUE, 20, NULL) == 0);
    vmm_expect_status(m, 41);
    vmm_expect_status(m, 41); /* it stays ended */
    vmm_free(m);
}

Test(run, silent_guest)
{
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, spin, "cpus=1");
    cr_assert(vmm_run(m, &(struct vmm_limits){.cpu_ms = 20}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_SILENT, "%s", stop.text);
    vmm_expect_reg(m, 0, REG_PC, CODE);
    vmm_free(m);
}

Test(run, guest_that_nothing_can_wake)
{
    MACHINE(m, MODE, CODE, halt_for_ever, "cpus=1");
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_free(m);
}

Test(run, guest_that_waits)
{
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, sleep, "cpus=1");
    cr_assert(vmm_run(m, &(struct vmm_limits){.idle_ms = 60}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_IDLE, "%s", stop.text);
    vmm_free(m);
}

Test(run, limit_of_events)
{
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, chatter, "cpus=1");
    vmm_set_limits(m, &(struct vmm_limits){.events = 10});
    for (uint64_t i = 1; i <= 5; i++) {
        cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
        cr_assert(stop.why == VMM_EVENTS && vmm_events(m) == 10 * i);
    }
    vmm_free(m);
}

static void *interrupt(void *m)
{
    vmm_interrupt(m);
    return NULL;
}

Test(run, interrupted_from_another_thread)
{
    struct vmm_stop stop;
    pthread_t thread;

    MACHINE(m, MODE, CODE, spin, "cpus=1");
    pthread_create(&thread, NULL, interrupt, m);
    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_STOPPED);
    pthread_join(thread, NULL);
    vmm_interrupt(m);
    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_STOPPED);
    cr_assert(vmm_run(m, &(struct vmm_limits){.cpu_ms = 20}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_SILENT, "an interrupt is used up: %s", stop.text);
    vmm_free(m);
}

/* --- micro-guests: kernels by file ------------------------------------------------ */

static void passes(const char *guest)
{
    struct vmm *m = vmmtest_machine("memory=64M", "cpus=2", EDU, micro_guest(guest));
    char ok[64];

    snprintf(ok, sizeof(ok), "^%s: ok$", guest);
    vmm_expect_console(m, ok);
    vmm_expect_status(m, 0);
    vmm_free(m);
}

Test(run, micro_guest_edu)
{
    passes("edu");
}

Test(run, micro_guest_edu_irq)
{
    passes("edu_irq");
}

Test(run, micro_guest_pci_race)
{
    passes("pci_race");
}

/* A kernel's reboot loads it again; this one counts its starts. */
Test(run, reboot_of_a_kernel)
{
    struct vmm *m = vmmtest_machine("memory=64M", EDU, micro_guest("edu_reboot"));

    vmm_expect_console(m, "^edu_reboot: ok$");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

/* --- what is refused --------------------------------------------------------------- */

Test(refused, options)
{
    static const struct {
        const char *option, *what;
        int status;
    } bad[] = {
        {"memory=lots", "memory", 2},
        {"cpus=0", "cpus", 2},
        {"memori=1M", "unknown option", 2},
        {"device=eduu", "eduu", 2},
        {"console=stdio", "memory", 2},
        {"posted=perhaps", "posted", 2},
        {"exits=0", "exits", 2},
        {"exits=65537", "exits", 2},
        {"memory", "needs a value", 2},
        {"device=help", "command line", 2},
        {"trace=*", "unknown option", 2},
        {"help", "unknown option", 2},
        {"kernel=/nonexistent", "/nonexistent", 125},
    };
    struct vmm_error e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vmm *m = vmm_new((const char *const[]){bad[i].option, NULL}, &e);
        cr_assert(m == NULL, "%s", bad[i].option);
        if (e.status == VMMTEST_NO_KVM) {
            cr_skip_test("%s", e.what);
        }
        cr_assert(strstr(e.what, bad[i].what) != NULL, "%s: %s", bad[i].option, e.what);
        cr_assert(e.status == bad[i].status, "%s: %d", bad[i].option, e.status);
        cr_assert(vmm_new((const char *const[]){bad[i].option, NULL}, NULL) == NULL);
    }
}

Test(refused, loading_beside_a_kernel)
{
    struct vmm *m = vmmtest_machine("memory=64M", micro_guest("hello"));

    cr_assert(vmm_load(m, MODE, CODE, "", 1, NULL) == -EINVAL);
    vmm_free(m);
    vmm_free(NULL);
}
