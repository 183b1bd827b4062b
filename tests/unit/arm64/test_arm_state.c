/*
 * arm64's vCPUs and interrupt controllers in snapshots: what is read is what is written back, in
 * the order that KVM's documentation asks for; and what is said where that cannot be.
 */
#include "src/arch/arch.h"
#include "src/arch/arm64/regs.h"
#include "src/base/pack.h"
#include "tests/unit/fake_kvm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>

#define GROUP(name) KVM_DEV_ARM_VGIC_GRP_##name
#define TCR_EL1     ARM64_SYS_REG(3, 0, 2, 0, 2)

enum { VCPU = 2000, GIC = 3000, ITS = 3001, CPUS = 2, ASKED_MAX = 2048 };

/* A register or command of a device. */
struct asked {
    int fd;
    bool set;
    uint32_t group;
    uint64_t attr, value;
};

static struct fake_kvm f;
static struct err e;
static struct pack out;
static struct asked asked[ASKED_MAX];
static size_t count;
static uint64_t regs[2][2] = {{CORE_REG(regs.pc), 0}, {TCR_EL1, 0}}; /* number, value */
static uint64_t fixed; /* this register cannot be set */
static bool has_events;
static char order[128]; /* what the vCPU was asked to set */

static bool is_wide(int fd, uint32_t group)
{
    return fd == ITS || group == GROUP(CPU_SYSREGS);
}

/* CPUs by their affinity, which is in the upper half: 0 and 1 are there. Every register has another
 * value. */
static int attr(int fd, const struct kvm_device_attr *a, bool set)
{
    const bool wide = is_wide(fd, a->group);
    const uint32_t word = (uint32_t)(a->group << 24 ^ a->attr ^ a->attr >> 32 << 20);
    const uint64_t value = wide ? (uint64_t)word << 8 : word;
    struct asked now = {.fd = fd, .set = set, .group = a->group, .attr = a->attr};
    if (a->attr >> 32 >= CPUS) {
        return -EINVAL;
    }
    if (set && a->addr != 0) {
        memcpy(&now.value, (const void *)(uintptr_t)a->addr, wide ? 8 : 4);
    } else if (!set) {
        now.value = value;
        memcpy((void *)(uintptr_t)a->addr, wide ? (const void *)&value : (const void *)&word,
               wide ? 8 : 4);
    }
    cr_assert_lt(count, ASKED_MAX);
    asked[count++] = now;
    return 0;
}

static int one_reg(const struct kvm_one_reg *r, bool set)
{
    for (size_t i = 0; i < 2; i++) {
        if (regs[i][0] != r->id) {
            continue;
        }
        if (!set) {
            memcpy((void *)(uintptr_t)r->addr, &regs[i][1], 8);
        } else if (r->id == fixed) {
            return -EINVAL;
        } else {
            strcat(order, "reg ");
            memcpy(&regs[i][1], (const void *)(uintptr_t)r->addr, 8);
        }
        return 0;
    }
    return -ENOENT;
}

static int list(struct kvm_reg_list *l)
{
    l->n = 2;
    l->reg[0] = regs[0][0];
    l->reg[1] = regs[1][0];
    return 0;
}

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    struct kvm_mp_state *mp = arg;
    struct kvm_vcpu_events *events = arg;
    if (fake->fail_code != 0 && fake->fail_request == request) {
        return fake->fail_code;
    }
    switch (request) {
    case KVM_CHECK_EXTENSION:
        return (uintptr_t)arg != KVM_CAP_VCPU_EVENTS || has_events;
    case KVM_GET_DEVICE_ATTR:
    case KVM_SET_DEVICE_ATTR:
        return attr(fd, arg, request == KVM_SET_DEVICE_ATTR);
    case KVM_GET_ONE_REG:
    case KVM_SET_ONE_REG:
        return one_reg(arg, request == KVM_SET_ONE_REG);
    case KVM_GET_REG_LIST:
        return list(arg);
    case KVM_GET_MP_STATE:
        mp->mp_state = KVM_MP_STATE_STOPPED;
        return 0;
    case KVM_SET_MP_STATE:
        strcat(order, mp->mp_state == KVM_MP_STATE_STOPPED ? "stopped" : "?");
        return 0;
    case KVM_GET_VCPU_EVENTS:
        events->exception.serror_pending = 1;
        return 0;
    case KVM_SET_VCPU_EVENTS:
        strcat(order, events->exception.serror_pending == 1 ? "serror " : "? ");
        return 0;
    default:
        return -ENOSYS;
    }
}

