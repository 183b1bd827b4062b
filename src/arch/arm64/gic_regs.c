/*
 * The registers of the GIC and its ITS: at a reset, and in snapshots.
 *
 * Those of the distributor, of each CPU's own part (GICv3: redistributor and CPU interface; GICv2:
 * what the distributor has once for each CPU, and the CPU interface), and of the ITS are read and
 * written by number. Tables of the ITS and pending messages are in guest RAM: saving writes them
 * there, before RAM is saved. Lines are low afterwards, and devices raise theirs anew; the timers'
 * come with their registers.
 *
 * Source: Linux Documentation/virt/kvm/devices/arm-vgic.rst, arm-vgic-v3.rst and arm-vgic-its.rst,
 * which give the order; Arm IHI 0048, chapter 4, and IHI 0069, chapter 12, for the registers and
 * their reset values.
 * Locking: the vCPUs are paused.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/fdt.h"
#include "src/arch/arm64/map.h"
#include "src/arch/arm64/regs.h"
#include "src/kvm/saved.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define WORDS(bits) (VIRT_SPIS * (bits) / 32) /* for all SPIs at so many bits each */
#define SGI_FRAME   0x10000

/* --- what is saved of a GICv3 ---------------------------------------------- */

/* Without the private interrupts, which are the redistributors'. IIDR chooses what follows. */
static const struct attr_run distributor_runs[] = {
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
static const struct attr_run redistributor_runs[] = {
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
#define ICC(crn, crm, op2)                                                                         \
    {                                                                                              \
        ARM64_SYS_REG(3, 0, crn, crm, op2) & KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK, 1                 \
    }
/* SRE decides about the others, CTLR about the number of bits; a reset leaves both alone. */
enum { ICC_KEPT = 2 };
static const struct attr_run cpu_interface_runs[] = {
    ICC(12, 12, 5), /* ICC_SRE_EL1 */
    ICC(12, 12, 4), /* ICC_CTLR_EL1 */
    ICC(4, 6, 0),   /* ICC_PMR_EL1 */
    ICC(12, 8, 3),  /* ICC_BPR0_EL1 */
    ICC(12, 12, 3), /* ICC_BPR1_EL1 */
    ICC(12, 8, 4),  /* ICC_AP0R0_EL1 */
    ICC(12, 9, 0),  /* ICC_AP1R0_EL1 */
    ICC(12, 12, 6), /* ICC_IGRPEN0_EL1 */
    ICC(12, 12, 7), /* ICC_IGRPEN1_EL1 */
};
/* IIDR first: it says which layout the tables have. CTLR comes after the tables. */
static const struct attr_run its_runs[] = {
    {0x004, 1}, /* IIDR */
    {0x080, 1}, /* CBASER */
    {0x090, 1}, /* CREADR */
    {0x088, 1}, /* CWRITER */
    {0x100, 8}, /* BASER */
};
static const struct attr_run its_control_runs[] = {{0x000, 1}};

/* --- what is saved of a GICv2 ---------------------------------------------- */

/* As above. IIDR lets IGROUPR be written. Where an interrupt goes, and whether to anyone, is known
 * before it may be pending: that is when KVM gives it to a CPU. */
static const struct attr_run distributor_v2_runs[] = {
    {0x008, 1},        /* IIDR */
    {0x000, 1},        /* CTLR */
    {0x084, WORDS(1)}, /* IGROUPR */
    {0x420, WORDS(8)}, /* IPRIORITYR */
    {0x820, WORDS(8)}, /* ITARGETSR */
    {0xc08, WORDS(2)}, /* ICFGR */
    {0x104, WORDS(1)}, /* ISENABLER */
    {0x204, WORDS(1)}, /* ISPENDR */
    {0x304, WORDS(1)}, /* ISACTIVER */
};
/* The distributor has these once for each CPU. */
static const struct attr_run private_v2_runs[] = {
    {0x080, 1}, /* IGROUPR0 */
    {0x400, 8}, /* IPRIORITYR */
    {0xc00, 2}, /* ICFGR */
    {0x100, 1}, /* ISENABLER0 */
    {0x200, 1}, /* ISPENDR0 */
    {0x300, 1}, /* ISACTIVER0 */
};
static const struct attr_run sgi_v2_runs[] = {{0xf20, 4}}; /* SPENDSGIR: by sender */
/* PMR as KVM has it, which is not as the guest sees it. */
static const struct attr_run cpu_interface_v2_runs[] = {
    {0x00, 3}, /* CTLR, PMR, BPR */
    {0x1c, 1}, /* ABPR */
    {0xd0, 4}, /* APR */
};

/* --- both -------------------------------------------------------------------- */

#define GROUP(name, step, width, runs)                                                             \
    {                                                                                              \
        KVM_DEV_ARM_VGIC_GRP_##name, step, width, runs, COUNT(runs)                                \
    }
static const struct attr_group distributor = GROUP(DIST_REGS, 4, 4, distributor_runs);
static const struct attr_group redistributor = GROUP(REDIST_REGS, 4, 4, redistributor_runs);
static const struct attr_group cpu_interface = GROUP(CPU_SYSREGS, 1, 8, cpu_interface_runs);
static const struct attr_group its = GROUP(ITS_REGS, 8, 8, its_runs);
static const struct attr_group its_control = GROUP(ITS_REGS, 8, 8, its_control_runs);
static const struct attr_group distributor_v2 = GROUP(DIST_REGS, 4, 4, distributor_v2_runs);
static const struct attr_group private_v2 = GROUP(DIST_REGS, 4, 4, private_v2_runs);
static const struct attr_group sgi_v2 = GROUP(DIST_REGS, 4, 4, sgi_v2_runs);
static const struct attr_group cpu_interface_v2 = GROUP(CPU_REGS, 4, 4, cpu_interface_v2_runs);

/* Of a CPU. Where restoring can set bits but not clear them, ones are first written to the
 * registers that clear. */
struct cpu_part {
    const struct attr_group *group;
    struct attr_run clear; /* count 0: none */
};

struct gic_parts {
    const struct attr_group *shared;
    struct cpu_part own[3]; /* in this order; the first group begins with CTLR */
};

static const struct gic_parts parts_v3 = {
    &distributor,
    {
        {&redistributor, {SGI_FRAME + 0x180, 1}}, /* ICENABLER0: KVM starts with the SGIs on */
        {&cpu_interface, {0, 0}},
    },
};
static const struct gic_parts parts_v2 = {
    &distributor_v2,
    {
        {&private_v2, {0x180, 1}}, /* ICENABLER0 */
        {&sgi_v2, {0xf10, 4}},     /* CPENDSGIR: by ISPENDR0 a CPU's SGIs are its own */
        {&cpu_interface_v2, {0, 0}},
    },
};

/* --- reset ---------------------------------------------------------------- */

/* Registers that get the same value. */
struct reset {
    struct attr_run run;
    uint64_t value;
};

/* Of the distributor; without the private interrupts, which each CPU has its own registers for. */
static const struct reset distributor_reset[] = {
    {{0x000, 1}, 0},                 /* CTLR */
    {{0x184, WORDS(1)}, UINT32_MAX}, /* ICENABLER */
    {{0x204, WORDS(1)}, 0},          /* ISPENDR: GICv3 takes it as the state itself, ... */
    {{0x284, WORDS(1)}, UINT32_MAX}, /* ICPENDR: ... GICv2 this */
    {{0x384, WORDS(1)}, UINT32_MAX}, /* ICACTIVER */
    {{0x420, WORDS(8)}, 0},          /* IPRIORITYR */
    {{0xc08, WORDS(2)}, 0},          /* ICFGR */
};

/* The private ones of a CPU: in the distributor (v2), in the redistributor from SGI_FRAME on. */
static const struct reset private_reset[] = {
    {{0x100, 1}, 0x0000ffff}, /* ISENABLER0: KVM starts with the SGIs on */
    {{0x180, 1}, 0xffff0000}, /* ICENABLER0 */
    {{0x200, 1}, 0},          /* ISPENDR0 */
    {{0x280, 1}, UINT32_MAX}, /* ICPENDR0 */
    {{0x380, 1}, UINT32_MAX}, /* ICACTIVER0 */
    {{0x400, 8}, 0},          /* IPRIORITYR */
};
static const struct reset redistributor_reset[] = {
    {{0x000, 1}, 0}, /* CTLR: no messages, before their tables go */
    {{0x070, 4}, 0}, /* PROPBASER, PENDBASER */
};
static const struct reset cpu_interface_v2_reset[] = {
    {{0x00, 3}, 0}, /* CTLR, PMR, BPR */
    {{0xd0, 4}, 0}, /* APR */
};

static int write_resets(struct kvm *kvm, const struct attr_group *g, uint64_t base,
                        const struct reset *resets, size_t count)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = attrs_fill(kvm, kvm->irqchip_fd, g, base, &resets[i].run, resets[i].value);
    }
    return r;
}

