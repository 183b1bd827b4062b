/*
 * The GICv3 and its ITS in snapshots.
 *
 * Registers of the distributor, of each CPU's redistributor and CPU interface, and of the
 * ITS are read and written by number. Tables of the ITS and pending messages are in guest RAM:
 * saving writes them there, before RAM is saved. Lines are low afterwards, and devices raise
 * theirs anew; the timers' come with their registers.
 *
 * Source: Linux Documentation/virt/kvm/devices/arm-vgic-v3.rst and arm-vgic-its.rst, which
 * give the order; Arm IHI 0069, chapter 12, for the registers.
 * Locking: the vCPUs are paused.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/fdt.h"
#include "src/arch/arm64/map.h"
#include "src/base/pack.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

/* 32-bit registers: count of them from offset on. */
struct run {
    uint32_t offset, count;
};

#define WORDS(bits) (VIRT_SPIS * (bits) / 32)
#define SGI_FRAME   0x10000

/* Without the private interrupts, which are the redistributors'. IIDR chooses what follows. */
static const struct run distributor[] = {
    {0x008, 1},          /* IIDR */
    {0x000, 1},          /* CTLR */
    {0x084, WORDS(1)},   /* IGROUPR */
    {0x104, WORDS(1)},   /* ISENABLER */
    {0x204, WORDS(1)},   /* ISPENDR */
    {0x304, WORDS(1)},   /* ISACTIVER */
    {0x420, WORDS(8)},   /* IPRIORITYR */
    {0xc08, WORDS(2)},   /* ICFGR */
    {0x6100, WORDS(64)}, /* IROUTER */
};
/* The tables of messages before CTLR, which may turn them on. */
static const struct run redistributor[] = {
    {0x014, 1},             /* WAKER */
    {0x070, 4},             /* PROPBASER, PENDBASER */
    {0x000, 1},             /* CTLR */
    {SGI_FRAME + 0x080, 1}, /* IGROUPR0 */
    {SGI_FRAME + 0x100, 1}, /* ISENABLER0 */
    {SGI_FRAME + 0x200, 1}, /* ISPENDR0 */
    {SGI_FRAME + 0x300, 1}, /* ISACTIVER0 */
    {SGI_FRAME + 0x400, 8}, /* IPRIORITYR */
    {SGI_FRAME + 0xc00, 2}, /* ICFGR */
};
/* SRE decides about the others, CTLR about the number of bits. */
static const uint64_t cpu_interface[] = {
    ARM64_SYS_REG(3, 0, 12, 12, 5), /* ICC_SRE_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 4), /* ICC_CTLR_EL1 */
    ARM64_SYS_REG(3, 0, 4, 6, 0),   /* ICC_PMR_EL1 */
    ARM64_SYS_REG(3, 0, 12, 8, 3),  /* ICC_BPR0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 3), /* ICC_BPR1_EL1 */
    ARM64_SYS_REG(3, 0, 12, 8, 4),  /* ICC_AP0R0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 9, 0),  /* ICC_AP1R0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 6), /* ICC_IGRPEN0_EL1 */
    ARM64_SYS_REG(3, 0, 12, 12, 7), /* ICC_IGRPEN1_EL1 */
};

/* Of 64 bits. IIDR first: it says which layout the tables have. CTLR comes after the tables. */
#define ITS_CTLR 0x000
static const uint32_t its_registers[] = {
    0x004,                                                  /* IIDR */
    0x080,                                                  /* CBASER */
    0x090,                                                  /* CREADR */
    0x088,                                                  /* CWRITER */
    0x100, 0x108, 0x110, 0x118, 0x120, 0x128, 0x130, 0x138, /* BASER */
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int get_attr(struct kvm *kvm, int fd, uint32_t group, uint64_t attr, void *value)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)value};
    return kvm_ioctl(kvm, fd, KVM_GET_DEVICE_ATTR, &a);
}

/* How KVM's attributes name a CPU: Aff3 to Aff0 in the upper half. */
static uint64_t cpu_attr(unsigned index)
{
    const uint64_t affinity = virt_affinity(index);
    return ((affinity & 0xffffff) | (affinity >> 8 & 0xff000000)) << 32;
}

static bool has_cpu(struct kvm *kvm, unsigned index)
{
    uint32_t value;
    return get_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, cpu_attr(index),
                    &value) == 0;
}

/* --- registers in and out --------------------------------------------- */

static int save_runs(struct kvm *kvm, uint32_t group, uint64_t cpu, const struct run *runs,
                     size_t count, struct pack *out)
{
    int ret = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < runs[i].count && ret == 0; n++) {
            uint32_t value = 0;
            ret = get_attr(kvm, kvm->irqchip_fd, group, cpu | (runs[i].offset + 4 * n), &value);
            pack_u32(out, value);
        }
    }
    return ret;
}

static int load_runs(struct kvm *kvm, uint32_t group, uint64_t cpu, const struct run *runs,
                     size_t count, struct unpack *in)
{
    int ret = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < runs[i].count && ret == 0; n++) {
            uint32_t value = unpack_u32(in);
            ret = in->failed ? 0
                             : kvm_set_attr(kvm, kvm->irqchip_fd, group,
                                            cpu | (runs[i].offset + 4 * n), &value);
        }
    }
    return ret;
}