static void start(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    f.kvm.irqchip_version = 3;
    f.kvm.irqchip_fd = GIC;
    f.kvm.its_fd = ITS;
    e = ERR_INIT;
    out = (struct pack){0};
    count = 0;
    fixed = 0;
    has_events = true;
    order[0] = '\0';
}

static void stop(void)
{
    pack_free(&out);
}

TestSuite(arm64_state, .init = start, .fini = stop);

/* --- vCPUs ------------------------------------------------------------------------ */

static struct unpack saved_vcpu(void)
{
    regs[0][1] = 0x40080000;
    regs[1][1] = 7;
    cr_assert_eq(arch_vcpu_save(&f.kvm, VCPU, 1, &out, &e), 0, "%s", e.what);
    regs[0][1] = 0;
    return (struct unpack){.data = out.data, .len = out.len};
}

Test(arm64_state, a_vcpu_goes_on_where_it_was)
{
    struct unpack in = saved_vcpu();
    cr_assert_eq(arch_vcpu_load(&f.kvm, VCPU, 1, &in, &e), 0, "%s", e.what);
    cr_expect(unpack_done(&in));
    cr_expect_eq(regs[0][1], 0x40080000);
    cr_expect_str_eq(order, "reg reg serror stopped");
}

Test(arm64_state, a_kvm_without_events)
{
    has_events = false;
    struct unpack in = saved_vcpu();
    cr_assert_eq(arch_vcpu_load(&f.kvm, VCPU, 1, &in, &e), 0, "%s", e.what);
    cr_expect(unpack_done(&in));
    cr_expect_str_eq(order, "reg reg stopped");
}

Test(arm64_state, another_cpu_is_told_by_its_register)
{
    struct unpack in = saved_vcpu();
    fixed = TCR_EL1;
    regs[1][1] = 8;
    cr_expect_eq(arch_vcpu_load(&f.kvm, VCPU, 1, &in, &e), -ENOTSUP);
    cr_expect_str_eq(e.what,
                     "vCPU 1: the CPU is another: its register S3_0_C2_C0_2 cannot be as saved");
    cr_expect_not_null(strstr(e.hint, "same processor"));
    in.at = 0;
    regs[0][1] = 0;
    fixed = CORE_REG(regs.pc);
    cr_expect_eq(arch_vcpu_load(&f.kvm, VCPU, 1, &in, &e), -ENOTSUP);
    cr_expect_not_null(strstr(e.what, "its register 0x6030000000100040 cannot"), "%s", e.what);
}

Test(arm64_state, a_vcpu_cut_short_never_runs)
{
    const struct unpack whole = saved_vcpu();
    for (size_t len = 0; len < whole.len; len++) {
        struct unpack in = {.data = whole.data, .len = len};
        cr_expect_eq(arch_vcpu_load(&f.kvm, VCPU, 0, &in, &e), 0);
        cr_expect(in.failed);
        cr_expect_null(strstr(order, "stopped"));
        order[0] = '\0';
    }
}

Test(arm64_state, what_kvm_refuses_of_a_vcpu)
{
    struct unpack in = saved_vcpu();
    f.fail_request = KVM_SET_VCPU_EVENTS;
    f.fail_code = -EINVAL;
    cr_expect_eq(arch_vcpu_load(&f.kvm, VCPU, 3, &in, &e), -EINVAL);
    cr_expect_not_null(strstr(e.what, "KVM cannot restore the state of vCPU 3"), "%s", e.what);
    f.fail_request = KVM_GET_REG_LIST;
    cr_expect_eq(arch_vcpu_save(&f.kvm, VCPU, 3, &out, &e), -EINVAL);
    cr_expect_not_null(strstr(e.what, "KVM cannot save the state of vCPU 3"), "%s", e.what);
}

