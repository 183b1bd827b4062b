/*
 * KVM's interrupt controllers on arm64: a GICv3 with an interrupt translation
 * service (ITS) for messages, or a GICv2, which has lines only.
 *
 * Source: Linux Documentation/virt/kvm/devices/arm-vgic.rst, arm-vgic-v3.rst and
 * arm-vgic-its.rst; Arm IHI 0048 and IHI 0069 for the registers and their reset
 * values.
 * Locking: none; set-up, or paused.
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
    err_hint(e, wanted != 0 ? "--machine virt without gic= takes what there is"
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

static int control(struct kvm *kvm, int fd, uint64_t command)
{
    return kvm_set_attr(kvm, fd, KVM_DEV_ARM_VGIC_GRP_CTRL, command, NULL);
}

int arch_irqchip_init(struct kvm *kvm, struct err *e)
{
    int r = control(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_CTRL_INIT);
    if (r == 0 && kvm->its_fd >= 0) {
        r = control(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_CTRL_INIT);
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

/* --- reset ------------------------------------------------------------ */

/* A run of 32-bit registers that get the same value. */
struct gic_run {
    uint32_t offset, count, value;
};

#define WORDS(bits) (VIRT_SPIS * (bits) / 32) /* for all SPIs at so many bits each */

/* Of the distributor; without the private interrupts, which each CPU has its own registers for. */
static const struct gic_run distributor[] = {
    {0x000, 1, 0},                 /* CTLR */
    {0x184, WORDS(1), UINT32_MAX}, /* ICENABLER */
    {0x204, WORDS(1), 0},          /* ISPENDR: GICv3 takes it as the state itself, ... */
    {0x284, WORDS(1), UINT32_MAX}, /* ICPENDR: ... GICv2 this */
    {0x384, WORDS(1), UINT32_MAX}, /* ICACTIVER */
    {0x420, WORDS(8), 0},          /* IPRIORITYR */
    {0xc08, WORDS(2), 0},          /* ICFGR */
};

/* The same for the private ones of a CPU: in the distributor (v2), in the redistributor (v3). */
#define SGI_FRAME 0x10000
#define PRIVATE(base)                                                                              \
    {(base) + 0x100, 1, 0x0000ffff},     /* ISENABLER0: KVM starts with the SGIs on */             \
        {(base) + 0x180, 1, 0xffff0000}, /* ICENABLER0 */                                          \
        {(base) + 0x200, 1, 0},          /* ISPENDR0 */                                            \
        {(base) + 0x280, 1, UINT32_MAX}, /* ICPENDR0 */                                            \
        {(base) + 0x380, 1, UINT32_MAX}, /* ICACTIVER0 */                                          \
    {                                                                                              \
        (base) + 0x400, 8, 0 /* IPRIORITYR */                                                      \
    }
static const struct gic_run banked_v2[] = {PRIVATE(0)};
static const struct gic_run redistributor[] = {
    {0x000, 1, 0}, /* CTLR: no messages, before their tables go */
    {0x070, 4, 0}, /* PROPBASER, PENDBASER */
    PRIVATE(SGI_FRAME),
};
static const struct gic_run cpu_interface_v2[] = {
    {0x00, 3, 0}, /* CTLR, PMR, BPR */
    {0xd0, 4, 0}, /* APR */
};
static const uint64_t cpu_interface_v3[] = {
    ARM64_SYS_REG(3, 0, 4, 6, 0),   /* ICC_PMR_EL1 */
    ARM64_SYS_REG(3, 0, 12, 8, 3),  /* ICC_BPR0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 8, 4),  /* ICC_AP0R0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 9, 0),  /* ICC_AP1R0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 3), /* ICC_BPR1_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 6), /* ICC_IGRPEN0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 7), /* ICC_IGRPEN1_EL1 */
};

/* cpu: the upper half of the attribute, which says whose registers. */
static int write_runs(struct kvm *kvm, uint32_t group, uint64_t cpu, const struct gic_run *runs,
                      size_t count)
{
    int r = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < runs[i].count && r == 0; n++) {
            uint32_t value = runs[i].value;
            r = kvm_set_attr(kvm, kvm->irqchip_fd, group, cpu << 32 | (runs[i].offset + 4 * n),
                             &value);
        }
    }
    return r;
}

#define WRITE_RUNS(kvm, group, cpu, runs)                                                          \
    write_runs(kvm, KVM_DEV_ARM_VGIC_GRP_##group, cpu, runs, sizeof(runs) / sizeof((runs)[0]))

int arch_irqchip_reset(struct kvm *kvm, struct err *e)
{
    int r = 0;
    for (unsigned gsi = 0; gsi < ARCH_IRQ_PINS && r == 0; gsi++) {
        struct kvm_irq_level line = {.irq = arch_irq_line(gsi)};
        r = kvm_ioctl(kvm, kvm->vm_fd, KVM_IRQ_LINE, &line);
    }
    if (r == 0 && kvm->its_fd >= 0) {
        r = control(kvm, kvm->its_fd, KVM_DEV_ARM_ITS_CTRL_RESET);
    }
    if (r == 0) {
        r = WRITE_RUNS(kvm, DIST_REGS, 0, distributor);
    }
    return r < 0 ? err_set(e, -r, "cannot reset KVM's interrupt controllers: %s", strerror(-r)) : 0;
}

int gic_reset_cpu(struct kvm *kvm, unsigned index, uint64_t mpidr)
{
    if (kvm->irqchip_version == 2) {
        int r = WRITE_RUNS(kvm, DIST_REGS, index, banked_v2);
        return r < 0 ? r : WRITE_RUNS(kvm, CPU_REGS, index, cpu_interface_v2);
    }
    const uint64_t cpu = (mpidr & 0xffffff) | (mpidr >> 8 & 0xff000000); /* Aff2..0, Aff3 */
    int r = WRITE_RUNS(kvm, REDIST_REGS, cpu, redistributor);
    for (size_t i = 0; i < sizeof(cpu_interface_v3) / sizeof(cpu_interface_v3[0]) && r == 0; i++) {
        const uint64_t reg = cpu_interface_v3[i] & KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK;
        uint64_t value = 0;
        r = kvm_set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpu << 32 | reg,
                         &value);
    }
    return r;
}
