/*
 * Interrupts and faults from outside.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

GUEST(interrupts);
GUEST(message);
GUEST(liveness);
GUEST(transfer);

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

Test(interrupts, that_cannot_be)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    struct vmm_error e;

    cr_assert(vmm_irq(m, 24, true, &e) == -EINVAL && vmm_irq_pulse(m, 1000, &e) == -EINVAL);
    cr_assert(vmm_msi(m, 0x1000, 0, &e) == -EINVAL);
    vmm_free(m);
}

/* --- faults ------------------------------------------------------------------------- */

Test(faults, register_reads)
{
    MACHINE(m, VMM_LONG64, 0x10000, liveness, "device=edu");
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_READ, .offset = 4, .after = 1, .times = 1);
    vmm_expect_exits(m, "IO write 4 bytes value 0xfffffff0", "MMIO read at edu+4 value 0xffffffff",
                     "IO write 4 bytes value 0xffffffff");
    cr_assert(vmm_faults(m, "edu") == 1);
    vmm_free(m);
}

Test(faults, register_writes)
{
    MACHINE(m, VMM_LONG64, 0x10000, liveness, "device=edu");
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_WRITE, .any_offset = true, .after = 1);
    vmm_expect_exits(m, "IO write 4 bytes value 0xfffffff0", "IO write 4 bytes value 0xfffffff0");
    cr_assert(vmm_faults(m, "edu") == 1);
    vmm_free(m);
}

Test(faults, healed)
{
    MACHINE(m, VMM_LONG64, 0x10000, liveness, "device=edu");
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_READ, .any_offset = true);
    vmm_expect_exit(m, "IO write 4 bytes value 0xffffffff");
    cr_assert(vmm_heal(m, "edu", NULL) == 0);
    vmm_expect_exit(m, "IO write 4 bytes value 0xffffffef");
    vmm_free(m);
}

/* edu as a platform device, which may always copy, does it from 0x2000 to 0x2100. */
static struct vmm *transfer_machine(void)
{
    MACHINE(m, VMM_LONG64, 0x10000, transfer, "device=edu,bus=mmio,dma_delay=1");
    cr_assert(vmm_set_reg(m, 0, "rdi", 0xfe000000, NULL) == 0);
    cr_assert(vmm_write(m, 0x2000, "disturb!", 8, NULL) == 0);
    return m;
}

Test(faults, dma)
{
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t zeros[8];
    struct vmm *m = transfer_machine();

    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, 0x2100, "disturb!", 8);
    vmm_free(m);

    m = transfer_machine(); /* the device reads what is not there */
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_DMA, .times = 1);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, 0x2100, ones, 8);
    vmm_free(m);

    m = transfer_machine(); /* and writes to where nothing is */
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_DMA, .after = 1);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, 0x2100, zeros, 8);
    cr_assert(vmm_faults(m, "edu") == 1);
    cr_assert(strstr(vmm_log(m), "cannot reach 0x2100") != NULL, "%s", vmm_log(m));
    vmm_free(m);
}

Test(faults, disk)
{
    char path[] = "/tmp/vmm-machines-XXXXXX", disk[64];
    const int fd = mkstemp(path);

    cr_assert(fd >= 0 && ftruncate(fd, 16 * 512) == 0);
    snprintf(disk, sizeof(disk), "disk=%s", path);
    struct vmm *m = vmmtest_machine("memory=64M", disk, micro_guest("blk"));
    vmm_expect_console(m, "^blk: ok$");
    vmm_expect_status(m, 0);
    vmm_free(m);

    m = vmmtest_machine("memory=64M", disk, micro_guest("blk"));
    vmmtest_inject(m, "virtio-blk", .kind = VMM_FAULT_IO, .any_offset = true, .times = 1);
    vmm_expect_console(m, "blk\\.c:[0-9]+: failed");
    cr_assert(vmm_faults(m, "virtio-blk") == 1);
    cr_assert(strstr(vmm_log(m), "Input/output error") != NULL, "%s", vmm_log(m));
    vmm_free(m);
    close(fd);
    unlink(path);
}

Test(faults, mistakes)
{
    struct vmm *m = vmmtest_machine("memory=1M", "device=edu");
    const struct vmm_fault f = {.kind = VMM_FAULT_DMA};
    struct vmm_error e;

    cr_assert(vmm_inject(m, "edo", &f, &e) == -ENOENT && strstr(e.hint, "edu") != NULL);
    cr_assert(vmm_heal(m, "edo", &e) == -ENOENT && vmm_faults(m, "edo") == 0);
    for (int i = 0; i < 8; i++) {
        cr_assert(vmm_inject(m, "edu", &f, &e) == 0);
    }
    cr_assert(vmm_inject(m, "edu", &f, &e) == -ENOSPC);
    cr_assert(vmm_heal(m, "edu", &e) == 0 && vmm_inject(m, "edu", &f, &e) == 0);
    cr_assert(vmm_inject(m, "edu", &(struct vmm_fault){.kind = 7}, &e) == -EINVAL);
    vmm_free(m);
}
