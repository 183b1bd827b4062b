/*
 * The pc board: what is built in, where devices are plugged in, and what it says
 * of wrong places. The machine is a whole one, as --info builds it, without KVM.
 */
#include "src/arch/board.h"
#include "src/arch/x86/pc.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define ECAM        0xe0000000ULL
#define BRIDGE      0x00081b36
#define EDU         0x11e81234
#define EDU_ID      0x010000ed
#define COMMAND     0x04
#define BAR0        0x10
#define LINE        0x3c
#define NO_FUNCTION 0xffffffff

static struct config config = {
    .action = ACTION_DESCRIBE, .memory = 8 << 20, .cpus = 1, .acpi = true, .pci = true};
static struct machine *m;
static struct err err;

static void start(const struct config *c)
{
    err = ERR_INIT;
    m = machine_new(c, &err);
    cr_assert(m != NULL, "%s", err.what);
}

static void setup(void)
{
    start(&config);
}

static void stop(void)
{
    machine_free(m);
}

TestSuite(board, .init = setup, .fini = stop);

static struct device *add(const char *text)
{
    err = ERR_INIT;
    struct device *d = machine_add_device(m, text, NULL, &err);
    cr_assert(d != NULL, "%s: %s", text, err.what);
    return d;
}

static void assign(void)
{
    cr_assert_eq(board_assign(m, &err), 0, "%s", err.what);
}

/* A usage error whose text and hint hold these pieces. */
static void refused(const char *text, const char *what, const char *hint)
{
    err = ERR_INIT;
    cr_assert(machine_add_device(m, text, NULL, &err) == NULL, "%s", text);
    cr_expect_eq(err.status, EXIT_USAGE, "%s", text);
    cr_expect(strstr(err.what, what) != NULL, "%s: %s", text, err.what);
    cr_expect(strstr(err.hint, hint) != NULL, "%s: %s", text, err.hint);
}

static uint32_t ecam(unsigned slot, unsigned reg)
{
    return (uint32_t)fake_read(m->mem, ECAM + (slot << 15) + reg, 4);
}

static uint32_t by_ports(unsigned slot, unsigned reg)
{
    fake_write(m->io, 0xcf8, 0x80000000 | slot << 11 | reg, 4);
    return (uint32_t)fake_read(m->io, 0xcfc, 4);
}

static bool has_line(const char *topic, const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    machine_info(m, topic, f);
    fclose(f);
    const bool found = strstr(out, text) != NULL;
    free(out);
    return found;
}

Test(board, a_host_bridge_is_built_in)
{
    cr_expect_eq(ecam(0, 0), BRIDGE);
    cr_expect_eq(by_ports(0, 0), BRIDGE);
    for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
        cr_expect_eq(ecam(slot, 0), NO_FUNCTION);
    }
    cr_expect(has_line("mtree", "00000000c0000000-00000000dfffffff (prio -1, i/o): pci.mem32"));
    cr_expect(has_line("mtree", "0000000000001000-000000000000ffff (prio -1, i/o): pci.io"));
    cr_expect(has_line("mtree", "0000000800000000-0000000fffffffff (prio -1, i/o): pci.mem64"));
    cr_expect(has_line("flatview", "00000000e0000000-00000000e00fffff"));
}

Test(board, kvm_unit_tests_find_their_devices_if_asked_for)
{
    struct config c = config;
    cr_expect_eq(fake_read(m->io, 0xe0, 4), NO_FUNCTION);
    cr_expect_eq(fake_read(m->io, 0x608, 4), NO_FUNCTION);
    machine_free(m);
    c.testdev = true;
    start(&c);
    cr_expect_eq(fake_read(m->io, 0xe0, 4), 0);
    cr_expect_eq(fake_read(m->io, 0xf4, 4), 0);
    cr_expect_eq(fake_read(m->io, 0x514, 4), 0x554d4551);
    cr_expect_neq(fake_read(m->io, 0x608, 4), NO_FUNCTION, "pm=on comes along");
    cr_expect_eq(ecam(1, 0), 0x00051b36);
    machine_free(m);
    c.pci = c.acpi = false;
    start(&c);
    cr_expect_eq(fake_read(m->io, 0xe0, 4), 0);
    cr_expect_eq(fake_read(m->io, 0x608, 4), NO_FUNCTION, "without ACPI nobody would find it");
}