int gic_command(struct kvm *kvm, int fd, uint64_t command)
{
    return kvm_set_attr(kvm, fd, KVM_DEV_ARM_VGIC_GRP_CTRL, command, NULL);
}

int arch_irqchip_reset(struct kvm *kvm, struct err *e)
{
    int r = 0;
    for (unsigned gsi = 0; gsi < ARCH_IRQ_PINS && r == 0; gsi++) {
        struct kvm_irq_level line = {.irq = arch_irq_line(gsi)};
        r = kvm_ioctl(kvm, kvm->vm_fd, KVM_IRQ_LINE, &line);
    }
    if (r == 0 && kvm->its_fd >= 0) {
        r = gic_command(kvm, kvm->its_fd, KVM_DEV_ARM_ITS_CTRL_RESET);
    }
    if (r == 0) {
        r = write_resets(kvm, &distributor, 0, distributor_reset, COUNT(distributor_reset));
    }
    return r < 0 ? err_set(e, -r, "cannot reset KVM's interrupt controllers: %s", strerror(-r)) : 0;
}

/* How attributes name a CPU: Aff3 to Aff0 of MPIDR in the upper half. */
static uint64_t cpu_attr(uint64_t mpidr)
{
    return ((mpidr & 0xffffff) | (mpidr >> 8 & 0xff000000)) << 32;
}

