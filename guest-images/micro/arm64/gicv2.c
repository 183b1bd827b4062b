/*
 * A GICv2 that is saved and restored: every CPU's registers are as they were, what is pending is
 * delivered, once and from the same sender, and what is active ends. Wants --machine virt,gic=2,
 * three CPUs and a snapshot-ready device. Interrupts stay masked: each CPU asks for its own.
 *
 * Source: Arm IHI 0048, chapter 4.
 */
#include "guest.h"
#include "virt.h"

#define GICD_CTLR      0x000
#define GICD_IGROUPR   0x080
#define GICD_ISENABLER 0x100
#define GICD_ICENABLER 0x180
#define GICD_ISPENDR   0x200
#define GICD_ISACTIVER 0x300
#define GICD_ICACTIVER 0x380
#define GICD_IPRIORITY 0x400
#define GICD_ITARGETS  0x800
#define GICD_ICFGR     0xc00
#define GICD_SGIR      0xf00 /* targets in bits 23:16 */
#define GICD_SPENDSGIR 0xf20
#define GICC_CTLR      0x00
#define GICC_PMR       0x04
#define GICC_BPR       0x08
#define GICC_IAR       0x0c
#define GICC_EOIR      0x10
#define GICC_RPR       0x14
#define GICC_ABPR      0x1c
#define GICC_APR       0xd0
#define NOTHING        1023
#define EDGE           2U

enum { CPUS = 3, SHARED_MAX = 160, OWN_MAX = 32, PATIENCE = 100000 };

/* Shared interrupts, in the order of their priorities; no device has them. */
enum {
    ACTIVE = 92,    /* CPU 0 has it */
    PENDING = 93,   /* for CPU 0 */
    ELSEWHERE = 94, /* pending for CPU 2 */
    OFF = 95,       /* pending, disabled; level */
    FORCED = 96,    /* active by a write to ISACTIVER; group 1 */
};
/* Software's: of each sender to CPU 1, the same disabled, one that CPU 2 has, one to CPU 0. */
enum { SGI_OF_ALL = 5, SGI_OFF = 6, SGI_ACTIVE = 9, SGI_LAST = 15 };

static uintptr_t gicd, gicc;
static volatile unsigned ready, turn; /* CPUs that are; who may go on after the snapshot */
static uint32_t shared[SHARED_MAX], own[CPUS][OWN_MAX];

/* --- registers --------------------------------------------------------------- */

struct run {
    uint32_t offset, count;
};

/* All but what is pending: another CPU may have that. */
static const struct run shared_runs[] = {
    {GICD_CTLR, 1},          {GICD_IGROUPR + 4, 4},     {GICD_ISENABLER + 4, 4},
    {GICD_ISACTIVER + 4, 4}, {GICD_IPRIORITY + 32, 32}, {GICD_ITARGETS + 32, 32},
    {GICD_ICFGR + 8, 8},
};
static const struct run own_runs[] = {
    {GICD_IGROUPR, 1},   {GICD_ISENABLER, 1}, {GICD_ISPENDR, 1},   {GICD_ISACTIVER, 1},
    {GICD_IPRIORITY, 8}, {GICD_ICFGR, 2},     {GICD_SPENDSGIR, 4},
};
static const struct run interface_runs[] = {
    {GICC_CTLR, 3},
    {GICC_RPR, 1},
    {GICC_ABPR, 1},
    {GICC_APR, 1},
};

/* Read them into to, or compare them with it. Returns how many. */
static size_t each(uintptr_t base, const struct run *runs, size_t count, uint32_t *to, bool compare)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < runs[i].count; k++, n++) {
            const uint32_t value = mmio_read32(base + runs[i].offset + 4UL * k);
            if (compare && value != to[n]) {
                print("cpu %u: register %x is %x, was %x\n", cpu_id(), runs[i].offset + 4 * k,
                      value, to[n]);
                guest_exit(1);
            }
            to[n] = value;
        }
    }
    return n;
}

static void all_registers(bool compare)
{
    uint32_t *mine = own[cpu_id()];
    const size_t n = each(gicd, own_runs, ARRAY_SIZE(own_runs), mine, compare);
    each(gicc, interface_runs, ARRAY_SIZE(interface_runs), mine + n, compare);
    if (cpu_id() == 0) {
        each(gicd, shared_runs, ARRAY_SIZE(shared_runs), shared, compare);
    }
    if (compare) {
        print("cpu %u: registers as they were\n", cpu_id());
    }
}

/* Set the bit of an interrupt. */
static void set(uint32_t reg, unsigned intid)
{
    mmio_write32(gicd + reg + intid / 32 * 4, 1U << intid % 32);
}

static void send_sgi(unsigned intid, unsigned to)
{
    mmio_write32(gicd + GICD_SGIR, 1U << (16 + to) | intid);
}

/* --- before -------------------------------------------------------------------- */

/* The interface and the private interrupts of a CPU, with other values on each. */
static void start_cpu(void)
{
    const unsigned me = cpu_id();
    for (unsigned intid = 0; intid < 32; intid++) {
        mmio_write8(gicd + GICD_IPRIORITY + intid, (uint8_t)(0xa0 + 0x10 * me));
    }
    mmio_write32(gicc + GICC_PMR, 0xf8);
    mmio_write32(gicc + GICC_BPR, 3);
    mmio_write32(gicc + GICC_ABPR, 4 + me);
    mmio_write32(gicc + GICC_CTLR, 1);
    set(GICD_ISENABLER, 16 + me);
    if (me == 1) {
        set(GICD_ICENABLER, SGI_OFF);
    }
}

