/*
 * pci-testdev: its two BARs, one of memory and one of ports, the tests in each, and what is
 * counted with and without an eventfd.
 */
#include "devices/pci_function.h"
#include "src/device_state.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
    TEST = 0,
    WIDTH = 1,
    OFFSET = 4,
    DATA = 8,
    COUNT = 12,
    NAME = 16,
};

#define SLOT  3
#define TESTS 3

static struct pci_fixture p;
static struct device *d;

/* A BAR as its guest sees it. */
static struct bar {
    struct aspace *as;
    uint64_t base;
    unsigned size;
    const char *prefix;
} bars[2];

static void assign(void)
{
    struct err e = ERR_INIT;
    cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
}

static void setup(void)
{
    pci_fixture_init(&p, 0);
    d = pci_fixture_add(&p, device_class_find("pci-testdev", NULL), SLOT, NULL);
    assign();
    bars[0] = (struct bar){p.m.mem, fake_config_read(&p, SLOT, PCI_BAR0, 4) & ~15u, 4096, "mmio"};
    bars[1] =
        (struct bar){p.m.io, fake_config_read(&p, SLOT, PCI_BAR0 + 4, 4) & ~3u, 256, "portio"};
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_testdev, .init = setup, .fini = teardown);

static uint64_t rd(const struct bar *b, unsigned offset, unsigned size)
{
    return fake_read(b->as, b->base + offset, size);
}

static void wr(const struct bar *b, unsigned offset, uint64_t value, unsigned size)
{
    fake_write(b->as, b->base + offset, value, size);
}

Test(pci_testdev, one_bar_is_memory_and_one_ports)
{
    cr_expect_eq(fake_config_read(&p, SLOT, 0, 4), 0x00051b36);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0, 4) & 15, 0);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0 + 4, 4) & 3, 1);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_INTERRUPT_PIN, 1), 0);
    fake_config_write(&p, SLOT, PCI_BAR0 + 4, UINT32_MAX, 4);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0 + 4, 4), 0xffffff01);
    fake_config_write(&p, SLOT, PCI_BAR0, UINT32_MAX, 4);
    cr_expect_eq(fake_config_read(&p, SLOT, PCI_BAR0, 4), 0xfffff000);
}

Test(pci_testdev, before_a_test_and_after_the_last_all_is_zero)
{
    for (size_t b = 0; b < 2; b++) {
        cr_expect_eq(rd(&bars[b], WIDTH, 1), 0);
        wr(&bars[b], TEST, TESTS, 1);
        cr_expect_eq(rd(&bars[b], WIDTH, 1), 0);
        cr_expect_eq(rd(&bars[b], NAME, 4), 0);
        wr(&bars[b], bars[b].size / 2, 0xfa, 1);
        cr_expect_eq(rd(&bars[b], COUNT, 4), 0);
    }
}

/* The name as a guest reads it: byte by byte. */
static void expect_name(const struct bar *b, const char *what)
{
    char name[33] = "", expected[33];
    for (unsigned i = 0; i < 32; i++) {
        name[i] = (char)rd(b, NAME + i, 1);
    }
    snprintf(expected, sizeof(expected), "%s-%s", b->prefix, what);
    cr_expect_str_eq(name, expected);
}

Test(pci_testdev, each_test_says_what_to_write_where)
{
    static const char *const names[] = {"no-eventfd", "wildcard-eventfd", "datamatch-eventfd"};
    for (size_t b = 0; b < 2; b++) {
        for (unsigned t = 0; t < TESTS; t++) {
            wr(&bars[b], TEST, t, 1);
            cr_expect_eq(rd(&bars[b], TEST, 1), t);
            cr_expect_eq(rd(&bars[b], WIDTH, 1), 1);
            cr_expect_eq(rd(&bars[b], DATA, 4), t == 1 ? 0xce : 0xfa);
            cr_expect_eq(rd(&bars[b], OFFSET, 4), bars[b].size / 2 + 3 * b + t);
            cr_expect_eq(rd(&bars[b], COUNT, 4), 0);
            expect_name(&bars[b], names[t]);
        }
    }
}

