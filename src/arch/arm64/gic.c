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

static int set_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_SET_DEVICE_ATTR, &a);
}

/* --- creation --------------------------------------------------------- */

static int create_device(struct kvm *kvm, uint32_t type, int *fd)
{
    struct kvm_create_device d = {.type = type};
    int r = kvm_ioctl(kvm, kvm->vm_fd, KVM_CREATE_DEVICE, &d);
    if (r == 0) {
        *fd = (int)d.fd;
    }
    return r;
}

static int set_address(struct kvm *kvm, int fd, uint64_t which, uint64_t gpa)
{
    return set_attr(kvm, fd, KVM_DEV_ARM_VGIC_GRP_ADDR, which, &gpa);
}

/* A host may have the GICv3 and no ITS; then there are no messages. */
static int create_its(struct kvm *kvm)
{
    int r = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_ITS, &kvm->its_fd);
    if (r == -ENODEV) {
        return 0;
    }
    return r < 0 ? r : set_address(kvm, kvm->its_fd, KVM_VGIC_ITS_ADDR_TYPE, VIRT_ITS_GPA);
}

static int create_v3(struct kvm *kvm)
{
    int r = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_V3, &kvm->irqchip_fd);
    if (r == 0) {
        r = set_address(kvm, kvm->irqchip_fd, KVM_VGIC_V3_ADDR_TYPE_DIST, VIRT_GICD_GPA);
    }
    if (r == 0) {
        r = set_address(kvm, kvm->irqchip_fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, VIRT_GICR_GPA);
    }
    kvm->irqchip_version = 3;
    return r == 0 ? create_its(kvm) : r;
}

static int create_v2(struct kvm *kvm)
{
    int r = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_V2, &kvm->irqchip_fd);
    if (r == 0) {
        r = set_address(kvm, kvm->irqchip_fd, KVM_VGIC_V2_ADDR_TYPE_DIST, VIRT_GICD_GPA);
    }
    if (r == 0) {
        r = set_address(kvm, kvm->irqchip_fd, KVM_VGIC_V2_ADDR_TYPE_CPU, VIRT_GICC_GPA);
    }
    kvm->irqchip_version = 2;
    return r;
}

static int refused(int r, unsigned wanted, struct err *e)
{
    if (r != -ENODEV) {
        return err_set(e, -r, "KVM cannot create a GICv%u: %s", wanted, strerror(-r));
    }
    err_status(e, EXIT_NO_KVM);
    if (wanted == 0) {
        return err_set(e, ENODEV, "this host's KVM has neither a GICv3 nor a GICv2 for guests");
    }
    err_set(e, ENODEV, "this host's KVM has no GICv%u for guests", wanted);
    err_hint(e, "--machine virt without gic= takes what there is");
    return -ENODEV;
}

int arch_irqchip_create(struct kvm *kvm, struct err *e)
{
    const unsigned wanted = kvm->irqchip_version;
    int r = wanted == 2 ? create_v2(kvm) : create_v3(kvm);
    if (r == -ENODEV && wanted == 0) {
        r = create_v2(kvm);
    }
    if (r == 0) {
        uint32_t intids = FIRST_SPI + VIRT_SPIS;
        r = set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &intids);
    }
    return r < 0 ? refused(r, r == -ENODEV ? wanted : kvm->irqchip_version, e) : 0;
}

int arch_irqchip_init(struct kvm *kvm, struct err *e)
{
    int r =
        set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
    if (r == 0 && kvm->its_fd >= 0) {
        r = set_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
    }
    return r < 0 ? err_set(e, -r, "KVM cannot set the GICv%u up: %s", kvm->irqchip_version,
                           strerror(-r))
                 : 0;
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
            r = set_attr(kvm, kvm->irqchip_fd, group, cpu << 32 | (runs[i].offset + 4 * n), &value);
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
        r = set_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_ITS_CTRL_RESET, NULL);
    }
    if (r == 0) {
        r = WRITE_RUNS(kvm, DIST_REGS, 0, distributor);
    }
    return r < 0 ? err_set(e, -r, "cannot reset KVM's interrupt controllers: %s", strerror(-r)) : 0;
}

static int reset_cpu_v2(struct kvm *kvm, unsigned index)
{
    int r = WRITE_RUNS(kvm, DIST_REGS, index, banked_v2);
    return r < 0 ? r : WRITE_RUNS(kvm, CPU_REGS, index, cpu_interface_v2);
}

static int reset_cpu_v3(struct kvm *kvm, uint64_t mpidr)
{
    const uint64_t cpu = (mpidr & 0xffffff) | (mpidr >> 8 & 0xff000000); /* Aff2..0, Aff3 */
    int r = WRITE_RUNS(kvm, REDIST_REGS, cpu, redistributor);
    for (size_t i = 0; i < sizeof(cpu_interface_v3) / sizeof(cpu_interface_v3[0]) && r == 0; i++) {
        uint64_t value = 0;
        const uint64_t reg = cpu_interface_v3[i] & KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK;
        r = set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpu << 32 | reg,
                     &value);
    }
    return r;
}

int gic_reset_cpu(struct kvm *kvm, unsigned index, uint64_t mpidr)
{
    return kvm->irqchip_version == 2 ? reset_cpu_v2(kvm, index) : reset_cpu_v3(kvm, mpidr);
}
