/* The MP table as a guest finds and walks it, and the virtio-mmio parameters. */
#include "src/arch/x86/map.h"
#include "src/arch/x86/mptable.h"
#include "src/base/le.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fake_machine m;

static void start(void)
{
    fake_machine_init(&m, 1);
}

static void stop(void)
{
    fake_machine_free(&m);
}

TestSuite(mptable, .init = start, .fini = stop);

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n-- > 0) {
        s = (uint8_t)(s + *p++);
    }
    return s;
}

/* Search the BIOS area for the floating pointer; the table behind it. */
static const uint8_t *find_table(void)
{
    for (uint64_t gpa = 0xf0000; gpa < 0x100000; gpa += 16) {
        const uint8_t *p = m.ram + gpa;
        if (memcmp(p, "_MP_", 4) == 0) {
            cr_assert_eq(sum(p, p[8] * 16U), 0);
            cr_assert_eq(p[9], 4);
            const uint8_t *table = m.ram + get_le32(p + 4);
            cr_assert_arr_eq(table, "PCMP", 4);
            cr_assert_eq(sum(table, get_le16(table + 4)), 0);
            cr_expect_eq(get_le32(table + 36), 0xfee00000);
            return table;
        }
    }
    cr_assert_fail("no floating pointer");
    return NULL;
}

struct intx {
    uint8_t irq, pin;
};

struct counts {
    unsigned of[5];
    uint8_t last_cpu;
    uint8_t ioapic_id;
    unsigned boot_cpus;
    uint8_t isa_bus;
    uint32_t isa_irqs, level_irqs;
    struct intx intx[4];
    unsigned intx_count;
};

static struct counts walk(const uint8_t *table)
{
    static const uint8_t sizes[] = {20, 8, 8, 8, 8};
    struct counts c = {0};
    const uint8_t *p = table + 44;
    for (unsigned i = 0; i < get_le16(table + 34); i++) {
        cr_assert_lt(p[0], 5);
        c.of[p[0]]++;
        if (p[0] == 0) {
            c.last_cpu = p[1];
            c.boot_cpus += (p[3] & 2) != 0;
        } else if (p[0] == 2) {
            c.ioapic_id = p[1];
            cr_expect_eq(get_le32(p + 4), 0xfec00000);
        } else if (p[0] == 1) {
            c.isa_bus = memcmp(p + 2, "ISA   ", 6) == 0 ? p[1] : c.isa_bus;
        } else if (p[0] == 3 && p[4] == c.isa_bus) {
            cr_expect_eq(p[5], p[7], "ISA irq n is pin n");
            cr_expect_eq(p[6], c.ioapic_id);
            c.isa_irqs |= 1U << p[5];
            c.level_irqs |= get_le16(p + 2) == 0xd ? 1U << p[5] : 0;
        } else if (p[0] == 3) {
            cr_expect_eq(p[4], 0, "the number of PCI bus 0");
            cr_expect_eq(get_le16(p + 2), 0xf, "level, active low");
            cr_assert_lt(c.intx_count, 4);
            c.intx[c.intx_count++] = (struct intx){p[5], p[7]};
        }
        p += sizes[p[0]];
    }
    cr_expect_eq(p, table + get_le16(table + 4));
    return c;
}

Test(mptable, cpus_and_interrupts)
{
    cr_assert_eq(mptable_install(m.mem, &(struct pc_inventory){.cpus = 4}, NULL), 0);
    const struct counts c = walk(find_table());
    cr_expect_eq(c.of[0], 4);
    cr_expect_eq(c.boot_cpus, 1);
    cr_expect_eq(c.of[1], 1);
    cr_expect_eq(c.of[2], 1);
    cr_expect_eq(c.of[3], 16);
    cr_expect_eq(c.of[4], 2);
    cr_expect_gt(c.ioapic_id, c.last_cpu);
}

Test(mptable, pci_functions_and_platform_devices)
{
    const struct pc_inventory has = {
        .cpus = 1,
        .pci = true,
        .intx = {{1, 13}, {31, 15}},
        .intx_count = 2,
        .platform = {{"vmm,edu", 0xfe000000, 0x100000, 10}},
        .platform_count = 1,
    };
    cr_assert_eq(mptable_install(m.mem, &has, NULL), 0);
    const struct counts c = walk(find_table());
    cr_expect_eq(c.of[1], 2);
    cr_expect_eq(c.isa_bus, 1);
    cr_expect_eq(c.isa_irqs, 0xffff & ~(1U << 13 | 1U << 15), "no ISA irq has a pin of PCI");
    cr_expect_eq(c.level_irqs, 1U << 10);
    cr_assert_eq(c.intx_count, 2);
    cr_expect_eq(c.intx[0].irq, 1 << 2, "slot 1, INTA");
    cr_expect_eq(c.intx[0].pin, 13);
    cr_expect_eq(c.intx[1].irq, 31 << 2);
    cr_expect_eq(c.intx[1].pin, 15);
}

Test(mptable, a_full_bus_and_the_most_cpus)
{
    struct pc_inventory has = {.cpus = MPTABLE_MAX_CPUS, .pci = true, .intx_count = PCI_SLOTS};
    for (unsigned i = 0; i < PCI_SLOTS; i++) {
        has.intx[i] = (struct pc_intx){i, 12};
    }
    cr_assert_eq(mptable_install(m.mem, &has, NULL), 0);
    const uint8_t *table = find_table();
    cr_expect_eq(get_le16(table + 34), MPTABLE_MAX_CPUS + 3 + 15 + PCI_SLOTS + 2);
}

Test(mptable, most_cpus)
{
    struct err e = ERR_INIT;
    struct pc_inventory has = {.cpus = MPTABLE_MAX_CPUS};
    cr_assert_eq(mptable_install(m.mem, &has, &e), 0);
    const struct counts c = walk(find_table());
    cr_expect_eq(c.last_cpu, MPTABLE_MAX_CPUS - 1);
    cr_expect_eq(c.ioapic_id, MPTABLE_MAX_CPUS);
    has.cpus++;
    cr_expect_lt(mptable_install(m.mem, &has, &e), 0);
    cr_expect(strstr(e.hint, "acpi=off") != NULL);
}

Test(mptable, virtio_irqs_are_no_other_devices)
{
    for (unsigned slot = 0; slot < PC_VIRTIO_SLOTS; slot++) {
        const unsigned irq = mptable_virtio_irq(slot);
        cr_expect_lt(irq, 16);
        cr_expect(irq > 4 && irq != PC_GSI_RTC, "slot %u irq %u", slot, irq);
        cr_expect_lt(irq, PC_GSI_INTX);
        static const uint8_t platform[] = PC_GSI_PLATFORM;
        for (size_t i = 0; i < sizeof(platform); i++) {
            cr_expect_neq(irq, platform[i], "slot %u irq %u is a level", slot, irq);
        }
    }
}

Test(mptable, virtio_parameters)
{
    char text[VIRTIO_PARAM_SIZE];
    mptable_virtio_param(text, 0);
    cr_expect_str_eq(text, "virtio_mmio.device=512@0xfeb00000:7");
    mptable_virtio_param(text, PC_VIRTIO_SLOTS - 1);
    cr_expect_str_eq(text, "virtio_mmio.device=512@0xfeb02e00:9");
}