/* No listener takes eventfds here, so all writes arrive as accesses. */
Test(pci_testdev, writes_are_counted_where_and_what_the_test_says)
{
    for (size_t b = 0; b < 2; b++) {
        for (unsigned t = 0; t < TESTS; t++) {
            wr(&bars[b], TEST, t, 1);
            const unsigned at = (unsigned)rd(&bars[b], OFFSET, 4);
            const uint64_t data = rd(&bars[b], DATA, 4);
            for (unsigned i = 0; i < 16; i++) {
                wr(&bars[b], at, data, 1);
            }
            cr_expect_eq(rd(&bars[b], COUNT, 4), 16);
            wr(&bars[b], at, data + 1, 1);
            cr_expect_eq(rd(&bars[b], COUNT, 4), t == 1 ? 17 : 16);
            wr(&bars[b], at + 8, data, 1);
            cr_expect_eq(rd(&bars[b], COUNT, 4), t == 1 ? 17 : 16);
        }
    }
}

/* --- with an eventfd ---------------------------------------------------------- */

static struct {
    struct aspace_listener listener;
    struct posted_write write; /* the one that is there */
    unsigned count;
} seen;

static int add_posted(struct aspace_listener *l, const struct flat_posted *w)
{
    (void)l;
    seen.write = w->write;
    seen.count++;
    return 0;
}

static void del_posted(struct aspace_listener *l, const struct flat_posted *w)
{
    (void)l, (void)w;
    seen.count--;
}

static void listen_to(struct aspace *as)
{
    seen.listener = (struct aspace_listener){.posted_add = add_posted, .posted_del = del_posted};
    cr_assert_eq(aspace_listen(as, &seen.listener), 0);
}

Test(pci_testdev, what_an_eventfd_counted_is_in_the_count)
{
    for (size_t b = 0; b < 2; b++) {
        listen_to(bars[b].as);
        wr(&bars[b], TEST, 0, 1);
        cr_expect_eq(seen.count, 0);
        for (unsigned t = 1; t < TESTS; t++) {
            wr(&bars[b], TEST, t, 1);
            cr_assert_eq(seen.count, 1);
            cr_expect_eq(seen.write.kind, POSTED_EVENTFD);
            cr_expect_eq(seen.write.size, 1);
            cr_expect_eq(seen.write.match, t == 2);
            cr_assert_eq(eventfd_write(seen.write.fd, 7), 0);
            cr_expect_eq(rd(&bars[b], COUNT, 4), 7);
            cr_assert_eq(eventfd_write(seen.write.fd, 2), 0);
            cr_expect_eq(rd(&bars[b], COUNT, 4), 9);
            cr_assert_eq(eventfd_write(seen.write.fd, 5), 0); /* not read before the next test */
        }
        wr(&bars[b], TEST, 1, 1);
        cr_expect_eq(rd(&bars[b], COUNT, 4), 0);
        device_reset(d);
        cr_expect_eq(seen.count, 0);
        aspace_unlisten(bars[b].as, &seen.listener);
        assign();
    }
}

Test(pci_testdev, a_snapshot_has_what_the_eventfd_held_and_brings_the_doorbell_back)
{
    struct err e = ERR_INIT;
    struct pack record = {0};
    listen_to(bars[1].as);
    wr(&bars[1], TEST, 2, 1);
    cr_assert_eq(eventfd_write(seen.write.fd, 7), 0);
    device_pause(d);
    device_state_save(d, &record);
    device_resume(d);
    wr(&bars[1], TEST, 0, 1);
    cr_expect_eq(seen.count, 0);
    struct unpack in = {.data = record.data, .len = record.len};
    cr_assert_eq(device_state_load(d, &in, &e), 0, "%s", e.what);
    cr_expect_eq(seen.count, 1);
    cr_expect_eq(rd(&bars[1], COUNT, 4), 7);
    pack_free(&record);
    aspace_unlisten(bars[1].as, &seen.listener);
}
