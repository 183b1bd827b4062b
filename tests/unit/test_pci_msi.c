/*
 * MSI of a PCI function: its capability, when messages are sent and when INTx is driven instead.
 */
#include "tests/unit/pci_fixture.h"

#include "devices/pci_function.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

enum {
    CAP = 0x40,
    CONTROL = CAP + 2,
    ADDRESS = CAP + 4,
    ADDRESS_HIGH = CAP + 8,
    DATA = CAP + 12,

    SLOT = 1,
    GSI = FIXTURE_GSI + SLOT,
};

static const struct pci_info info = {
    .vendor = 0x1234,
    .device = 0x11e8,
    .class_code = 0x00ff00,
    .intx = true,
    .msi = true,
};

static const struct device_class cls = {
    .name = "messenger",
    .state_size = sizeof(struct device),
    .pci = &info,
};

static struct pci_fixture p;
static struct device *d;
static struct fake_msi *msi; /* d's */

static void setup(void)
{
    pci_fixture_init(&p, 0);
    d = pci_fixture_add(&p, &cls, SLOT, NULL);
    msi = &p.m.msis[0];
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_msi, .init = setup, .fini = teardown);

Test(pci_msi, who_sends_is_told_with_the_request_for_a_message)
{
    cr_assert_eq(msi->requester, SLOT << 3);
}

static void set_command(unsigned slot, uint16_t command)
{
    fake_config_write(&p, slot, PCI_COMMAND, command, 2);
}

static void set_message(unsigned slot, uint64_t address, uint16_t data)
{
    fake_config_write(&p, slot, ADDRESS, (uint32_t)address, 4);
    fake_config_write(&p, slot, ADDRESS_HIGH, (uint32_t)(address >> 32), 4);
    fake_config_write(&p, slot, DATA, data, 2);
}

static void enable(unsigned slot, bool on)
{
    fake_config_write(&p, slot, CONTROL, on, 2);
}

static void start(void)
{
    set_command(SLOT, PCI_COMMAND_MASTER);
    set_message(SLOT, 0xfee00000, 0x41);
    enable(SLOT, true);
}

static bool intx_in_status(void)
{
    return (fake_config_read(&p, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTX) != 0;
}

/* --- the capability --------------------------------------------------- */

Test(pci_msi, the_capability_is_what_drivers_know)
{
    cr_assert_eq(fake_config_read(&p, SLOT, PCI_STATUS, 2), PCI_STATUS_CAPABILITIES);
    cr_assert_eq(fake_config_read(&p, SLOT, PCI_CAPABILITIES, 1), CAP);
    cr_assert_eq(fake_config_read(&p, SLOT, CAP, 4), 0x00800005);
    for (unsigned reg = ADDRESS; reg < ADDRESS + 12; reg += 4) {
        cr_assert_eq(fake_config_read(&p, SLOT, reg, 4), 0);
    }
}

Test(pci_msi, only_its_writable_bits_change)
{
    for (unsigned reg = CAP; reg < CAP + 16; reg += 4) {
        fake_config_write(&p, SLOT, reg, UINT32_MAX, 4);
    }
    cr_assert_eq(fake_config_read(&p, SLOT, CAP, 4), 0x00810005);
    cr_assert_eq(fake_config_read(&p, SLOT, ADDRESS, 4), 0xfffffffc);
    cr_assert_eq(fake_config_read(&p, SLOT, ADDRESS_HIGH, 4), 0xffffffff);
    cr_assert_eq(fake_config_read(&p, SLOT, DATA, 4), 0x0000ffff);
}

/* --- sending ---------------------------------------------------------- */

Test(pci_msi, nothing_is_set_or_sent_until_it_is_enabled)
{
    set_command(SLOT, PCI_COMMAND_MASTER);
    set_message(SLOT, 0xfee00000, 0x41);
    fake_raise(d, 0);
    cr_assert_eq(msi->sets, 0);
    cr_assert_eq(msi->sent, 0);
    cr_assert(p.m.irqs.level[GSI]);
    cr_assert(intx_in_status());
}

Test(pci_msi, each_raise_sends_the_message_and_leaves_the_line_alone)
{
    start();
    fake_raise(d, 0);
    fake_raise(d, 0);
    fake_raise(d, 7);
    cr_assert_eq(msi->address, 0xfee00000);
    cr_assert_eq(msi->data, 0x41);
    cr_assert_eq(msi->sent, 3);
    cr_assert_eq(p.m.irqs.raised[GSI], 0);
    cr_assert_not(intx_in_status());
    fake_lower(d, 0);
    cr_assert_eq(msi->sent, 4, "once more for the vector that is left");
    fake_lower(d, 7);
    cr_assert_eq(msi->sent, 4);
    cr_assert_eq(guest_error_count(&d->guest_errors), 0);
}

Test(pci_msi, a_raised_line_rests_while_messages_are_enabled)
{
    fake_raise(d, 0);
    cr_assert(p.m.irqs.level[GSI]);
    start();
    cr_assert_not(p.m.irqs.level[GSI]);
    cr_assert_eq(msi->sent, 0, "enabling sends nothing");
    enable(SLOT, false);
    cr_assert(p.m.irqs.level[GSI], "INTx takes over again");
    cr_assert(intx_in_status());
    fake_lower(d, 0);
    cr_assert_not(p.m.irqs.level[GSI]);
}

Test(pci_msi, the_message_can_change_while_enabled)
{
    start();
    fake_raise(d, 0);
    fake_config_write(&p, SLOT, ADDRESS, 0xfee01000, 4);
    cr_assert_eq(msi->address, 0xfee01000);
    cr_assert_eq(msi->data, 0x41);
    fake_config_write(&p, SLOT, DATA, 0x42, 1); /* a byte of it */
    cr_assert_eq(msi->data, 0x42);
    fake_config_write(&p, SLOT, DATA + 1, 0x40, 1);
    cr_assert_eq(msi->data, 0x4042);
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 2);
}

