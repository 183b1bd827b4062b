/*
 * What the `virt` machine of arm64 is made of; places are in map.h.
 *
 * Locking: main thread, while no vCPU runs.
 */
#include "src/arch/board.h"

#include "src/arch/arm64/fdt.h"
#include "src/arch/arm64/map.h"
#include "src/arch/virt/virt.h"
#include "src/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>

const char board_channel[] = "/dev/ttyAMA1";
const uint64_t board_ram_gpa = VIRT_RAM_GPA;

static int prepare(struct machine *m, struct err *e)
{
    const struct config *c = m->config;

    if (c->gic == 2 && c->cpus > VIRT_GICV2_CPUS_MAX) {
        err_set(e, EINVAL, "%u CPUs: a GICv2 serves %d at most", c->cpus, VIRT_GICV2_CPUS_MAX);
        err_status(e, EXIT_USAGE);
        return -EINVAL;
    }
    if (m->vm != NULL) {
        m->vm->kvm.irqchip_version = c->gic;
    }
    return 0;
}

static int make_tree(struct machine *m, struct virt_inventory *has, void **tree, struct err *e)
{
    struct kvm *kvm = m->vm != NULL ? &m->vm->kvm : NULL;

    has->gic = kvm != NULL ? kvm->irqchip_version : m->config->gic == 2 ? 2 : 3;
    has->its = has->gic == 3 && (kvm == NULL || kvm->its_fd >= 0);
    has->pmu = kvm == NULL || virt_has_feature(kvm, m->config->cpu, 1U << KVM_ARM_VCPU_PMU_V3);
    return virt_fdt_make(has, tree, e);
}

const struct virt_machine virt_machine = {
    .boot = &boot_arm64,
    .console = "console=ttyAMA0",
    .virtio = {{VIRT_VIRTIO_GPA, VIRT_VIRTIO_STRIDE, VIRT_VIRTIO_SLOTS}, VIRT_SPI_VIRTIO},
    .platform = {{VIRT_PLATFORM_GPA, VIRT_PLATFORM_STRIDE, VIRT_PLATFORM_MAX}, VIRT_SPI_PLATFORM},
    .pci =
        {
            .ecam = VIRT_ECAM_GPA,
            .ecam_size = VIRT_ECAM_SIZE,
            .io_size = VIRT_PCI_IO_SIZE,
            .io_gpa = VIRT_PCI_IO_GPA,
            .mem32 = VIRT_PCI_MEM32_GPA,
            .mem32_size = VIRT_PCI_MEM32_SIZE,
            .intx_gsi = VIRT_SPI_INTX,
        },
    .mem64_size = VIRT_PCI_MEM64_SIZE,
    .mem64_align = VIRT_PCI_MEM64_ALIGN,
    .built_in = {"pl011", "pl031", "pvpanic"},
    .uart2 = "pl011",
    .uart2_gpa = VIRT_UART2_GPA,
    .uart2_gsi = VIRT_SPI_UART2,
    .gpa_bits = VIRT_GPA_BITS,
    .gpa_bits_cap = KVM_CAP_ARM_VM_IPA_SIZE,
    .prepare = prepare,
    .make_tree = make_tree,
};

int board_enter(struct machine *m, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
                struct err *e)
{
    (void)m;
    if (mode != BOOT_EL1) {
        return err_set(e, EINVAL, "code on arm64 begins in EL1");
    }
    if (gpa % 4 != 0) {
        return err_set(e, EINVAL, "code at 0x%" PRIx64 ": instructions are at multiples of 4", gpa);
    }
    *entry = (struct boot_entry){.format = BOOT_FLAT, .mode = mode, .ip = gpa};
    return 0;
}
