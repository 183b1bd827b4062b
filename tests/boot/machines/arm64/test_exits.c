/*
 * Guest events on the `virt` machine.
 */
#include "tests/boot/machines/machines.h"

GUEST(factorial);
GUEST(widths);

Test(exits, ordered_list_on_edu_and_uart)
{
    MACHINE(m, VMM_EL1, CODE, factorial, EDU);
    vmm_expect_exits(m, "MMIO write 4 bytes at edu+0x8 value 5", "MMIO read 4 bytes at edu+0x20",
                     "MMIO read 4 bytes at edu+0x8 value 120",
                     "MMIO write 4 bytes at pl011+0 value 0x78");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

Test(exits, next_ones_of_every_width)
{
    MACHINE(m, VMM_EL1, CODE, widths, EDU);
    vmm_expect_next_exits(
        m, "MMIO read 4 bytes at edu+0 value 0x010000ed",
        "MMIO write 8 bytes at edu+0x80 value 0x1122334455667788", "MMIO read 8 bytes at edu+0x80",
        "MMIO write 2 bytes at edu+4 value 0x1234", "MMIO write 1 byte at pl011+0x28 value 0x34",
        "MMIO read 1 byte at 0x09000028 value 0x34",
        "MMIO read 4 bytes at 0x0b000000 value 0xffffffff");
    cr_assert(strstr(vmm_log(m), "fits no register") != NULL, "log: %s", vmm_log(m));
    vmm_expect_stop(m, VMM_DEAD);
    vmm_free(m);
}
