/* ACPI tables: as a guest finds and checks them, and through iasl. */
#include "src/arch/x86/acpi.h"
#include "src/arch/x86/map.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pc_inventory has = {
    .cpus = 2,
    .virtio = {{.slot = 0, .gpa = 0xfeb00000, .gsi = 16},
               {.slot = 23, .gpa = 0xfeb02e00, .gsi = 23}},
    .virtio_count = 2,
    .com1 = true,
    .rtc = true,
    .pvpanic = true,
};
static struct acpi_tables tables;
static struct fake_machine m;
static uint64_t rsdp;

static void build(void)
{
    struct err e = ERR_INIT;
    cr_assert_eq(acpi_build(&tables, &has, &e), 0, "%s", e.what);
    cr_assert_eq(acpi_install(&tables, m.mem, &rsdp, &e), 0, "%s", e.what);
}

static void start(void)
{
    fake_machine_init(&m, 2);
}

static void stop(void)
{
    acpi_free(&tables);
    fake_machine_free(&m);
}

TestSuite(acpi, .init = start, .fini = stop);

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n-- > 0) {
        s = (uint8_t)(s + *p++);
    }
    return s;
}

/* Follow RSDP and XSDT as a guest does, checking sums; NULL if it is not listed. */
static const uint8_t *find(const char *signature)
{
    const uint8_t *p = m.ram + rsdp;
    cr_assert_arr_eq(p, "RSD PTR ", 8);
    cr_assert_eq(sum(p, 20), 0);
    cr_assert_eq(sum(p, 36), 0);
    cr_assert_eq(p[15], 2);
    const uint8_t *xsdt = m.ram + get_le64(p + 24);
    cr_assert_arr_eq(xsdt, "XSDT", 4);
    cr_assert_eq(sum(xsdt, get_le32(xsdt + 4)), 0);
    for (uint32_t i = 36; i < get_le32(xsdt + 4); i += 8) {
        const uint8_t *table = m.ram + get_le64(xsdt + i);
        cr_assert_eq(sum(table, get_le32(table + 4)), 0);
        if (memcmp(table, signature, 4) == 0) {
            return table;
        }
    }
    return NULL;
}

static const uint8_t *find_dsdt(void)
{
    const uint8_t *fadt = find("FACP");
    cr_assert(fadt != NULL);
    cr_expect_eq(get_le32(fadt + 40), get_le64(fadt + 140));
    const uint8_t *dsdt = m.ram + get_le64(fadt + 140);
    cr_assert_arr_eq(dsdt, "DSDT", 4);
    cr_assert_eq(sum(dsdt, get_le32(dsdt + 4)), 0);
    return dsdt;
}

static size_t occurrences(const uint8_t *table, const char *text)
{
    const size_t n = strlen(text);
    size_t found = 0;
    for (size_t i = 0; i + n <= get_le32(table + 4); i++) {
        found += memcmp(table + i, text, n) == 0;
    }
    return found;
}

Test(acpi, found_by_scanning_the_bios_area)
{
    build();
    uint64_t gpa = 0xe0000;
    while (gpa < 0x100000 && memcmp(m.ram + gpa, "RSD PTR ", 8) != 0) {
        gpa += 16;
    }
    cr_expect_eq(gpa, rsdp);
}

Test(acpi, fadt)
{
    build();
    const uint8_t *fadt = find("FACP");
    cr_assert(fadt != NULL);
    cr_expect_eq(get_le32(fadt + 4), 276);
    cr_expect_eq(fadt[8], 6);
    cr_expect_eq(get_le32(fadt + 112) & 0x100400, 0x100400, "hardware-reduced, reset register");
    static const uint8_t gas[4] = {0, 8, 0, 1};
    cr_expect_arr_eq(fadt + 116, gas, 4);
    cr_expect_eq(get_le64(fadt + 120), 0xfea00202);
    cr_expect_eq(fadt[128], 0x42);
    cr_expect_arr_eq(fadt + 244, gas, 4);
    cr_expect_eq(get_le64(fadt + 248), 0xfea00200);
    cr_expect_eq(get_le64(fadt + 260), 0xfea00201);
    cr_expect_eq(get_le16(fadt + 109) & 0x20, 0, "there is an RTC");
}