static int reset_cpu_v2(struct kvm *kvm, unsigned index)
{
    const uint64_t cpu = (uint64_t)index << 32;
    int r = write_resets(kvm, &distributor, cpu, private_reset, COUNT(private_reset));
    return r < 0 ? r
                 : write_resets(kvm, &cpu_interface_v2, cpu, cpu_interface_v2_reset,
                                COUNT(cpu_interface_v2_reset));
}

int gic_reset_cpu(struct kvm *kvm, unsigned index, uint64_t mpidr)
{
    const uint64_t cpu = cpu_attr(mpidr);
    if (kvm->irqchip_version == 2) {
        return reset_cpu_v2(kvm, index);
    }
    int r = write_resets(kvm, &redistributor, cpu, redistributor_reset, COUNT(redistributor_reset));
    if (r == 0) {
        r = write_resets(kvm, &redistributor, cpu + SGI_FRAME, private_reset, COUNT(private_reset));
    }
    for (size_t i = ICC_KEPT; i < cpu_interface.count && r == 0; i++) {
        r = attrs_fill(kvm, kvm->irqchip_fd, &cpu_interface, cpu, &cpu_interface_runs[i], 0);
    }
    return r;
}

/* --- snapshots ------------------------------------------------------------- */

static const struct gic_parts *parts_of(const struct kvm *kvm)
{
    return kvm->irqchip_version == 2 ? &parts_v2 : &parts_v3;
}

/* How attributes name vCPU index; false: there is none. */
static bool find_cpu(struct kvm *kvm, unsigned index, uint64_t *cpu)
{
    uint32_t ctlr;
    *cpu = kvm->irqchip_version == 2 ? (uint64_t)index << 32 : cpu_attr(virt_affinity(index));
    return kvm_get_attr(kvm, kvm->irqchip_fd, parts_of(kvm)->own[0].group->group, *cpu, &ctlr) == 0;
}

