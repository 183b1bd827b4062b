/*
 * Interrupts from outside: a line of the GIC, of whatever version the host has.
 */
#include "tests/boot/machines/machines.h"

GUEST(interrupts);

#define LINE 100 /* which `interrupts` takes */

/* Wait until the guest sleeps. */
static void until_idle(struct vmm *m)
{
    struct vmm_stop stop;

    cr_assert(vmm_run(m, &(struct vmm_limits){.idle_ms = 20}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_IDLE, "%s", stop.text);
}

Test(interrupts, pulses_of_a_line)
{
    MACHINE(m, VMM_EL1, CODE, interrupts, "machine=virt");
    until_idle(m);
    for (unsigned i = 1; i <= 3; i++) {
        char text[64];
        snprintf(text, sizeof(text), "MMIO write 4 bytes at pl011+0x24 value %u", i);
        cr_assert(vmm_irq_pulse(m, LINE, NULL) == 0);
        vmm_expect_exit(m, text);
    }
    cr_assert(vmm_irq_pulse(m, LINE + 1, NULL) == 0); /* it is off */
    until_idle(m);
    vmm_expect_reg(m, 0, "x15", 3);
    vmm_free(m);
}
