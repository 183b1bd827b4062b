/* AML encodings, against bytes worked out from the ACPI specification by hand. */
#include "src/arch/x86/aml.h"

#include <criterion/criterion.h>

static uint8_t room[70000];
static struct bytes b;

static void start(void)
{
    b = (struct bytes){.data = room, .cap = sizeof(room)};
}

#define EXPECT_BYTES(...)                                                                          \
    do {                                                                                           \
        const uint8_t want[] = {__VA_ARGS__};                                                      \
        cr_expect_not(b.full);                                                                     \
        cr_expect_eq(b.len, sizeof(want), "%zu bytes, wanted %zu", b.len, sizeof(want));           \
        cr_expect_arr_eq(b.data, want, sizeof(want));                                              \
    } while (0)

TestSuite(aml, .init = start);

Test(aml, integers_have_the_shortest_form)
{
    aml_integer(&b, 0);
    aml_integer(&b, 1);
    aml_integer(&b, 2);
    aml_integer(&b, 0xff);
    aml_integer(&b, 0x100);
    aml_integer(&b, 0x12345678);
    aml_integer(&b, 0x100000000);
    EXPECT_BYTES(0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x78, 0x56, 0x34, 0x12,
                 0x0e, 0, 0, 0, 0, 1, 0, 0, 0);
}

Test(aml, eisa_ids_are_compressed_big_endian)
{
    aml_eisa_id(&b, "PNP0501");
    aml_eisa_id(&b, "PNP0A08");
    EXPECT_BYTES(0x0c, 0x41, 0xd0, 0x05, 0x01, 0x0c, 0x41, 0xd0, 0x0a, 0x08);
}

Test(aml, paths)
{
    aml_path(&b, "\\");
    aml_path(&b, "\\_S5");
    aml_path(&b, "A");
    aml_path(&b, "\\_SB.PCI0");
    aml_path(&b, "A.BC.DEFG");
    EXPECT_BYTES('\\', 0x00, '\\', '_', 'S', '5', '_', 'A', '_', '_', '_', '\\', 0x2e, '_', 'S',
                 'B', '_', 'P', 'C', 'I', '0', 0x2f, 3, 'A', '_', '_', '_', 'B', 'C', '_', '_', 'D',
                 'E', 'F', 'G');
}