static int move_cpu(struct kvm *kvm, uint64_t cpu, const struct attr_file *file)
{
    const struct cpu_part *own = parts_of(kvm)->own;
    int r = 0;
    for (size_t i = 0; i < COUNT(parts_v2.own) && own[i].group != NULL && r == 0; i++) {
        if (file->in != NULL && !file->in->failed) {
            r = attrs_fill(kvm, kvm->irqchip_fd, own[i].group, cpu, &own[i].clear, UINT32_MAX);
        }
        r = r < 0 ? r : attrs_move(kvm, kvm->irqchip_fd, own[i].group, cpu, file);
    }
    return r;
}

/* All but the ITS, which wants the redistributors before it. */
static int move_gic(struct kvm *kvm, const struct attr_file *file)
{
    uint64_t cpu;
    int r = attrs_move(kvm, kvm->irqchip_fd, parts_of(kvm)->shared, 0, file);
    for (unsigned i = 0; r == 0 && find_cpu(kvm, i, &cpu); i++) {
        r = move_cpu(kvm, cpu, file);
    }
    return r;
}

/* The ITS writes its tables to RAM before its registers are read, and reads them when all but CTLR
 * are written. */
static int move_its(struct kvm *kvm, const struct attr_file *file)
{
    const int fd = kvm->its_fd;
    int r = file->out != NULL ? gic_command(kvm, fd, KVM_DEV_ARM_ITS_SAVE_TABLES) : 0;
    if (r == 0) {
        r = attrs_move(kvm, fd, &its, 0, file);
    }
    if (r == 0 && file->in != NULL && !file->in->failed) {
        r = gic_command(kvm, fd, KVM_DEV_ARM_ITS_RESTORE_TABLES);
    }
    return r < 0 ? r : attrs_move(kvm, fd, &its_control, 0, file);
}

/* The state of a GICv2 begins with this; that of a GICv3 with IIDR, which is never so small. */
enum { GIC_V2_MARK = 2 };

static int check_version(const struct kvm *kvm, struct unpack *in, struct err *e)
{
    struct unpack behind = *in;
    const bool is_v2 = unpack_u32(&behind) == GIC_V2_MARK;
    if (!behind.failed && is_v2 != (kvm->irqchip_version == 2)) {
        return err_set(e, ENOTSUP, "its interrupt controller is a GICv%d, this machine's a GICv%u",
                       is_v2 ? 2 : 3, kvm->irqchip_version);
    }
    if (is_v2) {
        *in = behind;
    }
    return 0;
}

int arch_vm_save(struct kvm *kvm, struct pack *out, struct err *e)
{
    const struct attr_file file = {.out = out};
    int r = 0;
    if (kvm->irqchip_version == 2) {
        pack_u32(out, GIC_V2_MARK);
    } else {
        r = gic_command(kvm, kvm->irqchip_fd, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES);
    }
    r = r < 0 ? r : move_gic(kvm, &file);
    pack_u32(out, kvm->its_fd >= 0);
    if (r == 0 && kvm->its_fd >= 0) {
        r = move_its(kvm, &file);
    }
    return r < 0 ? err_set(e, -r, "KVM cannot save the interrupt controller: %s", strerror(-r)) : 0;
}

static int refused_state(int r, struct err *e)
{
    err_set(e, -r, "KVM refused the state of the interrupt controller: %s", strerror(-r));
    err_hint(e, "the snapshot is for hosts with the same interrupt controller and a KVM as new");
    return r;
}

int arch_vm_load(struct kvm *kvm, struct unpack *in, struct err *e)
{
    const struct attr_file file = {.in = in};
    if (check_version(kvm, in, e) < 0) {
        return -ENOTSUP;
    }
    int r = move_gic(kvm, &file);
    const bool wanted = unpack_u32(in) != 0;
    if (r == 0 && !in->failed && wanted != (kvm->its_fd >= 0)) {
        return err_set(e, ENOTSUP, "its interrupt controller has %s, this host's has %s",
                       wanted ? "an ITS" : "no ITS", wanted ? "none" : "one");
    }
    if (r == 0 && wanted) {
        r = move_its(kvm, &file);
    }
    return r < 0 ? refused_state(r, e) : 0;
}