static int save_cpu(struct kvm *kvm, unsigned index, struct pack *out)
{
    const uint64_t cpu = cpu_attr(index);
    int ret = save_runs(kvm, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, cpu, redistributor,
                        COUNT(redistributor), out);
    for (size_t i = 0; i < COUNT(cpu_interface) && ret == 0; i++) {
        const uint64_t reg = cpu_interface[i] & KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK;
        uint64_t value = 0;
        ret = get_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpu | reg, &value);
        pack_u64(out, value);
    }
    return ret;
}

static int load_cpu(struct kvm *kvm, unsigned index, struct unpack *in)
{
    const uint64_t cpu = cpu_attr(index);
    int ret = load_runs(kvm, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, cpu, redistributor,
                        COUNT(redistributor), in);
    for (size_t i = 0; i < COUNT(cpu_interface) && ret == 0; i++) {
        const uint64_t reg = cpu_interface[i] & KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK;
        uint64_t value = unpack_u64(in);
        ret = in->failed ? 0
                         : kvm_set_attr(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
                                        cpu | reg, &value);
    }
    return ret;
}

static int control(struct kvm *kvm, int fd, uint64_t command)
{
    return kvm_set_attr(kvm, fd, KVM_DEV_ARM_VGIC_GRP_CTRL, command, NULL);
}

static int save_its(struct kvm *kvm, struct pack *out)
{
    uint64_t value = 0;
    int ret = control(kvm, kvm->its_fd, KVM_DEV_ARM_ITS_SAVE_TABLES);
    for (size_t i = 0; i < COUNT(its_registers) && ret == 0; i++) {
        ret = get_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_ITS_REGS, its_registers[i], &value);
        pack_u64(out, value);
    }
    if (ret == 0) {
        ret = get_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_ITS_REGS, ITS_CTLR, &value);
        pack_u64(out, value);
    }
    return ret;
}

static int load_its(struct kvm *kvm, struct unpack *in)
{
    uint64_t value;
    int ret = 0;
    for (size_t i = 0; i < COUNT(its_registers) && ret == 0; i++) {
        value = unpack_u64(in);
        ret = in->failed ? 0
                         : kvm_set_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_ITS_REGS,
                                        its_registers[i], &value);
    }
    value = unpack_u64(in);
    if (ret == 0 && !in->failed) {
        ret = control(kvm, kvm->its_fd, KVM_DEV_ARM_ITS_RESTORE_TABLES);
    }
    if (ret == 0 && !in->failed) {
        ret = kvm_set_attr(kvm, kvm->its_fd, KVM_DEV_ARM_VGIC_GRP_ITS_REGS, ITS_CTLR, &value);
    }
    return ret;
}

/* --- the VM -------------------------------------------------------------- */

static int refuse_v2(const struct kvm *kvm, struct err *e)
{
    if (kvm->irqchip_version == 3) {
        return 0;
    }
    err_set(e, ENOTSUP, "a machine with a GICv2 cannot be saved");
    err_hint(e, "--machine virt,gic=3, where the host has one");
    return -ENOTSUP;
}

int arch_vm_save(struct kvm *kvm, struct pack *out, struct err *e)
{
    if (refuse_v2(kvm, e) < 0) {
        return -ENOTSUP;
    }
    int ret = control(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES);
    if (ret == 0) {
        ret =
            save_runs(kvm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0, distributor, COUNT(distributor), out);
    }
    for (unsigned i = 0; ret == 0 && has_cpu(kvm, i); i++) {
        ret = save_cpu(kvm, i, out);
    }
    pack_u32(out, kvm->its_fd >= 0);
    if (ret == 0 && kvm->its_fd >= 0) {
        ret = save_its(kvm, out);
    }
    return ret < 0
               ? err_set(e, -ret, "KVM cannot save the interrupt controller: %s", strerror(-ret))
               : 0;
}

/* The redistributors before the ITS, as KVM's documentation asks for. */
int arch_vm_load(struct kvm *kvm, struct unpack *in, struct err *e)
{
    if (refuse_v2(kvm, e) < 0) {
        return -ENOTSUP;
    }
    int ret =
        load_runs(kvm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0, distributor, COUNT(distributor), in);
    for (unsigned i = 0; ret == 0 && has_cpu(kvm, i); i++) {
        ret = load_cpu(kvm, i, in);
    }
    const bool its = unpack_u32(in) != 0;
    if (ret == 0 && !in->failed && its != (kvm->its_fd >= 0)) {
        return err_set(e, ENOTSUP, "its interrupt controller has %s, this host's has %s",
                       its ? "an ITS" : "no ITS", its ? "none" : "one");
    }
    if (ret == 0 && its) {
        ret = load_its(kvm, in);
    }
    return ret < 0 ? err_set(e, -ret, "KVM refused the state of the interrupt controller: %s",
                             strerror(-ret))
                   : 0;
}
