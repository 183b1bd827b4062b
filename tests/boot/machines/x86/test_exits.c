/*
 * Guest events of ports, of string instructions, and of writes that KVM keeps.
 */
#include "tests/boot/machines/machines.h"

GUEST(factorial);
GUEST(widths);
GUEST(string);

Test(exits, ordered_list_on_edu_and_uart)
{
    MACHINE(m, VMM_LONG64, 0x10000, factorial, "device=edu");
    vmm_expect_exits(m, "MMIO write 4 bytes at edu+0x8 value 5", "MMIO read 4 bytes at edu+0x20",
                     "MMIO read 4 bytes at edu+0x8 value 120",
                     "IO write 1 byte at uart16550+0 value 0x78",
                     "MMIO write 1 byte at 0xfea00200 value 0x34");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

Test(exits, next_ones_of_every_width)
{
    MACHINE(m, VMM_LONG64, 0x10000, widths, "device=edu");
    vmm_expect_next_exits(
        m, "MMIO read 4 bytes at edu+0 value 0x010000ed",
        "MMIO write 8 bytes at edu+0x80 value 0x1122334455667788", "MMIO read 8 bytes at edu+0x80",
        "MMIO write 2 bytes at edu+4 value 0x1234", "IO write 1 byte at uart16550+7 value 0x5a",
        "IO read 1 byte at 0x3ff value 0x5a", "IO read 4 bytes at 0x5555");
    cr_assert(strstr(vmm_log(m), "fits no register") != NULL, "log: %s", vmm_log(m));
    vmm_expect_stop(m, VMM_DEAD);
    vmm_free(m);
}

Test(exits, items_of_a_string_instruction)
{
    MACHINE(m, VMM_REAL16, 0x7c00, string, "machine=pc");
    vmm_expect_next_exits(m, "IO write 1 byte at uart16550+0 value 0x48",
                          "IO write 1 byte at uart16550+0 value 0x65",
                          "IO write 1 byte at uart16550+0 value 0x6c");
    vmm_expect_console(m, "^Hello$");
    vmm_free(m);
}

/* Writes that KVM keeps are no events, unless posting is off. */
Test(exits, posted_writes)
{
    struct vmm *m = vmmtest_machine("memory=1M", "posted=on");
    struct vmm_stop stop;

    LOAD(m, VMM_REAL16, 0x7c00, string);
    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(vmm_events(m) <= 6);
    cr_assert_str_eq(vmm_console(m, NULL), "Hello\n");
    vmm_free(m);
}
