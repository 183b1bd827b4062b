/*
 * KVM's interrupt controllers on arm64: a GICv3 with an interrupt translation
 * service (ITS) for messages, or a GICv2, which has lines only.
 *
 * Source: Linux Documentation/virt/kvm/devices/arm-vgic.rst, arm-vgic-v3.rst and
 * arm-vgic-its.rst.
 * Locking: none; set-up.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/map.h"
#include "src/arch/arm64/regs.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

static_assert(ARCH_IRQ_PINS == VIRT_SPIS, "a GSI is an SPI");

#define FIRST_SPI 32 /* its INTID */

/* --- creation --------------------------------------------------------- */

struct gic_model {
    uint32_t type;
    uint32_t which[2]; /* KVM's names of its two parts */
    uint64_t gpa[2];   /* where they are */
};

static const struct gic_model v2 = {
    KVM_DEV_TYPE_ARM_VGIC_V2,
    {KVM_VGIC_V2_ADDR_TYPE_DIST, KVM_VGIC_V2_ADDR_TYPE_CPU},
    {VIRT_GICD_GPA, VIRT_GICC_GPA},
};
static const struct gic_model v3 = {
    KVM_DEV_TYPE_ARM_VGIC_V3,
    {KVM_VGIC_V3_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_REDIST},
    {VIRT_GICD_GPA, VIRT_GICR_GPA},
};

static int create_gic(struct kvm *kvm, unsigned version)
{
    const struct gic_model *model = version == 2 ? &v2 : &v3;
    uint32_t intids = FIRST_SPI + VIRT_SPIS;
    int r = kvm_create_device(kvm, model->type, &kvm->irqchip_fd);
    for (unsigned i = 0; i < 2 && r == 0; i++) {
        uint64_t gpa = model->gpa[i];
        r = kvm_set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_ADDR, model->which[i], &gpa);
    }
    kvm->irqchip_version = version;
    return r < 0 ? r : kvm_set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &intids);
}

/* A host may have the GICv3 and no ITS; then there are no messages. */
static int create_its(struct kvm *kvm)
{
    uint64_t gpa = VIRT_ITS_GPA;
    int r = kvm_create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_ITS, &kvm->its_fd);
    if (r == 0) {
        r = kvm_set_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &gpa);
    }
    return r == -ENODEV ? 0 : r;
}

/* wanted 0: any. */
static int refused(const struct kvm *kvm, int r, unsigned wanted, struct err *e)
{
    if (r != -ENODEV) {
        return err_set(e, -r, "KVM refused the GICv%u: %s", kvm->irqchip_version, strerror(-r));
    }
    err_set(e, ENODEV, "this host's KVM has no GICv%s for guests",
            wanted == 0   ? "3 and no GICv2"
            : wanted == 2 ? "2"
                          : "3");
    err_hint(e, wanted != 0 ? "--machine virt without gic= takes what there is; a snapshot's is "
                              "what it was saved with"
                            : "vmm needs a host with a GICv2 or GICv3 that has the virtualization "
                              "extensions (dmesg | grep -i gic)");
    err_status(e, EXIT_NO_KVM);
    return -ENODEV;
}

int arch_irqchip_create(struct kvm *kvm, struct err *e)
{
    const unsigned wanted = kvm->irqchip_version;
    int r = create_gic(kvm, wanted != 0 ? wanted : 3);
    if (r == -ENODEV && wanted == 0) {
        r = create_gic(kvm, 2);
    }
    if (r == 0 && kvm->irqchip_version == 3) {
        r = create_its(kvm);
    }
    return r < 0 ? refused(kvm, r, wanted, e) : 0;
}

int arch_irqchip_init(struct kvm *kvm, struct err *e)
{
    int r = gic_command(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_CTRL_INIT);
    if (r == 0 && kvm->its_fd >= 0) {
        r = gic_command(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_CTRL_INIT);
    }
    return r < 0 ? refused(kvm, r, 0, e) : 0;
}

/* --- lines and messages ----------------------------------------------- */

uint32_t arch_irq_line(unsigned gsi)
{
    return KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (FIRST_SPI + gsi);
}

size_t arch_irq_routes(struct kvm_irq_routing_entry *entries)
{
    for (unsigned gsi = 0; entries != NULL && gsi < ARCH_IRQ_PINS; gsi++) {
        entries[gsi] = (struct kvm_irq_routing_entry){
            .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.pin = gsi};
    }
    return ARCH_IRQ_PINS;
}

bool arch_is_msi_address(const struct kvm *kvm, uint64_t address)
{
    return kvm->its_fd >= 0 && address == VIRT_ITS_TRANSLATER;
}
