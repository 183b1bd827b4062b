/*
 * Interrupts from outside: lines by the 8259s, messages to the local APIC.
 */
#include "tests/boot/machines/machines.h"

GUEST(interrupts);
GUEST(message);

/* Wait until the guest sleeps. */
static void until_idle(struct vmm *m)
{
    struct vmm_stop stop;

    cr_assert(vmm_run(m, &(struct vmm_limits){.idle_ms = 20}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_IDLE, "%s", stop.text);
}

Test(interrupts, pulses_of_a_line)
{
    static const uint8_t vector[] = {0x00, 0x7d, 0x00, 0x00}; /* 0000:7d00 */

    MACHINE(m, VMM_REAL16, 0x7c00, interrupts, "machine=pc");
    cr_assert(vmm_write(m, 0x25 * 4, vector, sizeof(vector), NULL) == 0);
    until_idle(m);
    for (unsigned i = 1; i <= 3; i++) {
        char text[64];
        snprintf(text, sizeof(text), "IO write 1 byte at pc-ports.post value %u", i);
        cr_assert(vmm_irq_pulse(m, 5, NULL) == 0);
        vmm_expect_exit(m, text);
    }
    cr_assert(vmm_irq_pulse(m, 3, NULL) == 0); /* masked */
    until_idle(m);
    vmm_expect_reg(m, 0, "rbx", 3);
    vmm_free(m);
}

Test(interrupts, message)
{
    MACHINE(m, VMM_PROT32, 0x10000, message, "machine=pc");
    until_idle(m);
    cr_assert(vmm_msi(m, 0xfee00000, 0x40, NULL) == 0);
    vmm_expect_exit(m, "IO write 1 byte at pc-ports.post value 0x77");
    vmm_free(m);
}
