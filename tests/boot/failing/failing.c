/*
 * Tests that fail, each in its own way: test_report.c runs them and reads what they say. They are
 * no part of the suite.
 */
#include "tests/boot/machines/machines.h"

GUEST(factorial);
GUEST(crash);
GUEST(sleep);
GUEST(chatter);

Test(failing, other_value)
{
    MACHINE(m, MODE, CODE, factorial, EDU);
    vmm_expect_next_exits(m, "MMIO write 4 bytes at edu+0x8 value 6");
}

Test(failing, exit_that_never_comes)
{
    MACHINE(m, MODE, CODE, factorial, EDU);
    vmm_expect_exit(m, "IO write at 0x1234");
}

Test(failing, crash)
{
    MACHINE(m, MODE, CODE, crash, "cpus=1");
    vmm_expect_status(m, 0);
}

Test(failing, reg)
{
    MACHINE(m, MODE, CODE, chatter, "cpus=1");
    vmm_expect_exit(m, "value 7");
    vmm_expect_reg(m, 0, REG_VALUE, 8);
}

Test(failing, memory)
{
    MACHINE(m, MODE, CODE, chatter, "cpus=1");
    const uint8_t other[] = {guest_chatter[0], guest_chatter[1], 0x99};

    vmm_expect_memory(m, CODE, other, 3);
}

Test(failing, console)
{
    MACHINE(m, MODE, CODE, factorial, EDU);
    vmm_expect_console(m, "^y$");
}

Test(failing, stop)
{
    MACHINE(m, MODE, CODE, sleep, "cpus=1");
    vmm_set_limits(m, &(struct vmm_limits){.idle_ms = 20});
    vmm_expect_stop(m, VMM_DEAD);
}

Test(failing, pattern)
{
    MACHINE(m, MODE, CODE, chatter, "cpus=1");
    vmm_expect_exit(m, "IO wrote 1 byte");
}
