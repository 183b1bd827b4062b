/*
 * A GICv2 in snapshots: one machine's is saved, another's is to be the same. Both are faked, with
 * what makes a GIC more than memory: registers that set bits or clear them, SGIs with their
 * senders, and groups that can be written when IIDR has been.
 */
#include "src/arch/arch.h"
#include "src/base/pack.h"
#include "tests/unit/fake_kvm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define CPU(n) ((uint64_t)(n) << 32)

enum { GIC = 3000, CPUS = 3, DIST_SIZE = 0x1000, IFACE_SIZE = 0x100, ORDER_MAX = 2048 };
enum { DIST = KVM_DEV_ARM_VGIC_GRP_DIST_REGS, IFACE = KVM_DEV_ARM_VGIC_GRP_CPU_REGS };
enum { IIDR_VALUE = 0x4b00243b };

struct gic {
    uint32_t dist[CPUS][DIST_SIZE / 4]; /* what CPUs share is the first one's */
    uint32_t iface[CPUS][IFACE_SIZE / 4];
    bool groups;
};

static struct gic saved, loaded, *now; /* now: the one that KVM is asked about */
static struct fake_kvm f;
static struct err e;
static struct pack out;
static uint64_t refused;          /* this register of the distributor KVM does not have */
static uint64_t order[ORDER_MAX]; /* registers of the distributor that were set */
static size_t sets;

/* --- the fake ----------------------------------------------------------------- */

static uint32_t *dist_reg(unsigned cpu, uint32_t offset)
{
    static const struct {
        uint32_t first, end;
    } banked[] = {{0x80, 0x84},   {0x100, 0x104}, {0x180, 0x184}, {0x200, 0x204},
                  {0x300, 0x304}, {0x400, 0x420}, {0xc00, 0xc08}, {0xf10, 0xf30}};
    bool own = false;
    for (size_t i = 0; i < sizeof(banked) / sizeof(banked[0]); i++) {
        own = own || (offset >= banked[i].first && offset < banked[i].end);
    }
    return &now->dist[own ? cpu : 0][offset / 4];
}

/* An SGI is pending while it has a sender. */
static void sgis_follow(unsigned cpu)
{
    const uint8_t *senders = (const uint8_t *)dist_reg(cpu, 0xf20);
    for (unsigned n = 0; n < 16; n++) {
        uint32_t *pending = dist_reg(cpu, 0x200);
        *pending = (*pending & ~(1U << n)) | (senders[n] != 0 ? 1U << n : 0);
    }
}

/* KVM takes a CPU itself for the sender. */
static void set_pending(unsigned cpu, uint32_t offset, uint32_t value)
{
    *dist_reg(cpu, offset) |= value;
    for (unsigned n = 0; n < 16 && offset == 0x200; n++) {
        if ((value & 1U << n) != 0) {
            *dist_reg(cpu, 0xf20 + n / 4 * 4) |= 1U << (n % 4 * 8 + cpu);
        }
    }
}

static int set_dist(unsigned cpu, uint32_t offset, uint32_t value)
{
    if (offset == 8) {
        now->groups = true;
        return value == IIDR_VALUE ? 0 : -EINVAL;
    }
    if (offset >= 0x80 && offset < 0x100) {
        *dist_reg(cpu, offset) = now->groups ? value : 0;
    } else if (offset >= 0x200 && offset < 0x280) {
        set_pending(cpu, offset, value);
    } else if (offset >= 0x180 && offset < 0x200) {
        *dist_reg(cpu, offset - 0x80) &= ~value;
    } else if ((offset >= 0x100 && offset < 0x380) || offset >= 0xf20) {
        *dist_reg(cpu, offset) |= value;
    } else if (offset >= 0xf10) {
        *dist_reg(cpu, offset + 0x10) &= ~value;
    } else {
        *dist_reg(cpu, offset) = value;
    }
    if (offset >= 0xf10) {
        sgis_follow(cpu);
    }
    return 0;
}