Test(acpi, no_rtc)
{
    has.rtc = false;
    build();
    cr_expect(get_le16(find("FACP") + 109) & 0x20);
    cr_expect_eq(find("FACP")[108], 0);
    cr_expect_eq(occurrences(find_dsdt(), "RTC_"), 0);
}

/* Walks the MADT's entries: how many of a type there are; entries must fill the table exactly. */
static unsigned madt_entries(uint8_t type, const uint8_t **last)
{
    const uint8_t *madt = find("APIC");
    cr_assert(madt != NULL);
    cr_expect_eq(get_le32(madt + 36), 0xfee00000);
    const uint32_t length = get_le32(madt + 4);
    uint32_t at = 44;
    unsigned count = 0;
    while (at < length) {
        if (madt[at] == type) {
            count++;
            *last = madt + at;
        }
        cr_assert_geq(madt[at + 1], 6);
        at += madt[at + 1];
    }
    cr_expect_eq(at, length);
    return count;
}

Test(acpi, fixed_hardware_takes_the_place_of_the_reduced)
{
    const uint8_t *entry = NULL;
    has.pm = true;
    build();
    const uint8_t *fadt = find("FACP");
    cr_expect_eq(get_le32(fadt + 112) & 0x100400, 0x400, "not hardware-reduced");
    cr_expect_eq(get_le16(fadt + 46), 7);
    cr_expect_eq(get_le32(fadt + 56), 0x600);
    cr_expect_eq(get_le32(fadt + 64), 0x604);
    cr_expect_eq(get_le32(fadt + 76), 0x608);
    cr_expect(fadt[88] == 4 && fadt[89] == 2 && fadt[91] == 4);
    const uint32_t facs = get_le32(fadt + 36);
    cr_expect_eq(facs % 64, 0);
    cr_expect_eq(facs, acpi_gpa(&tables, "FACS"));
    cr_expect_arr_eq(m.ram + facs, "FACS", 4);
    cr_expect_eq(get_le32(m.ram + facs + 4), 64);
    cr_expect_eq(get_le32(m.ram + facs + 12), 0, "no waking vector");
    cr_expect_eq(madt_entries(2, &entry), 1);
    cr_expect(entry[3] == 7 && get_le32(entry + 4) == 7 && get_le16(entry + 8) == 0xd);
    cr_expect_eq(occurrences(find_dsdt(), "_S3_"), 1);
    acpi_free(&tables);
    has.pm = false;
    build();
    cr_expect_eq(occurrences(find_dsdt(), "_S3_"), 0);
    cr_expect_eq(acpi_gpa(&tables, "FACS"), 0);
    cr_expect_eq(get_le32(find("FACP") + 76), 0);
}

Test(acpi, madt)
{
    const uint8_t *entry = NULL;
    build();
    cr_expect_eq(madt_entries(0, &entry), 2);
    cr_expect_eq(entry[3], 1);
    cr_expect_eq(get_le32(entry + 4), 1);
    cr_expect_eq(madt_entries(1, &entry), 1);
    cr_expect_eq(get_le32(entry + 4), 0xfec00000);
    cr_expect_eq(get_le32(entry + 8), 0);
    cr_expect_eq(madt_entries(4, &entry), 1);
    cr_expect_eq(entry[5], 1);
    cr_expect_eq(madt_entries(9, &entry), 0);
    cr_expect_eq(madt_entries(10, &entry), 0);
}

Test(acpi, many_cpus_have_x2apic_ids)
{
    const uint8_t *entry = NULL;
    has.cpus = 300;
    build();
    cr_expect_eq(madt_entries(0, &entry), 255);
    cr_expect_eq(entry[3], 254);
    cr_expect_eq(madt_entries(9, &entry), 45);
    cr_expect_eq(get_le32(entry + 4), 299);
    cr_expect_eq(get_le32(entry + 12), 299);
    cr_expect_eq(madt_entries(10, &entry), 1);
}