Test(arm64_state, one_that_is_off_is_dead)
{
    cr_expect_eq(arch_vcpu_activity(&f.kvm, VCPU), VCPU_DEAD);
    f.fail_request = KVM_GET_MP_STATE;
    f.fail_code = -EINVAL;
    cr_expect_eq(arch_vcpu_activity(&f.kvm, VCPU), VCPU_RUNS);
}

/* --- interrupt controllers ------------------------------------------------------------ */

/* The place of a register or command in what was asked; it was, once. */
static size_t when(int fd, bool set, uint32_t group, uint64_t reg)
{
    size_t at = ASKED_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct asked *a = &asked[i];
        if (a->fd == fd && a->set == set && a->group == group && a->attr == reg) {
            cr_expect_eq(at, ASKED_MAX, "twice: %u, 0x%" PRIx64, group, reg);
            at = i;
        }
    }
    cr_assert_lt(at, ASKED_MAX, "never: %u, 0x%" PRIx64, group, reg);
    return at;
}

/* What find_cpu() asks is CTLR of a redistributor, once more than it is saved. */
static bool is_question(const struct asked *a, bool saving)
{
    return !a->set && a->group == GROUP(REDIST_REGS) && (a->attr & UINT32_MAX) == 0 &&
           (!saving || a[1].attr == (a->attr | 0x14));
}

/* ICENABLER0, written before ISENABLER0 is. */
static bool is_clearing(const struct asked *a)
{
    return a->set && a->group == GROUP(REDIST_REGS) && (a->attr & UINT32_MAX) == 0x10180;
}

static size_t without_questions(struct asked *to, bool saving)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_question(&asked[i], saving) && !is_clearing(&asked[i]) &&
            asked[i].group != GROUP(CTRL)) {
            to[n++] = asked[i];
        }
    }
    return n;
}

static void save_vm(void)
{
    count = 0;
    cr_assert_eq(arch_vm_save(&f.kvm, &out, &e), 0, "%s", e.what);
}

static int load_vm(size_t len)
{
    struct unpack in = {.data = out.data, .len = len};
    count = 0;
    const int ret = arch_vm_load(&f.kvm, &in, &e);
    cr_expect(ret < 0 || in.failed != unpack_done(&in));
    return ret;
}

Test(arm64_state, what_was_read_is_written_in_that_order)
{
    static struct asked read[ASKED_MAX], written[ASKED_MAX];
    save_vm();
    const size_t n = without_questions(read, true);
    cr_assert_eq(load_vm(out.len), 0, "%s", e.what);
    cr_assert_eq(without_questions(written, false), n);
    for (size_t i = 0; i < n; i++) {
        cr_expect(!read[i].set && written[i].set);
        cr_expect_eq(read[i].fd, written[i].fd);
        cr_expect_eq(read[i].group, written[i].group);
        cr_expect_eq(read[i].attr, written[i].attr);
        cr_expect_eq(read[i].value, written[i].value, "%zu: 0x%" PRIx64 " of group %u", i,
                     read[i].attr, read[i].group);
    }
}

/* Each of the 128 shared interrupts, and nothing else of the distributor but IIDR and CTLR. */
Test(arm64_state, all_shared_interrupts_are_saved)
{
    save_vm();
    size_t dist = 0;
    for (size_t i = 0; i < count; i++) {
        dist += asked[i].group == GROUP(DIST_REGS);
    }
    cr_expect_eq(dist, 2 + 4 * 128 / 32 + 128 / 4 + 128 / 16 + 2 * 128);
    when(GIC, false, GROUP(DIST_REGS), 0x80 + 32 / 32 * 4);
    when(GIC, false, GROUP(DIST_REGS), 0x80 + 159 / 32 * 4);
    when(GIC, false, GROUP(DIST_REGS), 0x400 + 159 / 4 * 4);
    when(GIC, false, GROUP(DIST_REGS), 0xc00 + 159 / 16 * 4);
    when(GIC, false, GROUP(DIST_REGS), 0x6000 + 159 * 8 + 4);
}

