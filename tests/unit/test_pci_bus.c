/*
 * The PCI bus: slots, shared interrupt lines, and bus mastering.
 */
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

enum {
    COMMAND = 0x04,
    STATUS = 0x06,
    MSI_CONTROL = 0x42,
    INTX = 0x08,
    MASTER = 0x04,
    INTX_OFF = 0x400,
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

TestSuite(pci_bus, .init = setup, .fini = teardown);

static struct device *add(unsigned addr)
{
    return pci_fixture_add(&p, &pci_probe_class, addr, NULL);
}

static bool shows_intx(const struct device *d)
{
    return (fake_config_read(&p, pci_slot(d), STATUS, 2) & INTX) != 0;
}

/* --- slots --------------------------------------------------------------- */

Test(pci_bus, devices_take_the_slot_they_ask_for_or_the_first_free_one)
{
    struct device *d[] = {add(2), add(0), add(0), add(31), add(0)};
    static const unsigned slots[] = {2, 1, 3, 31, 4};
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        cr_expect(pci_plugged(d[i]));
        cr_expect_eq(pci_slot(d[i]), slots[i]);
        cr_expect_eq(d[i]->place.addr, slots[i], "as --info qtree shows it");
        cr_expect_eq(pci_host_of(d[i]), p.host);
        cr_expect_eq(pci_intx_gsi(d[i]), (int)(FIXTURE_GSI + slots[i] % 4));
        cr_expect_eq(fake_config_read(&p, slots[i], 0, 4), 0x56781234);
    }
    device_free(d[1]);
    d[1] = add(0);
    cr_expect_eq(pci_slot(d[1]), 1, "a slot that was freed");
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        device_free(d[i]);
    }
}

/* Plugging a probe in at addr must fail. */
static int refused(unsigned addr)
{
    struct device *d = fake_device_new(&p.m, &pci_probe_class, NULL);
    d->place.addr = addr;
    int ret = pci_plug(p.host, d, &e);
    cr_expect(!pci_plugged(d));
    device_free(d);
    return ret;
}

Test(pci_bus, two_devices_at_one_slot_are_a_usage_error)
{
    struct device *d = add(5);
    cr_expect_eq(refused(5), -EBUSY);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_str_eq(e.what, "PCI slot 5 for probe is taken by probe");
    cr_expect_str_eq(e.hint, "addr=1 is free; without addr= it gets a free one");
    cr_expect_eq(fake_config_read(&p, 5, 0, 4), 0x56781234, "the first one stays");
    device_free(d);
}

Test(pci_bus, a_bus_takes_31_devices)
{
    struct device *d[31];
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        d[i] = add(0);
        cr_expect_eq(pci_slot(d[i]), i + 1);
    }
    cr_expect_eq(refused(0), -ENOSPC);
    cr_expect_eq(refused(7), -ENOSPC);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_str_eq(e.what, "no PCI slot for probe, all 31 are taken");
    cr_expect_neq(e.hint[0], '\0');
    cr_assert_eq(pci_assign(p.host, &e), 0, "%s", e.what);
    for (size_t i = ARRAY_LEN(d); i-- > 0;) {
        device_free(d[i]);
    }
}

Test(pci_bus, slots_are_numbers_up_to_31)
{
    struct device *d = fake_device_new(&p.m, &pci_probe_class, NULL);
    cr_expect_eq(device_set(d, "addr", "31", &e), 0);
    cr_expect_eq(device_set(d, "addr", "32", &e), -ERANGE);
    cr_expect_eq(device_set(d, "addr", "-1", &e), -EINVAL);
    cr_expect_eq(device_set(d, "addr", "1.0", &e), -EINVAL);
    device_free(d);
}

Test(pci_bus, a_function_describes_itself)
{
    struct device *d = add(6);
    char *text = NULL;
    size_t size;
    fake_config_write(&p, 6, 0x10, 0xc0000000, 4);
    fake_config_write(&p, 6, 0x1c, 0x12, 4);
    fake_config_write(&p, 6, COMMAND, 2, 2);
    FILE *out = open_memstream(&text, &size);
    pci_print(d, 4, out);
    fclose(out);
    cr_expect_str_eq(text, "    class Class 00ff, addr 00:06.0, pci id 1234:5678 (sub 1af4:1100)\n"
                           "    bar 0: mem at 0xc0000000 [0xc0000fff]\n"
                           "    bar 1: i/o at 0x0 [0x1f] (not decoded)\n"
                           "    bar 2: mem at 0x1200000000 [0x120000ffff] (not decoded)\n"
                           "    irq 14, pin A\n");
    free(text);
    cr_expect_null(pci_host_of(p.host), "the bridge is not plugged in");
    device_free(d);
}

static int no_line(void *opaque, unsigned gsi, struct irq *out, struct err *err)
{
    (void)opaque, (void)gsi, (void)out;
    return err_set(err, EMFILE, "no line");
}

static int no_message(void *opaque, uint32_t requester, struct irq_msi *out, struct err *err)
{
    (void)opaque, (void)requester, (void)out;
    return err_set(err, EMFILE, "no message");
}