Test(acpi, all_of_kvms_cpus_fit_and_more_are_refused)
{
    struct err e = ERR_INIT;
    has.cpus = 4096;
    build();
    acpi_free(&tables);
    has.cpus = 100000;
    cr_expect_eq(acpi_build(&tables, &has, &e), -E2BIG);
    cr_expect(strstr(e.what, "100000 CPUs") != NULL);
}

Test(acpi, devices_are_there_only_if_the_machine_has_them)
{
    build();
    cr_expect_eq(occurrences(find_dsdt(), "LNRO0005"), 2);
    cr_expect_eq(occurrences(find_dsdt(), "VR00"), 1);
    cr_expect_eq(occurrences(find_dsdt(), "VR17"), 1);
    cr_expect_eq(occurrences(find_dsdt(), "QEMU0001"), 1);
    cr_expect_eq(occurrences(find_dsdt(), "COM1"), 1);
    acpi_free(&tables);
    has = (struct pc_inventory){.cpus = 1};
    build();
    cr_expect_eq(occurrences(find_dsdt(), "LNRO0005"), 0);
    cr_expect_eq(occurrences(find_dsdt(), "QEMU0001"), 0);
    cr_expect_eq(occurrences(find_dsdt(), "COM1"), 0);
    cr_expect_eq(occurrences(find_dsdt(), "_S5_"), 1);
    cr_expect_eq(occurrences(find_dsdt(), "ACPI0013"), 1);
}

Test(acpi, install_needs_ram)
{
    struct fake_machine empty;
    struct err e = ERR_INIT;
    build();
    fake_machine_init(&empty, 0);
    cr_expect_lt(acpi_install(&tables, empty.mem, &rsdp, &e), 0);
    cr_expect(strstr(e.what, "0xe0000") != NULL);
    fake_machine_free(&empty);
}

/* --- dumping, and iasl's opinion --------------------------------------- */

static char dir[] = "/tmp/vmm-acpi-XXXXXX";

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *format, ...)
{
    char command[PATH_MAX];
    va_list ap;
    va_start(ap, format);
    vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    return system(command);
}

static void dump(void)
{
    struct err e = ERR_INIT;
    char tables_dir[64];
    build();
    cr_assert(mkdtemp(dir) != NULL);
    snprintf(tables_dir, sizeof(tables_dir), "%s/tables", dir);
    cr_assert_eq(acpi_dump(&tables, tables_dir, &e), 0, "%s", e.what);
    cr_assert_eq(acpi_dump(&tables, tables_dir, &e), 0, "%s", e.what); /* again, over itself */
}

Test(acpi, dump_writes_each_table)
{
    static const char *const names[] = {"RSDP", "XSDT", "FACP", "APIC", "MCFG", "DSDT"};
    has.pci = true;
    dump();
    for (size_t i = 0; i < 6; i++) {
        char path[64];
        struct stat st;
        snprintf(path, sizeof(path), "%s/tables/%s.aml", dir, names[i]);
        cr_expect_eq(stat(path, &st), 0, "%s", path);
        cr_expect_gt(st.st_size, 35);
    }
    run("rm -r %s", dir);
}

Test(acpi, dump_errors_name_the_place)
{
    struct err e = ERR_INIT;
    build();
    cr_expect_lt(acpi_dump(&tables, "/proc/no/such", &e), 0);
    cr_expect(strstr(e.what, "/proc/no/such") != NULL);
    cr_expect_lt(acpi_dump(&tables, "/dev/null", &e), 0);
    cr_expect(strstr(e.what, "/dev/null") != NULL);
}

static size_t read_table(const char *folder, const char *name, uint8_t *buf, size_t room)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s%s.aml", dir, folder, name);
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL, "%s", path);
    const size_t n = fread(buf, 1, room, file);
    fclose(file);
    memset(buf + 28, 0, 8); /* iasl puts itself in as the creator */
    buf[9] = 0;             /* so the checksum differs */
    return n;
}