Test(aml, package_of_sleep_state)
{
    aml_name(&b, "\\_S5");
    size_t package = aml_package(&b, 4);
    aml_integer(&b, 5);
    aml_integer(&b, 0);
    aml_integer(&b, 0);
    aml_integer(&b, 0);
    aml_end(&b, package);
    EXPECT_BYTES(0x08, '\\', '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0, 0, 0);
}

Test(aml, device_and_method_nest)
{
    size_t scope = aml_scope(&b, "\\_SB");
    size_t dev = aml_device(&b, "GED");
    size_t method = aml_method(&b, "_EVT", 1, true);
    aml_op(&b, AML_STORE);
    aml_path(&b, "ESEL");
    aml_local(&b, 0);
    size_t branch = aml_if(&b);
    aml_op(&b, AML_AND);
    aml_local(&b, 0);
    aml_integer(&b, 2);
    aml_op(&b, AML_NOWHERE);
    aml_op(&b, AML_NOTIFY);
    aml_path(&b, "PWRB");
    aml_integer(&b, 0x80);
    aml_end(&b, branch);
    aml_end(&b, method);
    aml_end(&b, dev);
    aml_end(&b, scope);
    /* Scope, Device, Method, Store, If (And), Notify */
    EXPECT_BYTES(0x10, 0x28, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x20, 'G', 'E', 'D', '_', 0x14,
                 0x1a, '_', 'E', 'V', 'T', 0x09, 0x70, 'E', 'S', 'E', 'L', 0x60, 0xa0, 0x0d, 0x7b,
                 0x60, 0x0a, 0x02, 0x00, 0x86, 'P', 'W', 'R', 'B', 0x0a, 0x80);
}

Test(aml, register_and_field)
{
    aml_register32(&b, "EREG", "ESEL", 0xfea00000);
    EXPECT_BYTES(0x5b, 0x80, 'E', 'R', 'E', 'G', 0x00, 0x0c, 0x00, 0x00, 0xa0, 0xfe, 0x0a, 0x04,
                 0x5b, 0x81, 0x0b, 'E', 'R', 'E', 'G', 0x43, 'E', 'S', 'E', 'L', 0x20);
}

Test(aml, resources)
{
    size_t crs = aml_crs(&b);
    aml_io(&b, 0x3f8, 8);
    aml_irq(&b, 4);
    aml_memory32(&b, 0xfeb00000, 0x200);
    aml_interrupt(&b, AML_INT_EDGE | AML_INT_SHARED, 16);
    aml_crs_end(&b, crs);
    EXPECT_BYTES(0x08, '_', 'C', 'R', 'S', 0x11, 0x26, 0x0b, 0x22, 0x00, /* Buffer */
                 0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,         /* IO */
                 0x22, 0x10, 0x00,                                       /* IRQNoFlags */
                 0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0xb0, 0xfe, 0x00, 0x02, 0x00, 0x00, 0x89, 0x06,
                 0x00, 0x0b, 0x01, 0x10, 0x00, 0x00, 0x00, /* Interrupt */
                 0x79, 0x00);
}

Test(aml, windows_of_a_bridge)
{
    aml_bus_window(&b, 0, 1);
    aml_io_window(&b, 0x1000, 0xf000);
    aml_memory32_window(&b, 0xc0000000, 0x20000000);
    aml_memory64_window(&b, 0x800000000, 0x800000000);
    EXPECT_BYTES(0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, /* bus */
                 0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0, 0, 0x00, 0x10, 0xff, 0xff, 0, 0, 0x00,
                 0xf0, /* ports */
                 0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff, 0xff,
                 0xdf, 0, 0, 0, 0, 0, 0, 0, 0x20, /* memory */
                 0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0,
                 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0,
                 0);
}

Test(aml, uuids_are_mixed_endian)
{
    aml_uuid(&b, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    EXPECT_BYTES(0x11, 0x13 + 1, 0x0b, 0x10, 0x00, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
                 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66);
}

Test(aml, conditions_and_fields)
{
    aml_dword_field(&b, 3, 8, "CDW3");
    size_t equal = aml_if(&b);
    aml_op(&b, AML_NOT);
    aml_op(&b, AML_EQUAL);
    aml_arg(&b, 1);
    aml_integer(&b, 1);
    aml_op(&b, AML_RETURN);
    aml_arg(&b, 0);
    aml_end(&b, equal);
    size_t otherwise = aml_else(&b);
    aml_op(&b, AML_OR);
    aml_local(&b, 7);
    aml_integer(&b, 4);
    aml_local(&b, 0);
    aml_end(&b, otherwise);
    EXPECT_BYTES(0x8a, 0x6b, 0x0a, 0x08, 'C', 'D', 'W', '3', 0xa0, 0x07, 0x92, 0x93, 0x69, 0x01,
                 0xa4, 0x68, 0xa1, 0x06, 0x7d, 0x67, 0x0a, 0x04, 0x60);
}

/* PkgLength of a scope with a body of n bytes behind its 4-byte name. */
static void scope_of(size_t n)
{
    start();
    size_t mark = aml_scope(&b, "SCPE");
    bytes_zero(&b, n);
    aml_end(&b, mark);
}

Test(aml, package_length_at_its_boundaries)
{
    scope_of(63 - 5); /* length 63: one byte */
    cr_expect_eq(room[1], 63);
    cr_expect_eq(room[2], 'S');
    scope_of(64 - 5); /* would be 64, so two bytes and 65 */
    cr_expect_eq(room[1], 0x41);
    cr_expect_eq(room[2], 0x04);
    cr_expect_eq(room[3], 'S');
    scope_of(0xfff - 6); /* the largest of two bytes */
    cr_expect_eq(room[1], 0x4f);
    cr_expect_eq(room[2], 0xff);
    cr_expect_eq(room[3], 'S');
    scope_of(0x1000 - 6);
    cr_expect_eq(room[1], 0x81);
    cr_expect_eq(room[2], 0x00);
    cr_expect_eq(room[3], 0x01);
    cr_expect_eq(room[4], 'S');
}

Test(aml, overflow_is_remembered_and_writes_nothing_past_the_end)
{
    memset(room, 0xaa, 64);
    b.cap = 16;
    size_t mark = aml_scope(&b, "SCPE");
    aml_integer(&b, 0x1122334455667788);
    aml_integer(&b, 0x1122334455667788);
    size_t crs = aml_crs(&b);
    aml_io(&b, 0x3f8, 8);
    aml_crs_end(&b, crs);
    aml_end(&b, mark);
    cr_expect(b.full);
    for (int i = 16; i < 64; i++) {
        cr_expect_eq(room[i], 0xaa);
    }
}
