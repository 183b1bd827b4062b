/*
 * fw-cfg: items by ports, by memory and by DMA; keys that are not there; bad requests.
 */
#include "devices/platform.h"
#include "src/base/le.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <string.h>

#define SELECTOR 0x510
#define DATA     0x511
#define DMA      0x514
#define GPA      0x0c000000ULL /* as a platform device */
#define REQUEST  0x1000
#define BUFFER   0x2000

static struct fake_machine m;
static struct device *d;

static void setup(void)
{
    fake_machine_init(&m, 1);
    m.env.low_ram = 0x12345000;
    m.env.high_ram = 0x700000000;
    m.env.cpus = 0x103;
    d = fake_device(&m, "fw-cfg", NULL);
}

static void teardown(void)
{
    device_free(d);
    fake_machine_free(&m);
}

TestSuite(fw_cfg, .init = setup, .fini = teardown);

static uint64_t by_ports(uint16_t key, unsigned bytes)
{
    uint64_t value = 0;
    fake_write(m.io, SELECTOR, key, 2);
    for (unsigned i = 0; i < bytes; i++) {
        value |= fake_read(m.io, DATA, 1) << 8 * i;
    }
    return value;
}

static const struct {
    uint16_t key;
    uint64_t value;
} items[] = {
    {0x00, 0x554d4551},                                                               /* "QEMU" */
    {0x01, 3},          {0x03, 0x712345000}, {0x05, 0x103}, {0x0f, 0x103}, {0x19, 0}, /* no files */
    {0x02, 0},   /* not there */
    {0x11, 0},   /* likewise */
    {0xffff, 0}, /* likewise */
};

Test(fw_cfg, items_by_ports_and_zeros_behind_them)
{
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        cr_expect_eq(by_ports(items[i].key, 8), items[i].value, "key %x", items[i].key);
        cr_expect_eq(fake_read(m.io, DATA, 1), 0);
    }
}

Test(fw_cfg, selecting_begins_anew)
{
    cr_expect_eq(by_ports(0x00, 2), 0x4551);
    cr_expect_eq(fake_read(m.io, DATA, 1), 0x4d);
    cr_expect_eq(by_ports(0x00, 4), 0x554d4551);
    fake_write(m.io, SELECTOR, 0x05, 1); /* a half of the selector is no access */
    cr_expect_eq(fake_read(m.io, SELECTOR, 2), 0xffff);
    cr_expect_eq(guest_error_count(&d->guest_errors), 2);
}

/* --- DMA ------------------------------------------------------------------------ */

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static void put_be(uint8_t *p, uint64_t value, unsigned size)
{
    for (unsigned i = size; i-- > 0; value >>= 8) {
        p[i] = (uint8_t)value;
    }
}

/* Carry out a request; returns its control field. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    uint8_t *r = m.ram + REQUEST;
    put_be(r, control, 4);
    put_be(r + 4, length, 4);
    put_be(r + 8, address, 8);
    fake_write(m.io, DMA, 0, 4);
    fake_write(m.io, DMA + 4, 0x00100000, 4); /* REQUEST, big-endian */
    return (uint32_t)r[0] << 24 | (uint32_t)r[1] << 16 | (uint32_t)r[2] << 8 | r[3];
}

Test(fw_cfg, dma_is_there)
{
    cr_expect_eq(fake_read(m.io, DMA, 4), 0x554d4551);
    cr_expect_eq(fake_read(m.io, DMA + 4, 4), 0x47464320);
}

Test(fw_cfg, dma_reads_skips_and_fills_up_with_zeros)
{
    memset(m.ram + BUFFER, 0xee, 2048);
    cr_expect_eq(dma(SELECT | READ | 0x03 << 16, 1500, BUFFER), 0);
    cr_expect_eq(get_le64(m.ram + BUFFER), 0x712345000);
    cr_expect_eq(m.ram[BUFFER + 1499], 0);
    cr_expect_eq(m.ram[BUFFER + 1500], 0xee);
    cr_expect_eq(dma(SELECT | 0x00 << 16, 0, 0), 0);
    cr_expect_eq(dma(SKIP, 2, 0), 0);
    cr_expect_eq(dma(READ, 2, BUFFER), 0);
    cr_expect_arr_eq(m.ram + BUFFER, "MU", 2);
    cr_expect_eq(dma(SKIP, UINT32_MAX, 0), 0);
    cr_expect_eq(dma(SKIP, UINT32_MAX, 0), 0);
    cr_expect_eq(dma(READ, 4, BUFFER), 0);
    cr_expect_eq(get_le32(m.ram + BUFFER), 0);
}

Test(fw_cfg, bad_dma_is_answered_with_an_error)
{
    cr_expect_eq(dma(READ, 4, 0x100000), ERROR, "no RAM");
    cr_expect_eq(dma(READ, 4, UINT64_MAX - 1), ERROR, "wraps");
    cr_expect_eq(dma(READ, UINT32_MAX, BUFFER), ERROR, "too long");
    cr_expect_eq(dma(WRITE, 1, BUFFER), ERROR, "nothing can be written");
    fake_write(m.io, DMA, 0xffffffff, 4);
    fake_write(m.io, DMA + 4, 0, 4);
    cr_expect_eq(guest_error_count(&d->guest_errors), 1, "no request there");
}

/* --- as a platform device --------------------------------------------------------- */

Test(fw_cfg, registers_in_memory_are_big_endian_and_data_is_not)
{
    struct err e = ERR_INIT;
    struct device *p = fake_device_new(&m, device_class_find("fw-cfg", &e), NULL);
    cr_assert_eq(platform_plug(p, GPA, 5, &e), 0);
    cr_assert_eq(device_realize(p, &e), 0, "%s", e.what);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        const uint16_t key = items[i].key;
        fake_write(m.mem, GPA + 8, (uint16_t)(key << 8 | key >> 8), 2);
        cr_expect_eq(fake_read(m.mem, GPA, 8), items[i].value);
    }
    fake_write(m.mem, GPA + 8, 0, 2);
    cr_expect_eq(fake_read(m.mem, GPA, 1), 'Q');
    cr_expect_eq(fake_read(m.mem, GPA, 2), 0x4d45);
    cr_expect_eq(fake_read(m.mem, GPA + 16, 8), 0x47464320554d4551);
    put_be(m.ram + REQUEST, SELECT | READ | 0x05 << 16, 4);
    put_be(m.ram + REQUEST + 4, 2, 4);
    put_be(m.ram + REQUEST + 8, BUFFER, 8);
    fake_write(m.mem, GPA + 16, 0x0010000000000000, 8);
    cr_expect_eq(get_le16(m.ram + BUFFER), 0x103);
    cr_expect_eq(get_le32(m.ram + REQUEST), 0);
    device_free(p);
}