static void expect_same_table(const char *name)
{
    uint8_t ours[1024], theirs[1024];
    const size_t n = read_table("tables/", name, ours, sizeof(ours));
    cr_expect_eq(read_table("", name, theirs, sizeof(theirs)), n, "%s", name);
    cr_expect_eq(memcmp(ours, theirs, n), 0, "%s", name);
}

/* A machine with everything that has a place in the tables. */
static void add_buses(unsigned functions)
{
    has.platform[0] = (struct pc_platform){"vmm,edu", 0xfe000000, 0x100000, 10};
    has.platform_count = 1;
    has.pci = true;
    has.pci_mem64 = 0x800000000;
    for (unsigned i = 0; i < functions; i++) {
        has.intx[i] = (struct pc_intx){i + 1, 12 + (i + 1) % 4};
    }
    has.intx_count = functions;
}

/*
 * Decompile, compile again: no error, no warning, no remark; the data tables
 * come back the same (AML may not: iasl finds shorter encodings).
 */
static void iasl(unsigned functions)
{
    if (run("iasl -v >/dev/null 2>&1") != 0) {
        cr_skip_test("iasl is not installed (Debian package acpica-tools)");
    }
    add_buses(functions);
    has.pm = functions > 1;
    dump();
    cr_expect_eq(run("cd %s/tables && rm RSDP.aml && iasl -d *.aml >../d.log 2>&1", dir), 0);
    static const char *const names[] = {"XSDT", "FACP", "APIC", "MCFG", "DSDT"};
    for (size_t i = 0; i < 5; i++) {
        cr_expect_eq(run("cd %s/tables && iasl -p ../%s %s.dsl >../%s.log 2>&1", dir, names[i],
                         names[i], names[i]),
                     0);
    }
    cr_expect_eq(run("cd %s && grep -q '0 Errors, 0 Warnings, 0 Remarks' DSDT.log", dir), 0);
    cr_expect_neq(run("cd %s && grep -Ei '(error|warning|remark) +[0-9]{4}' *.log", dir), 0);
    for (size_t i = 0; i < 4; i++) {
        expect_same_table(names[i]);
    }
    run("rm -r %s", dir);
}

Test(acpi, iasl_takes_the_tables_without_a_word)
{
    iasl(0);
}

Test(acpi, iasl_takes_the_tables_of_a_full_bus)
{
    iasl(31);
}

/* What _OSC answers to capabilities, by ACPI's own interpreter: status, support, control. */
Test(acpi, osc)
{
    static const struct {
        const char *arguments, *answer;
    } cases[] = {
        {"(5b4ddb33f71f1c4096577441c03dd766) 1 3 (000000001f0000001f000000)",
         "00 00 00 00 1F 00 00 00 1F 00 00 00"},
        {"(5b4ddb33f71f1c4096577441c03dd766) 1 3 (000000001f000000ff000000)",
         "10 00 00 00 1F 00 00 00 1F 00 00 00"}, /* some features are not granted */
        {"(5b4ddb33f71f1c4096577441c03dd766) 2 3 (000000001f00000003000000)",
         "08 00 00 00 1F 00 00 00 03 00 00 00"}, /* unknown revision */
        {"(00000000f71f1c4096577441c03dd766) 1 3 (000000001f000000ff000000)",
         "04 00 00 00 1F 00 00 00 FF 00 00 00"}, /* unknown UUID */
    };
    if (run("acpiexec -v >/dev/null 2>&1") != 0) {
        cr_skip_test("acpiexec is not installed (Debian package acpica-tools)");
    }
    has.pci = true;
    dump();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(run("acpiexec -b 'evaluate \\_SB.PCI0._OSC %s' %s/tables/DSDT.aml 2>&1 | "
                         "grep -q '%s'",
                         cases[i].arguments, dir, cases[i].answer),
                     0, "case %zu", i);
    }
    run("rm -r %s", dir);
}
