/* PCI and platform devices in the ACPI tables, read by a parser of the tests' own. */
#include "src/arch/x86/acpi.h"
#include "tests/unit/aml_reader.h"

#include <criterion/criterion.h>
#include <string.h>

static struct pc_inventory has = {
    .cpus = 1,
    .pci = true,
    .pci_mem64 = 0x1800000000,
    .intx = {{1, 13}, {4, 12}, {31, 15}},
    .intx_count = 3,
    .platform = {{"vmm,edu", 0xfe000000, 0x100000, 10}, {"vmm,dma-engine", 0xfe100000, 0x1000, 5}},
    .platform_count = 2,
};
static struct acpi_tables tables;

static void stop(void)
{
    acpi_free(&tables);
}

TestSuite(acpi_pci, .fini = stop);

/* Build; the table with that signature, or NULL. */
static const uint8_t *build(const char *signature)
{
    struct err e = ERR_INIT;
    if (tables.count == 0) {
        cr_assert_eq(acpi_build(&tables, &has, &e), 0, "%s", e.what);
    }
    for (size_t i = 0; i < tables.count; i++) {
        if (strcmp(tables.table[i].signature, signature) == 0) {
            return tables.bytes.data + tables.table[i].offset;
        }
    }
    return NULL;
}

static void expect_resource(const struct aml_value *crs, unsigned n, struct aml_resource want)
{
    struct aml_resource r;
    cr_assert(aml_resource(crs, n, &r), "resource %u", n);
    cr_expect_eq(r.descriptor, want.descriptor, "resource %u", n);
    cr_expect_eq(r.type, want.type, "resource %u", n);
    cr_expect_eq(r.flags, want.flags, "resource %u: %x", n, r.flags);
    cr_expect_eq(r.type_flags, want.type_flags, "resource %u: %x", n, r.type_flags);
    cr_expect_eq(r.first, want.first, "resource %u", n);
    cr_expect_eq(r.last, want.last, "resource %u", n);
}

static void expect_count(const struct aml_value *crs, unsigned count)
{
    struct aml_resource r;
    cr_expect(aml_resource(crs, count - 1, &r));
    cr_expect_not(aml_resource(crs, count, &r));
}

static uint64_t eisa(const char *path)
{
    return __builtin_bswap32((uint32_t)aml_get(build("DSDT"), path).integer);
}

Test(acpi_pci, mcfg_tells_of_one_bus)
{
    static const uint8_t body[24] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0};
    const uint8_t *mcfg = build("MCFG");
    cr_assert(mcfg != NULL);
    cr_expect_eq(get_le32(mcfg + 4), 36 + sizeof(body));
    cr_expect_eq(mcfg[8], 1);
    cr_expect_arr_eq(mcfg + 36, body, sizeof(body));
}

Test(acpi_pci, the_ecam_is_reserved)
{
    const struct aml_value crs = aml_get(build("DSDT"), "_SB_.RES0._CRS");
    cr_expect_eq(eisa("_SB_.RES0._HID"), 0x41d00c02, "PNP0C02");
    expect_resource(
        &crs, 0, (struct aml_resource){0x86, .flags = 1, .first = 0xe0000000, .last = 0xe00fffff});
    expect_count(&crs, 1);
}

Test(acpi_pci, host_bridge)
{
    static const char *const zero[] = {"_SB_.PCI0._SEG", "_SB_.PCI0._BBN", "_SB_.PCI0._UID"};
    cr_expect_eq(eisa("_SB_.PCI0._HID"), 0x41d00a08, "PNP0A08");
    cr_expect_eq(eisa("_SB_.PCI0._CID"), 0x41d00a03, "PNP0A03");
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(aml_get(build("DSDT"), zero[i]).integer, 0, "%s", zero[i]);
    }
    cr_expect_eq(aml_get(build("DSDT"), "_SB_.PCI0._CCA").integer, 1);
    cr_expect_eq(aml_get(build("DSDT"), "_SB_.PCI0._OSC").type, AML_METHOD);
}

Test(acpi_pci, windows)
{
    const struct aml_value crs = aml_get(build("DSDT"), "_SB_.PCI0._CRS");
    const struct aml_resource want[] = {
        {0x88, .type = 2, .flags = 0x0c, .first = 0, .last = 0},
        {0x47, .flags = 1, .first = 0xcf8, .last = 0xcff},
        {0x88, .type = 1, .flags = 0x0c, .type_flags = 3, .first = 0x1000, .last = 0xffff},
        {0x87, .flags = 0x0c, .type_flags = 1, .first = 0xc0000000, .last = 0xdfffffff},
        {0x8a, .flags = 0x0c, .type_flags = 1, .first = 0x1800000000, .last = 0x1fffffffff},
    };
    for (unsigned i = 0; i < 5; i++) {
        expect_resource(&crs, i, want[i]);
    }
    expect_count(&crs, 5);
}

