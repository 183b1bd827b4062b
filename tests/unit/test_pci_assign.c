/*
 * The addresses that firmware gives to BARs, and the windows they are in.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>

enum {
    COMMAND = 0x04,
    LINE = 0x3c,
};

static struct pci_fixture p;
static struct err e;

static void setup(void)
{
    e = ERR_INIT;
    pci_fixture_init(&p, 1);
}

static void teardown(void)
{
    pci_fixture_free(&p);
}

TestSuite(pci_assign, .init = setup, .fini = teardown);

static struct device *add(unsigned addr)
{
    return pci_fixture_add(&p, &pci_probe_class, addr, NULL);
}

static uint64_t bar(unsigned slot, unsigned n)
{
    return fake_config_read(&p, slot, 0x10 + 4 * n, 4) & ~0xfu;
}

Test(pci_assign, firmware_assigns_and_enables)
{
    struct device *d[] = {add(3), add(1), add(9)};
    for (unsigned round = 0; round < 2; round++) {
        cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
        static const unsigned slots[] = {1, 3, 9};
        for (uint32_t i = 0; i < 3; i++) {
            cr_expect_eq(bar(slots[i], 0), FIXTURE_MEM32 + i * PROBE_MEM_SIZE);
            cr_expect_eq(bar(slots[i], 1), FIXTURE_IO + i * PROBE_IO_SIZE);
            cr_expect_eq(bar(slots[i], 2), (uint32_t)(FIXTURE_MEM64 + i * PROBE_MEM64_SIZE));
            cr_expect_eq(bar(slots[i], 3), FIXTURE_MEM64 >> 32 & ~0xfu);
            cr_expect_eq(fake_config_read(&p, slots[i], COMMAND, 2), 3, "no bus mastering");
            cr_expect_eq(fake_config_read(&p, slots[i], LINE, 1), FIXTURE_GSI + slots[i] % 4);
            cr_expect_eq(fake_read(p.m.mem, bar(slots[i], 0), 4), PROBE_ID(0, 0));
            cr_expect_eq(fake_read(p.m.io, bar(slots[i], 1), 4), PROBE_ID(0, 1));
        }
        for (size_t i = 0; i < ARRAY_LEN(d); i++) {
            device_reset(d[i]); /* a machine reset; then the same again */
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        device_free(d[i]);
    }
}

/* --- classes of nothing but BARs ------------------------------------------------ */

static uint64_t zero_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)offset, (void)size;
    return 0;
}

static void no_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)d, (void)offset, (void)value, (void)size;
}

static const struct reg zero_regs[] = {{"zero", 0, 4, 4, REG_RO, 0, "nothing"}};
#define ZEROS(bytes)                                                                               \
    {                                                                                              \
        .name = "zero", .size = (bytes), .regs = TABLE(zero_regs), .read = zero_read,              \
        .write = no_write                                                                          \
    }
static const struct reg_block zero_blocks[] = {ZEROS(16), ZEROS(256 << 20), ZEROS(4ULL << 30)};

static const struct pci_info mixed_info = {
    .vendor = 1,
    .device = 1,
    .bar = {{PCI_BAR_MEM32, false, 0}, {PCI_BAR_MEM32, false, 1}, {PCI_BAR_MEM64, false, 2}},
};
static const struct device_class mixed_class = {
    .name = "mixed",
    .summary = "for tests",
    .state_size = sizeof(struct device),
    .blocks = TABLE(zero_blocks),
    .pci = &mixed_info,
};

Test(pci_assign, firmware_packs_large_bars_first)
{
    struct device *probe = add(1);
    struct device *mixed = pci_fixture_add(&p, &mixed_class, 2, NULL);
    cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
    cr_expect_eq(bar(2, 1), FIXTURE_MEM32);
    cr_expect_eq(bar(1, 0), FIXTURE_MEM32 + (256 << 20));
    cr_expect_eq(bar(2, 0), FIXTURE_MEM32 + (256 << 20) + PROBE_MEM_SIZE);
    cr_expect_eq(bar(2, 3) << 32 | bar(2, 2), FIXTURE_MEM64 & ~(0xfULL << 32));
    cr_expect_eq(bar(1, 2), 0);
    cr_expect_eq(fake_config_read(&p, 1, 0x1c, 4), (FIXTURE_MEM64 + (4ULL << 30)) >> 32);
    cr_expect_eq(fake_config_read(&p, 2, LINE, 1), 0, "it has no pin");
    device_free(mixed);
    device_free(probe);
}

