/*
 * Faults of devices, and interrupts that cannot be.
 */
#include "tests/boot/machines/machines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

GUEST(liveness);
GUEST(transfer);

#define RESULT (DATA + 0x100)

Test(interrupts, that_cannot_be)
{
    struct vmm *m = vmmtest_machine("memory=1M");
    struct vmm_error e;

    cr_assert(vmm_irq(m, LINES, true, &e) == -EINVAL && vmm_irq_pulse(m, 1000, &e) == -EINVAL);
    cr_assert(vmm_msi(m, 0x1000, 0, &e) == -EINVAL);
    vmm_free(m);
}

/* --- faults ------------------------------------------------------------------------- */

Test(faults, register_reads)
{
    MACHINE(m, MODE, CODE, liveness, EDU);
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_READ, .offset = 4, .after = 1, .times = 1);
    vmm_expect_exits(m, "write 4 bytes value 0xfffffff0", "MMIO read at edu+4 value 0xffffffff",
                     "write 4 bytes value 0xffffffff");
    cr_assert(vmm_faults(m, "edu") == 1);
    vmm_free(m);
}

Test(faults, register_writes)
{
    MACHINE(m, MODE, CODE, liveness, EDU);
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_WRITE, .any_offset = true, .after = 1);
    vmm_expect_exits(m, "write 4 bytes value 0xfffffff0", "write 4 bytes value 0xfffffff0");
    cr_assert(vmm_faults(m, "edu") == 1);
    vmm_free(m);
}

Test(faults, healed)
{
    MACHINE(m, MODE, CODE, liveness, EDU);
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_READ, .any_offset = true);
    vmm_expect_exit(m, "write 4 bytes value 0xffffffff");
    cr_assert(vmm_heal(m, "edu", NULL) == 0);
    vmm_expect_exit(m, "write 4 bytes value 0xffffffef");
    vmm_free(m);
}

/* edu as a platform device, which may always copy, does it from DATA to RESULT. */
static struct vmm *transfer_machine(void)
{
    MACHINE(m, MODE, CODE, transfer, EDU ",bus=mmio,dma_delay=1");
    cr_assert(vmm_write(m, DATA, "disturb!", 8, NULL) == 0);
    return m;
}

Test(faults, dma)
{
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t zeros[8];
    char text[64];
    struct vmm *m = transfer_machine();

    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, RESULT, "disturb!", 8);
    vmm_free(m);

    m = transfer_machine(); /* the device reads what is not there */
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_DMA, .times = 1);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, RESULT, ones, 8);
    vmm_free(m);

    m = transfer_machine(); /* and writes to where nothing is */
    vmmtest_inject(m, "edu", .kind = VMM_FAULT_DMA, .after = 1);
    vmm_expect_stop(m, VMM_DEAD);
    vmm_expect_memory(m, RESULT, zeros, 8);
    cr_assert(vmm_faults(m, "edu") == 1);
    snprintf(text, sizeof(text), "cannot reach 0x%x", RESULT);
    cr_assert(strstr(vmm_log(m), text) != NULL, "%s", vmm_log(m));
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