Test(board, the_guest_says_where_it_wakes_up)
{
    enum { WAKING_VECTOR = 12 };
    struct boot_entry entry;
    struct config c = config;
    cr_expect_eq(board_wake(m, &entry), -ENOENT);
    machine_free(m);
    c.pm = true;
    start(&c);
    m->board->facs = 0xe0300; /* as if tables were installed */
    static const struct {
        uint32_t vector;
        int result;
        uint16_t cs;
        uint64_t ip;
    } cases[] = {
        {0, -ENOENT, 0, 0},        {0x1000, 0, 0x100, 0},     {0x9a01c, 0, 0x9a01, 0xc},
        {0xfffff, 0, 0xffff, 0xf}, {0x100000, -ENOENT, 0, 0}, {UINT32_MAX, -ENOENT, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fake_write(m->mem, m->board->facs + WAKING_VECTOR, cases[i].vector, 4);
        cr_expect_eq(board_wake(m, &entry), cases[i].result, "%x", cases[i].vector);
        if (cases[i].result == 0) {
            cr_expect(entry.mode == BOOT_REAL16 && entry.cs == cases[i].cs &&
                      entry.ip == cases[i].ip);
        }
    }
}

Test(board, firmware_gives_addresses_and_lines)
{
    add("edu");
    add("edu,addr=5");
    add("edu,bus=pci");
    cr_expect_eq(ecam(1, COMMAND) & 7, 0, "not yet");
    assign();
    static const struct {
        unsigned slot, gsi;
        uint32_t gpa;
    } places[] = {{1, 13, 0xc0000000}, {2, 14, 0xc0100000}, {5, 13, 0xc0200000}};
    for (size_t i = 0; i < 3; i++) {
        const unsigned slot = places[i].slot;
        cr_expect_eq(ecam(slot, 0), EDU);
        cr_expect_eq(ecam(slot, COMMAND) & 7, 3, "I/O and memory, no bus mastering");
        cr_expect_eq(ecam(slot, BAR0), places[i].gpa);
        cr_expect_eq(ecam(slot, LINE) & 0xff, places[i].gsi);
        cr_expect_eq(fake_read(m->mem, places[i].gpa, 4), EDU_ID);
    }
    cr_expect_eq(m->board->has.intx_count, 3);
    cr_expect_eq(m->board->has.intx[1].slot, 5, "in order of plugging in");
    cr_expect_eq(m->board->has.intx[1].gsi, 13);
}

Test(board, and_again_after_a_reset)
{
    struct device *edu = add("edu");
    assign();
    fake_write(m->mem, ECAM + (1 << 15) + BAR0, 0xd0000000, 4);
    cr_expect_eq(fake_read(m->mem, 0xd0000000, 4), EDU_ID);
    device_reset(edu);
    cr_expect_eq(fake_read(m->mem, 0xd0000000, 4), NO_FUNCTION);
    cr_expect_eq(ecam(1, COMMAND) & 7, 0);
    assign();
    cr_expect_eq(fake_read(m->mem, 0xc0000000, 4), EDU_ID);
}

Test(board, slots_run_out)
{
    for (unsigned i = 1; i < PCI_SLOTS; i++) {
        add("edu");
    }
    assign();
    cr_expect_eq(m->board->has.intx_count, PCI_SLOTS - 1);
    cr_expect_eq(ecam(31, 0), EDU);
    refused("edu", "no PCI slot", "bus=mmio");
}

Test(board, wrong_slots)
{
    add("edu,addr=3");
    refused("edu,addr=3", "PCI slot 3 for edu1 is taken by edu", "addr=1 is free");
    refused("edu,addr=32", "'32' is out of range", "");
    refused("edu,addr=-1", "addr", "");
    refused("edu,addr=x", "addr", "");
}

Test(board, wrong_buses)
{
    refused("edu,bus=isa", "is not for a bus 'isa'", "bus=pci or bus=mmio");
    refused("edu,bus=", "is not for a bus ''", "bus=pci or bus=mmio");
    refused("edu,bus=PCI", "is not for a bus 'PCI'", "bus=pci");
    refused("edu,bus=mmio,addr=4", "addr=", "leave addr= out");
    refused("uart16550,bus=pci", "has no property 'bus'", "");
    cr_expect_eq(m->board->has.platform_count, 0);
}

Test(board, platform_devices)
{
    static const unsigned gsis[PC_PLATFORM_SLOTS] = {10, 11, 5, 6, 10, 11, 5, 6};
    for (unsigned i = 0; i < PC_PLATFORM_SLOTS; i++) {
        const uint64_t gpa = 0xfe000000 + i * 0x100000ULL;
        add("edu,bus=mmio");
        const struct pc_platform *p = &m->board->has.platform[i];
        cr_expect_eq(fake_read(m->mem, gpa, 4), EDU_ID);
        cr_expect_eq(p->gpa, gpa);
        cr_expect_eq(p->size, 0x100000);
        cr_expect_eq(p->gsi, gsis[i]);
        cr_expect_str_eq(p->compatible, "vmm,edu");
    }
    cr_expect_eq(m->board->has.platform_count, PC_PLATFORM_SLOTS);
    cr_expect_eq(ecam(1, 0), NO_FUNCTION);
    refused("edu,bus=mmio", "finds no place", "bus=pci");
    assign();
    add("edu");
}

Test(board, isa_devices_are_at_ports_unless_they_are_to_be_in_memory)
{
    const size_t before = m->board->has.platform_count;
    add("debug-exit");
    add("debug-exit,bus=isa,iobase=0x600");
    cr_expect_eq(m->board->has.platform_count, before);
    cr_expect_eq(fake_read(m->io, 0x501, 1), 0);
    cr_expect_eq(fake_read(m->io, 0x600, 1), 0);
    add("debug-exit,bus=mmio");
    cr_expect_eq(m->board->has.platform_count, before + 1);
    cr_expect_eq(fake_read(m->mem, 0xfe000000, 4), 0);
    cr_expect_str_eq(m->board->has.platform[before].compatible, "vmm,debug-exit");
    refused("debug-exit,bus=pci", "is not for a bus 'pci'", "bus=isa or bus=mmio");
    refused("debug-exit,addr=4", "has no property 'addr'", "");
}

Test(board, without_pci)
{
    config.pci = false;
    stop();
    start(&config);
    cr_expect_eq(ecam(0, 0), NO_FUNCTION);
    cr_expect_eq(by_ports(0, 0), NO_FUNCTION);
    cr_expect_not(has_line("mtree", "pci.mem32"));
    refused("edu", "this machine has no PCI (pci=off)", "bus=mmio");
    refused("edu,bus=pci", "this machine has no PCI (pci=off)", "bus=mmio");
    add("edu,bus=mmio");
    cr_expect_eq(fake_read(m->mem, 0xfe000000, 4), EDU_ID);
    assign();
    for (size_t i = 0; i < m->board->map.count; i++) {
        cr_expect_neq(m->board->map.areas[i].gpa, ECAM);
    }
}