static int attr(const struct kvm_device_attr *a, bool set)
{
    const unsigned cpu = (unsigned)(a->attr >> 32);
    const uint32_t offset = (uint32_t)a->attr;
    uint32_t *value = (uint32_t *)(uintptr_t)a->addr; /* NOLINT(performance-no-int-to-ptr) */
    if (cpu >= CPUS || (a->group == DIST && a->attr == refused)) {
        return cpu >= CPUS ? -EINVAL : -ENXIO;
    }
    cr_assert(a->group == DIST ? offset < DIST_SIZE : a->group == IFACE && offset < IFACE_SIZE);
    uint32_t *reg = a->group == DIST ? dist_reg(cpu, offset) : &now->iface[cpu][offset / 4];
    if (!set) {
        *value = *reg;
        return 0;
    }
    if (a->group == IFACE) {
        *reg = *value;
        return 0;
    }
    cr_assert_lt(sets, ORDER_MAX);
    order[sets++] = a->attr;
    return set_dist(cpu, offset, *value);
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    cr_assert_eq(fd, GIC);
    cr_assert(request == KVM_GET_DEVICE_ATTR || request == KVM_SET_DEVICE_ATTR);
    return attr(arg, request == KVM_SET_DEVICE_ATTR);
}

/* As KVM makes it: all SGIs are on. */
static void power_on(struct gic *g)
{
    *g = (struct gic){.dist[0][2] = IIDR_VALUE};
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        g->dist[cpu][0x100 / 4] = 0xffff;
    }
}

static void fill(unsigned cpu, uint32_t first, uint32_t end)
{
    for (uint32_t offset = first; offset < end; offset += 4) {
        *dist_reg(cpu, offset) = offset * 0x9e3779b1U ^ cpu << 20;
    }
}

/* All that a GICv2 of 128 shared interrupts has, each register with another value. */
static void run_a_while(void)
{
    static const uint32_t interface[] = {0, 4, 8, 0x1c, 0xd0, 0xd4, 0xd8, 0xdc};
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        fill(cpu, 0x80, 0x80 + 20);
        fill(cpu, 0x100, 0x100 + 20);
        fill(cpu, 0x200, 0x200 + 20);
        fill(cpu, 0x300, 0x300 + 20);
        fill(cpu, 0x400, 0x400 + 160);
        fill(cpu, 0x820, 0x800 + 160);
        fill(cpu, 0xc00, 0xc00 + 40);
        fill(cpu, 0xf20, 0xf30);
        *dist_reg(cpu, 0xf20) = 0x00050100; /* no sender, CPU 0, CPUs 0 and 2, none */
        *dist_reg(cpu, 0x200) = *dist_reg(cpu, 0x200) & 0xffff0000;
        sgis_follow(cpu);
        for (size_t i = 0; i < sizeof(interface) / sizeof(interface[0]); i++) {
            now->iface[cpu][interface[i] / 4] = 0x1000 * cpu + interface[i] + 1;
        }
    }
    *dist_reg(0, 0) = 1;
}

static void start(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    f.kvm.irqchip_version = 2;
    f.kvm.irqchip_fd = GIC;
    e = ERR_INIT;
    refused = UINT64_MAX;
    power_on(&saved);
    power_on(&loaded);
    now = &saved;
    run_a_while();
    cr_assert_eq(arch_vm_save(&f.kvm, &out, &e), 0, "%s", e.what);
    now = &loaded;
    sets = 0;
}

static void stop(void)
{
    pack_free(&out);
}

TestSuite(arm64_gicv2, .init = start, .fini = stop);

static int load(size_t len)
{
    struct unpack in = {.data = out.data, .len = len};
    const int ret = arch_vm_load(&f.kvm, &in, &e);
    cr_expect(ret < 0 || in.failed != unpack_done(&in));
    return ret;
}

/* Where a register of the distributor was first set. */
static size_t when(uint64_t reg)
{
    size_t i = 0;
    while (i < sets && order[i] != reg) {
        i++;
    }
    cr_expect_lt(i, sets, "never");
    return i;
}

/* --- tests ------------------------------------------------------------------------ */