Test(arm64_state, the_order_of_saving)
{
    const uint64_t cpu1 = 1ULL << 32;
    save_vm();
    cr_expect_eq(when(GIC, true, GROUP(CTRL), KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES), 0);
    cr_expect_lt(when(GIC, false, GROUP(CPU_SYSREGS), cpu1 | 0xc667),
                 when(ITS, true, GROUP(CTRL), KVM_DEV_ARM_ITS_SAVE_TABLES));
    cr_expect_lt(when(ITS, true, GROUP(CTRL), KVM_DEV_ARM_ITS_SAVE_TABLES),
                 when(ITS, false, GROUP(ITS_REGS), 4));
}

/* IIDR first; tables before what may turn messages on; the ITS last, and its tables read before it
 * is turned on. */
Test(arm64_state, the_order_of_restoring)
{
    const uint64_t cpu1 = 1ULL << 32;
    save_vm();
    cr_assert_eq(load_vm(out.len), 0, "%s", e.what);
    cr_expect_eq(when(GIC, true, GROUP(DIST_REGS), 8), 0);
    cr_expect_lt(when(GIC, true, GROUP(REDIST_REGS), cpu1 | 0x7c),
                 when(GIC, true, GROUP(REDIST_REGS), cpu1));
    cr_expect_lt(when(GIC, true, GROUP(REDIST_REGS), cpu1 | 0x10180),
                 when(GIC, true, GROUP(REDIST_REGS), cpu1 | 0x10100), "SGIs can be off");
    cr_expect_lt(when(GIC, true, GROUP(CPU_SYSREGS), cpu1 | 0xc665),
                 when(GIC, true, GROUP(CPU_SYSREGS), cpu1 | 0xc230));
    cr_expect_lt(when(GIC, true, GROUP(CPU_SYSREGS), cpu1 | 0xc667),
                 when(ITS, true, GROUP(ITS_REGS), 4));
    const size_t tables = when(ITS, true, GROUP(CTRL), KVM_DEV_ARM_ITS_RESTORE_TABLES);
    cr_expect_lt(when(ITS, true, GROUP(ITS_REGS), 0x138), tables);
    cr_expect_lt(tables, when(ITS, true, GROUP(ITS_REGS), 0));
    cr_expect_eq(when(ITS, true, GROUP(ITS_REGS), 0), count - 1);
}

Test(arm64_state, one_side_has_an_its)
{
    save_vm();
    f.kvm.its_fd = -1;
    cr_expect_eq(load_vm(out.len), -ENOTSUP);
    cr_expect_not_null(strstr(e.what, "has an ITS, this host's has none"), "%s", e.what);
    pack_free(&out);
    out = (struct pack){0};
    save_vm();
    cr_assert_eq(load_vm(out.len), 0, "%s", e.what);
    f.kvm.its_fd = ITS;
    cr_expect_eq(load_vm(out.len), -ENOTSUP);
    cr_expect_not_null(strstr(e.what, "has no ITS, this host's has one"), "%s", e.what);
}

Test(arm64_state, a_controller_cut_short_is_never_turned_on)
{
    save_vm();
    for (size_t len = 0; len < out.len; len += 4) {
        cr_expect_eq(load_vm(len), 0);
        for (size_t i = 0; i < count; i++) {
            cr_expect(!asked[i].set || asked[i].fd != ITS || asked[i].attr != 0 ||
                      asked[i].group != GROUP(ITS_REGS));
        }
    }
}

Test(arm64_state, what_kvm_refuses_of_a_controller)
{
    save_vm();
    f.fail_request = KVM_SET_DEVICE_ATTR;
    f.fail_code = -EBUSY;
    cr_expect_eq(load_vm(out.len), -EBUSY);
    cr_expect_not_null(strstr(e.what, "KVM refused the state of the interrupt controller"), "%s",
                       e.what);
    cr_expect_not_null(strstr(e.hint, "the same interrupt controller"), "%s", e.hint);
    cr_expect_eq(arch_vm_save(&f.kvm, &out, &e), -EBUSY);
    cr_expect_not_null(strstr(e.what, "KVM cannot save the interrupt controller"), "%s", e.what);
}