Test(pci_msi, without_bus_mastering_messages_are_dropped_and_counted)
{
    start();
    set_command(SLOT, PCI_COMMAND_MEMORY);
    fake_raise(d, 0);
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 0);
    cr_assert_eq(p.m.irqs.raised[GSI], 0);
    cr_assert_eq(guest_error_count(&d->guest_errors), 2);
    set_command(SLOT, PCI_COMMAND_MASTER);
    cr_assert_eq(msi->sent, 0, "what was dropped is gone");
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 1);
}

Test(pci_msi, a_message_to_nowhere_is_dropped_and_counted)
{
    static const uint64_t nowhere[] = {0,          0x1000,      0xfedffffc,
                                       0xfef00000, 0x1fee00000, ~UINT64_C(3)};
    start();
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        set_message(SLOT, nowhere[i], 0x41);
        fake_raise(d, 0);
        cr_assert_eq(guest_error_count(&d->guest_errors), i + 1);
    }
    cr_assert_eq(msi->sent, 0);
    cr_assert_eq(p.m.irqs.raised[GSI], 0);
    set_message(SLOT, 0xfeeffffc, 0x41);
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 1);
}

static int refuse_message(void *opaque, struct irq_msi *source, uint64_t address, uint32_t data)
{
    (void)opaque;
    (void)source;
    (void)address;
    (void)data;
    return -ENOMEM;
}

Test(pci_msi, a_message_the_host_cannot_take_is_dropped_and_counted)
{
    p.m.env.msi_set = refuse_message;
    start();
    cr_assert_eq(guest_error_count(&d->guest_errors), 1);
    fake_raise(d, 0);
    cr_assert_eq(guest_error_count(&d->guest_errors), 2);
    cr_assert_eq(msi->sent, 0);
}

/* --- life ------------------------------------------------------------- */

Test(pci_msi, a_reset_disables_it_and_forgets_what_was_raised)
{
    start();
    fake_raise(d, 0);
    device_reset(d);
    cr_assert_eq(fake_config_read(&p, SLOT, CAP, 4), 0x00800005);
    cr_assert_eq(fake_config_read(&p, SLOT, ADDRESS, 4), 0);
    cr_assert_not(p.m.irqs.level[GSI]);
    cr_assert_eq(msi->sent, 1);
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 1);
    cr_assert(p.m.irqs.level[GSI]);
}

Test(pci_msi, two_functions_have_a_message_each)
{
    struct device *other = pci_fixture_add(&p, &cls, SLOT + 1, NULL);
    struct fake_msi *others = &p.m.msis[1];
    start();
    set_message(SLOT + 1, 0xfee03000, 0x99);
    set_command(SLOT + 1, PCI_COMMAND_MASTER);
    enable(SLOT + 1, true);
    fake_raise(other, 0);
    fake_raise(other, 0);
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, 1);
    cr_assert_eq(msi->data, 0x41);
    cr_assert_eq(others->sent, 2);
    cr_assert_eq(others->address, 0xfee03000);
    enable(SLOT + 1, false);
    cr_assert(p.m.irqs.level[GSI + 1]);
    cr_assert_not(p.m.irqs.level[GSI]);
    device_free(other);
    cr_assert_not(p.m.irqs.level[GSI + 1]);
}

static int no_message(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    (void)opaque, (void)requester;
    *out = (struct irq_msi){.edge = {.fd = -1}};
    return err_set(e, EMFILE, "no eventfd");
}

Test(pci_msi, a_host_without_a_message_source_has_no_such_device)
{
    struct err e = ERR_INIT;
    p.m.env.msi_get = no_message;
    struct device *other = fake_device_new(&p.m, &cls, NULL);
    cr_assert_eq(pci_plug(p.host, other, &e), 0);
    cr_assert_eq(device_realize(other, &e), -EMFILE);
    device_free(other);
    cr_assert_eq(fake_config_read(&p, SLOT + 1, 0, 4), 0xffffffff);
}

/* --- threads ---------------------------------------------------------- */

#define RAISES 20000

static void *raise_often(void *opaque)
{
    (void)opaque;
    for (unsigned i = 0; i < RAISES; i++) {
        fake_raise(d, i % 4);
        fake_lower(d, i % 4);
    }
    return NULL;
}

Test(pci_msi, a_worker_may_raise_while_the_guest_reconfigures)
{
    pthread_t worker;
    start();
    cr_assert_eq(pthread_create(&worker, NULL, raise_often, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        enable(SLOT, i % 2);
        fake_config_write(&p, SLOT, ADDRESS, 0xfee00000 | i % 256 << 12, 4);
        fake_config_write(&p, SLOT, DATA, i, 2);
        set_command(SLOT, i % 3 != 0 ? PCI_COMMAND_MASTER : 0);
    }
    pthread_join(worker, NULL);
    cr_assert_not(p.m.irqs.level[GSI]);
    const unsigned before = msi->sent;
    start();
    fake_raise(d, 0);
    cr_assert_eq(msi->sent, before + 1);
    cr_assert_eq(msi->data, 0x41);
    cr_assert_leq(before + guest_error_count(&d->guest_errors), RAISES);
}