Test(acpi_pci, no_window_that_is_not_there)
{
    has.pci_mem64 = 0;
    const struct aml_value crs = aml_get(build("DSDT"), "_SB_.PCI0._CRS");
    expect_count(&crs, 4);
}

Test(acpi_pci, routing_of_the_functions_that_are_there)
{
    const struct aml_value prt = aml_get(build("DSDT"), "_SB_.PCI0._PRT");
    cr_assert_eq(prt.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct aml_value entry = aml_element(&prt, i);
        cr_assert_eq(entry.count, 4);
        cr_expect_eq(aml_element(&entry, 0).integer, has.intx[i].slot << 16 | 0xffff);
        cr_expect_eq(aml_element(&entry, 1).integer, 0, "INTA");
        cr_expect_eq(aml_element(&entry, 2).integer, 0, "no link device");
        cr_expect_eq(aml_element(&entry, 3).integer, has.intx[i].gsi);
    }
}

Test(acpi_pci, an_empty_bus_has_no_routing)
{
    struct aml_value v;
    has.intx_count = 0;
    cr_expect(aml_lookup(build("DSDT"), "_SB_.PCI0._CRS", &v));
    cr_expect_not(aml_lookup(build("DSDT"), "_SB_.PCI0._PRT", &v));
}

/* PCI's are active low, as a guest takes _PRT; platform devices' high, as their _CRS says. */
Test(acpi_pci, level_interrupts_override_isa_ones)
{
    static const uint8_t levels[] = {5, 10, 12, 13, 15};
    const uint8_t *madt = build("APIC");
    unsigned found = 0;
    for (uint32_t at = 44; at < get_le32(madt + 4); at += madt[at + 1]) {
        if (madt[at] == 2) {
            cr_assert_lt(found, sizeof(levels));
            const uint8_t want[] = {
                2, 10, 0, levels[found], levels[found], 0, 0, 0, levels[found] >= 12 ? 0x0f : 0x0d,
                0};
            cr_expect_arr_eq(madt + at, want, sizeof(want));
            found++;
        }
    }
    cr_expect_eq(found, sizeof(levels));
}

Test(acpi_pci, platform_devices)
{
    static const char *const names[] = {"PD00", "PD01"};
    static const uint8_t uuid[] = {0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
                                   0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01};
    for (unsigned i = 0; i < 2; i++) {
        const struct pc_platform *p = &has.platform[i];
        char path[32];
        snprintf(path, sizeof(path), "_SB_.%s._HID", names[i]);
        cr_expect_str_eq(aml_get(build("DSDT"), path).string, "PRP0001");
        snprintf(path, sizeof(path), "_SB_.%s._UID", names[i]);
        cr_expect_eq(aml_get(build("DSDT"), path).integer, i);
        snprintf(path, sizeof(path), "_SB_.%s._CRS", names[i]);
        const struct aml_value crs = aml_get(build("DSDT"), path);
        expect_resource(
            &crs, 0,
            (struct aml_resource){0x86, .flags = 1, .first = p->gpa, .last = p->gpa + p->size - 1});
        expect_resource(
            &crs, 1, (struct aml_resource){0x89, .flags = 0x09, .first = p->gsi, .last = p->gsi});
        expect_count(&crs, 2);
        snprintf(path, sizeof(path), "_SB_.%s._DSD", names[i]);
        const struct aml_value dsd = aml_get(build("DSDT"), path);
        const struct aml_value id = aml_element(&dsd, 0), properties = aml_element(&dsd, 1);
        cr_assert_eq(id.size, sizeof(uuid));
        cr_expect_arr_eq(id.data, uuid, sizeof(uuid));
        const struct aml_value pair = aml_element(&properties, 0);
        cr_expect_str_eq(aml_element(&pair, 0).string, "compatible");
        cr_expect_str_eq(aml_element(&pair, 1).string, p->compatible);
    }
}

Test(acpi_pci, nothing_of_it_without_pci_and_platform_devices)
{
    struct aml_value v;
    has = (struct pc_inventory){.cpus = 1};
    cr_expect(build("MCFG") == NULL);
    cr_expect(aml_lookup(build("DSDT"), "_SB_.GED_", &v));
    cr_expect_not(aml_lookup(build("DSDT"), "_SB_.PCI0", &v));
    cr_expect_not(aml_lookup(build("DSDT"), "_SB_.RES0", &v));
    cr_expect_not(aml_lookup(build("DSDT"), "_SB_.PD00", &v));
}