Test(pci_assign, a_full_window_is_a_usage_error)
{
    struct device *d[3];
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        d[i] = pci_fixture_add(&p, &mixed_class, 0, NULL);
    }
    cr_expect_eq(pci_assign(p.host, &e), -ENOSPC);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_str_eq(e.what, "no PCI window has room for BAR 1 of mixed, 268435456 bytes");
    cr_expect_neq(e.hint[0], '\0');
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        device_free(d[i]);
    }
}

/* A bridge with some of its windows. */
static struct device *make_host(struct fake_machine *m, const char *props)
{
    fake_machine_init(m, 0);
    return fake_device(m, "pci-host", props);
}

static struct device *plug_into(struct device *host, struct fake_machine *m)
{
    struct device *d = fake_device_new(m, &pci_probe_class, NULL);
    cr_assert_eq(pci_plug(host, d, &e), 0, "%s", e.what);
    cr_assert_eq(device_realize(d, &e), 0, "%s", e.what);
    return d;
}

Test(pci_assign, without_a_64_bit_window_firmware_uses_the_other)
{
    struct fake_machine m;
    struct device *host =
        make_host(&m, "ecam=0xe0000000,io=0x1000,io_size=4096,mem32=0xc0000000,mem32_size=1M");
    struct device *d = plug_into(host, &m);
    cr_assert_eq(pci_assign(host, &e), 0, "%s", e.what);
    cr_expect_eq(fake_read(m.mem, 0xe0008018, 4), 0xc000000c);
    cr_expect_eq(fake_read(m.mem, 0xe000801c, 4), 0);
    cr_expect_eq(fake_read(m.mem, 0xc0000000, 4), PROBE_ID(0, 2));
    cr_expect_eq(fake_read(m.mem, 0xc0010000, 4), PROBE_ID(0, 0));
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

Test(pci_assign, a_window_that_is_missing_is_full)
{
    struct fake_machine m;
    struct device *host = make_host(&m, "ecam=0xe0000000,mem32=0xc0000000,mem32_size=1M");
    struct device *d = plug_into(host, &m);
    cr_expect_eq(pci_assign(host, &e), -ENOSPC);
    cr_expect_str_eq(e.what, "no PCI window has room for BAR 1 of probe, 32 bytes");
    fake_write(m.mem, 0xe0008014, 0x1000, 4);
    fake_write(m.mem, 0xe0008004, 1, 2);
    cr_expect_eq(fake_read(m.io, 0x1000, 4), 0xffffffff, "nor does a guest find it");
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

/* A window that ends at 2^64 and does not begin at a multiple of the BARs' sizes. */
Test(pci_assign, a_window_may_end_where_addresses_do)
{
    struct fake_machine m;
    struct device *host =
        make_host(&m, "ecam=0xe0000000,io=0x1000,io_size=4096,mem32=0xc0000000,"
                      "mem32_size=1M,mem64=0xfffffffffffe8000,mem64_size=0x18000");
    struct device *d = plug_into(host, &m), *more = plug_into(host, &m);
    cr_expect_eq(pci_assign(host, &e), -ENOSPC, "only one is aligned in there");
    cr_expect_eq(fake_read(m.mem, 0xe0008018, 4), 0xffff000c);
    cr_expect_eq(fake_read(m.mem, 0xe000801c, 4), 0xffffffff);
    fake_write(m.mem, 0xe0008004, 2, 2);
    cr_expect_eq(fake_read(m.mem, 0xffffffffffff0000, 4), PROBE_ID(0, 2));
    device_free(more);
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

Test(pci_assign, a_window_may_be_smaller_than_a_bar)
{
    struct fake_machine m;
    struct device *host = make_host(&m, "ecam=0xe0000000,mem32=0xc0000000,mem32_size=32K");
    struct device *d = plug_into(host, &m);
    fake_write(m.mem, 0xe0008004, 2, 2);
    fake_write(m.mem, 0xe0008018, 0xc0000000, 4);
    cr_expect_null(flatview_find(aspace_view(m.mem), 0xc0000000), "only its first half fits");
    fake_write(m.mem, 0xe0008010, 0xc0000000, 4);
    cr_expect_eq(fake_read(m.mem, 0xc0000000, 4), PROBE_ID(0, 0));
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

/* A board would not have it so; but should it, nothing but a BAR gives way to a BAR. */
Test(pci_assign, a_window_lies_below_all_else)
{
    struct fake_machine m;
    struct device *host = make_host(&m, "ecam=0xe0000000,mem32=0xe0000000,mem32_size=2M");
    struct device *d = plug_into(host, &m);
    fake_write(m.mem, 0xe0008010, 0xe0000000, 4);
    fake_write(m.mem, 0xe0008004, 2, 2);
    cr_expect_eq(fake_read(m.mem, 0xe0000000, 4), 0x00081b36);
    fake_write(m.mem, 0xe0008010, 0xe0100000, 4);
    cr_expect_eq(fake_read(m.mem, 0xe0100000, 4), PROBE_ID(0, 0));
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

/* As a machine without ports has it. */
Test(pci_assign, ports_may_be_in_memory)
{
    struct fake_machine m;
    struct device *host = make_host(&m, "ecam=0x3f000000,io=0,io_size=0x10000,io_gpa=0x3eff0000,"
                                        "mem32=0x10000000,mem32_size=1M");
    struct device *d = plug_into(host, &m);
    fake_write(m.mem, 0x3f008014, 0xffe0, 4);
    cr_expect_eq(fake_read(m.mem, 0x3effffe0, 4), 0xffffffff, "not decoded yet");
    fake_write(m.mem, 0x3f008004, 1, 2);
    cr_expect_eq(fake_read(m.mem, 0x3effffe0, 4), PROBE_ID(0, 1));
    fake_write(m.mem, 0x3effffe0 + PROBE_SCRATCH, 0x1234, 4);
    cr_expect_eq(fake_read(m.mem, 0x3effffe0 + PROBE_SCRATCH, 4), 0x1234);
    cr_expect_null(flatview_find(aspace_view(m.io), 0xffe0), "and nowhere else");
    fake_write(m.mem, 0x3f008014, 0, 4);
    cr_expect_eq(fake_read(m.mem, 0x3eff0000, 4), PROBE_ID(0, 1));
    cr_expect_eq(fake_read(m.mem, 0x3effffe0, 4), 0xffffffff, "the BAR has moved");
    device_free(d);
    device_free(host);
    fake_machine_free(&m);
}

static int refuse(struct aspace_listener *l, const struct flat_range *r)
{
    (void)l, (void)r;
    return -ENOMEM;
}

Test(pci_assign, a_bridge_that_cannot_be_mapped_says_why)
{
    struct fake_machine m;
    struct aspace_listener l = {.add = refuse};
    fake_machine_init(&m, 0);
    cr_assert_eq(aspace_listen(m.mem, &l), 0);
    const struct device_class *cls = device_class_find("pci-host", &e);
    struct device *host = fake_device_new(&m, cls, "ecam=0xe0000000");
    cr_expect_eq(device_realize(host, &e), -ENOMEM);
    cr_expect_str_eq(e.what, "cannot map pci.ecam: Cannot allocate memory");
    device_free(host);
    cr_expect_eq(fake_read(m.mem, 0xe0000000, 4), 0xffffffff, "nothing is left of it");
    aspace_unlisten(m.mem, &l);
    fake_machine_free(&m);
}