Test(pci_bus, what_the_machine_refuses_undoes_the_plug)
{
    int (*get)(void *, unsigned, struct irq *, struct err *) = p.m.env.irq_level_get;
    p.m.env.irq_level_get = no_line;
    cr_expect_eq(refused(1), -EMFILE);
    cr_expect_eq(fake_config_read(&p, 1, 0, 4), 0xffffffff);
    p.m.env.irq_level_get = get;

    p.m.env.msi_get = no_message;
    struct device *d = fake_device_new(&p.m, &pci_probe_class, NULL);
    cr_assert_eq(pci_plug(p.host, d, &e), 0);
    cr_expect_eq(device_realize(d, &e), -EMFILE);
    device_free(d);
    cr_expect_eq(fake_config_read(&p, 1, 0, 4), 0xffffffff);
}

/* --- interrupts ------------------------------------------------------------- */

Test(pci_bus, four_slots_apart_share_a_line)
{
    struct device *a = add(1), *b = add(5), *c = add(2);
    _Atomic bool *line = &p.m.irqs.level[FIXTURE_GSI + 1];
    fake_raise(a, 0);
    fake_raise(b, 3);
    fake_raise(b, 31);
    cr_expect(*line && !p.m.irqs.level[FIXTURE_GSI + 2]);
    cr_expect(shows_intx(a) && shows_intx(b) && !shows_intx(c));
    cr_expect_eq(p.m.irqs.calls[FIXTURE_GSI + 1], 1, "the line is told of changes only");
    fake_lower(a, 0);
    cr_expect(*line && !shows_intx(a), "b still drives it");
    fake_lower(b, 3);
    cr_expect(*line && shows_intx(b), "another vector is raised");
    fake_lower(b, 31);
    cr_expect(!*line && !shows_intx(b));
    fake_raise(b, 0);
    device_free(b);
    cr_expect(!*line, "a device that goes lets go of the line");
    device_free(c);
    device_free(a);
}

Test(pci_bus, a_line_is_taken_once)
{
    struct device *a = add(1);
    fake_raise(a, 0);
    struct device *b = add(5);
    cr_expect(p.m.irqs.level[FIXTURE_GSI + 1]);
    fake_lower(a, 0);
    cr_expect(!p.m.irqs.level[FIXTURE_GSI + 1]);
    device_free(b);
    device_free(a);
}

Test(pci_bus, the_command_register_masks_the_pin_but_not_its_status)
{
    struct device *d = add(4);
    _Atomic bool *line = &p.m.irqs.level[FIXTURE_GSI];
    fake_config_write(&p, 4, COMMAND, INTX_OFF, 2);
    fake_raise(d, 0);
    cr_expect(!*line && shows_intx(d));
    fake_config_write(&p, 4, COMMAND + 1, 0, 1);
    cr_expect(*line && shows_intx(d));
    fake_config_write(&p, 4, COMMAND, INTX_OFF, 4);
    cr_expect(!*line && shows_intx(d));
    fake_config_write(&p, 4, COMMAND, 0, 2);
    fake_lower(d, 0);
    cr_expect(!*line && !shows_intx(d));
    device_free(d);
}

Test(pci_bus, messages_rest_the_pin)
{
    struct device *d = add(4);
    _Atomic bool *line = &p.m.irqs.level[FIXTURE_GSI];
    fake_config_write(&p, 4, COMMAND, MASTER, 2);
    fake_config_write(&p, 4, 0x44, 0xfee00000, 4);
    fake_config_write(&p, 4, MSI_CONTROL, 1, 2);
    fake_raise(d, 0);
    fake_raise(d, 0);
    cr_expect(!*line && !shows_intx(d));
    cr_expect_eq(p.m.msis[0].sent, 2);
    fake_config_write(&p, 4, MSI_CONTROL, 0, 2);
    cr_expect(*line && shows_intx(d), "what is raised shows when messages are off");
    fake_config_write(&p, 4, MSI_CONTROL, 1, 1);
    cr_expect(!*line && !shows_intx(d));
    fake_lower(d, 0);
    fake_config_write(&p, 4, MSI_CONTROL, 0, 2);
    cr_expect(!*line);
    device_free(d);
}

Test(pci_bus, a_storm_of_raises_leaves_the_last_state)
{
    struct device *d = add(4);
    for (unsigned i = 0; i < 1000000; i++) {
        fake_raise(d, i % 32);
    }
    cr_expect(p.m.irqs.level[FIXTURE_GSI]);
    cr_expect_eq(p.m.irqs.calls[FIXTURE_GSI], 1);
    for (unsigned i = 0; i < 32; i++) {
        cr_expect(shows_intx(d));
        fake_lower(d, i);
    }
    cr_expect(!p.m.irqs.level[FIXTURE_GSI] && !shows_intx(d));
    device_free(d);
}

Test(pci_bus, bus_mastering_lets_a_device_reach_memory)
{
    struct device *d = add(4);
    uint32_t word = 0x12345678;
    cr_expect_eq(device_dma_write(d, 0x1000, &word, sizeof(word)), -EACCES);
    fake_config_write(&p, 4, COMMAND, MASTER, 2);
    cr_expect_eq(device_dma_write(d, 0x1000, &word, sizeof(word)), 0);
    cr_expect_eq(fake_read(p.m.mem, 0x1000, 4), 0x12345678);
    fake_config_write(&p, 4, COMMAND, 0, 1);
    cr_expect_eq(device_dma_read(d, 0x1000, &word, sizeof(word)), -EACCES);
    device_free(d);
}