Test(arm64_gicv2, all_is_as_it_was)
{
    cr_assert_eq(load(out.len), 0, "%s", e.what);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        for (unsigned i = 0; i < DIST_SIZE / 4; i++) {
            cr_expect_eq(loaded.dist[cpu][i], saved.dist[cpu][i], "CPU %u, GICD + 0x%x: %x, %x",
                         cpu, 4 * i, loaded.dist[cpu][i], saved.dist[cpu][i]);
        }
        cr_expect_arr_eq(loaded.iface[cpu], saved.iface[cpu], IFACE_SIZE);
    }
}

Test(arm64_gicv2, saving_changes_nothing)
{
    struct gic before = saved;
    now = &saved;
    cr_assert_eq(arch_vm_save(&f.kvm, &out, &e), 0, "%s", e.what);
    cr_expect_eq(sets, 0);
    cr_expect_arr_eq(&before, &saved, sizeof(saved));
}

/* KVM gives an interrupt that becomes pending to the CPU that it is for then, if it is on. */
Test(arm64_gicv2, the_order_of_restoring)
{
    cr_assert_eq(load(out.len), 0, "%s", e.what);
    cr_expect_eq(when(8), 0, "IIDR");
    cr_expect_lt(when(0), when(0x204), "CTLR");
    for (unsigned intid = 32; intid < 160; intid++) {
        const size_t pending = when(0x200 + intid / 32 * 4);
        cr_expect_lt(when(0x800 + intid / 4 * 4), pending, "%u: ITARGETSR", intid);
        cr_expect_lt(when(0xc00 + intid / 16 * 4), pending, "%u: ICFGR", intid);
        cr_expect_lt(when(0x80 + intid / 32 * 4), pending, "%u: IGROUPR", intid);
    }
    cr_expect_lt(when(CPU(2) | 0x200), when(CPU(2) | 0xf10), "CPENDSGIR");
    cr_expect_lt(when(CPU(2) | 0xf1c), when(CPU(2) | 0xf20), "SPENDSGIR");
}

Test(arm64_gicv2, cut_short)
{
    for (size_t len = 0; len < out.len; len++) {
        power_on(&loaded);
        sets = 0;
        cr_assert_eq(load(len), 0, "%zu: %s", len, e.what);
        cr_expect_leq(sets, len / 4 + 5 * CPUS, "only what is there, and what is cleared");
    }
}

Test(arm64_gicv2, another_kvms_gic)
{
    out.data[4] ^= 1; /* IIDR */
    cr_expect_eq(load(out.len), -EINVAL);
    cr_expect_str_eq(e.what, "KVM refused the state of the interrupt controller: Invalid argument");
    cr_expect_not_null(strstr(e.hint, "the same interrupt controller"), "%s", e.hint);
    cr_expect_eq(sets, 1, "nothing after it");
}

Test(arm64_gicv2, a_register_that_kvm_does_not_have)
{
    refused = CPU(1) | 0xf24;
    cr_expect_eq(load(out.len), -ENXIO);
    cr_expect_not_null(strstr(e.what, "KVM refused the state of the interrupt controller"), "%s",
                       e.what);
    now = &saved;
    cr_expect_eq(arch_vm_save(&f.kvm, &out, &e), -ENXIO);
    cr_expect_not_null(strstr(e.what, "KVM cannot save the interrupt controller"), "%s", e.what);
}

Test(arm64_gicv2, another_version)
{
    f.kvm.irqchip_version = 3;
    cr_expect_eq(load(out.len), -ENOTSUP);
    cr_expect_str_eq(e.what, "its interrupt controller is a GICv2, this machine's a GICv3");
    f.kvm.irqchip_version = 2;
    out.data[0] = 0x3b; /* of an IIDR */
    cr_expect_eq(load(out.len), -ENOTSUP);
    cr_expect_str_eq(e.what, "its interrupt controller is a GICv3, this machine's a GICv2");
    cr_expect_eq(sets, 0);
}

Test(arm64_gicv2, it_has_no_its)
{
    out.data[out.len - 4] = 1;
    cr_expect_eq(load(out.len), -ENOTSUP);
    cr_expect_not_null(strstr(e.what, "has an ITS, this host's has none"), "%s", e.what);
}