static void start_shared(void)
{
    for (unsigned intid = ACTIVE; intid <= FORCED; intid++) {
        const uintptr_t config = gicd + GICD_ICFGR + intid / 16 * 4;
        const uint32_t edge = intid == OFF ? 0 : EDGE << intid % 16 * 2;
        mmio_write32(config, mmio_read32(config) | edge);
        mmio_write8(gicd + GICD_IPRIORITY + intid, (uint8_t)(0x20 + 0x10 * (intid - ACTIVE)));
        mmio_write8(gicd + GICD_ITARGETS + intid, intid == ELSEWHERE ? 1 << 2 : 1);
        if (intid != OFF && intid != FORCED) {
            set(GICD_ISENABLER, intid);
        }
    }
    mmio_write8(gicd + GICD_IPRIORITY + ELSEWHERE, 0xe0); /* below what is active there */
    set(GICD_IGROUPR, FORCED);
    mmio_write32(gicd + GICD_CTLR, 1);
}

/* Wait for an interrupt: it is active then. */
static uint32_t take(void)
{
    uint32_t got = NOTHING;
    for (unsigned i = 0; i < PATIENCE && got == NOTHING; i++) {
        got = mmio_read32(gicc + GICC_IAR);
    }
    return got;
}

static void take_none(void)
{
    for (unsigned i = 0; i < 100; i++) {
        CHECK_EQ(mmio_read32(gicc + GICC_IAR), NOTHING);
    }
}

static void end(uint32_t got)
{
    mmio_write32(gicc + GICC_EOIR, got);
}

/* One CPU after the other, from 0 on. */
static void make_pending(void)
{
    const unsigned me = cpu_id();
    send_sgi(SGI_OF_ALL, 1);
    if (me == 0) {
        send_sgi(SGI_OFF, 1);
        send_sgi(SGI_ACTIVE, 2);
        set(GICD_ISPENDR, ACTIVE);
        CHECK_EQ(take(), ACTIVE);
        set(GICD_ISPENDR, PENDING);
        set(GICD_ISPENDR, OFF);
        set(GICD_ISACTIVER, FORCED);
    } else if (me == 2) {
        send_sgi(SGI_LAST, 0);
        CHECK_EQ(take(), SGI_ACTIVE);
        set(GICD_ISPENDR, ELSEWHERE);
    }
}

/* --- after ---------------------------------------------------------------------- */

static void after_0(void)
{
    take_none();
    end(ACTIVE);
    CHECK_EQ(take(), PENDING);
    end(PENDING);
    CHECK_EQ(take(), SGI_LAST | 2 << 10);
    end(SGI_LAST | 2 << 10);
    take_none();
    set(GICD_ISENABLER, OFF);
    CHECK_EQ(take(), OFF);
    end(OFF);
    take_none();
    set(GICD_ICACTIVER, FORCED);
    CHECK_EQ(mmio_read32(gicd + GICD_ISACTIVER + FORCED / 32 * 4), 0);
    print("cpu 0: shared interrupts go on\n");
}

static void after_1(void)
{
    unsigned senders = 0;
    for (unsigned i = 0; i < CPUS; i++) {
        const uint32_t got = take();
        CHECK_EQ(got & 0x3ff, SGI_OF_ALL);
        CHECK((senders & 1U << (got >> 10)) == 0);
        senders |= 1U << (got >> 10);
        end(got);
    }
    CHECK_EQ(senders, (1U << CPUS) - 1);
    take_none();
    set(GICD_ISENABLER, SGI_OFF);
    CHECK_EQ(take(), SGI_OFF);
    end(SGI_OFF);
    take_none();
    print("cpu 1: one of each sender\n");
}

static void after_2(void)
{
    take_none();
    end(SGI_ACTIVE);
    CHECK_EQ(take(), ELSEWHERE);
    end(ELSEWHERE);
    take_none();
    print("cpu 2: its interrupt came here\n");
}

/* --- the whole ------------------------------------------------------------------ */

static void wait_for(volatile unsigned *word, unsigned value)
{
    while (*word != value) {
        cpu_relax();
    }
}

static void before(void)
{
    wait_for(&ready, cpu_id());
    start_cpu();
    ready = cpu_id() + 1;
    wait_for(&ready, CPUS + cpu_id()); /* a second round: all can be interrupted */
    make_pending();
    ready = CPUS + cpu_id() + 1;
    wait_for(&ready, 2 * CPUS);
    all_registers(false);
}

static void after(void)
{
    static void (*const parts[])(void) = {after_0, after_1, after_2};
    wait_for(&turn, cpu_id() + 1);
    all_registers(true);
    parts[cpu_id()]();
    turn = cpu_id() + 2;
}

static volatile uint32_t known; /* CPUs whose registers are read */

static void other(unsigned index)
{
    (void)index;
    before();
    atomic_add32(&known, 1);
    after();
}

int guest_main(void)
{
    fdt_node *node = fdt_compatible("arm,cortex-a15-gic", 0);
    CHECK(node != NULL && cpu_count() == CPUS);
    gicd = fdt_reg(node, 0);
    gicc = fdt_reg(node, 1);
    start_shared();
    cpus_start(other);
    before();
    while (known != CPUS - 1) {
        cpu_relax();
    }
    print("gicv2: ready\n");
    print("generation %u\n", snapshot_point());
    turn = 1;
    after();
    cpus_wait(CPUS - 1);
    print("gicv2: ok\n");
    return 0;
}
