/*
 * MSI-X of a PCI function: its table as a guest may touch it, masks, pending bits, and what of it
 * reaches KVM.
 */
#include "tests/unit/msix_fixture.h"

#include "src/kvm/msi.h"
#include "tests/unit/fake_kvm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

TestSuite(pci_msix, .init = msix_setup, .fini = msix_teardown);

/* --- capability and table --------------------------------------------- */

Test(pci_msix, the_capability_says_where_table_and_pending_bits_are)
{
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, PCI_CAPABILITIES, 1), CAP);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP, 4), (VECTORS - 1) << 16 | 0x0011);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP + 4, 4), TABLE_BAR);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP + 8, 4), PENDING | TABLE_BAR);
    for (unsigned reg = CAP; reg < CAP + 12; reg += 4) {
        fake_config_write(&msix_pci, SLOT, reg, UINT32_MAX, 4);
    }
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP, 4), 0xc0000011 | (VECTORS - 1) << 16);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP + 4, 4), TABLE_BAR);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, CAP + 8, 4), PENDING | TABLE_BAR);
}

Test(pci_msix, its_bar_is_4_kib_of_32_bit_memory)
{
    fake_config_write(&msix_pci, SLOT, PCI_BAR0 + 4 * TABLE_BAR, UINT32_MAX, 4);
    cr_assert_eq(fake_config_read(&msix_pci, SLOT, PCI_BAR0 + 4 * TABLE_BAR, 4), 0xfffff000);
}

Test(pci_msix, entries_are_masked_after_a_reset_and_have_reserved_bits)
{
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned v = 0; v < VECTORS; v++) {
            cr_assert_eq(msix_read(v * 16, 8), 0);
            cr_assert_eq(msix_read(v * 16 + 8, 8), UINT64_C(1) << 32);
            msix_set_entry(v, UINT64_MAX, UINT32_MAX, UINT32_MAX);
            cr_assert_eq(msix_read(v * 16, 8), ~UINT64_C(3));
            cr_assert_eq(msix_read(v * 16 + 8, 8), UINT64_C(1) << 32 | UINT32_MAX);
        }
        msix_reset();
    }
    cr_assert_eq(msix_errors(), 0);
}

static bool fits(uint64_t offset, unsigned size, bool write)
{
    const bool table = offset + size <= TABLE_SIZE;
    const bool pending = offset >= PENDING && offset + size <= PENDING + 8;
    return size >= 4 && offset % size == 0 && (table || (pending && !write));
}

Test(pci_msix, every_access_that_fits_nothing_is_refused_and_counted)
{
    uint64_t expected = 0;
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (uint64_t offset = 0; offset + size <= BAR_SIZE; offset++) {
            const uint64_t refused = size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
            const uint64_t value = msix_read(offset, size);
            expected += !fits(offset, size, false);
            cr_assert_eq(msix_errors(), expected, "read of %u at 0x%lx", size, offset);
            cr_assert_eq(value == refused, !fits(offset, size, false));
            if (!fits(offset, size, true)) {
                msix_write(offset, 0x5555555555555555, size);
                expected++;
                cr_assert_eq(msix_errors(), expected, "write of %u at 0x%lx", size, offset);
            }
        }
    }
    for (unsigned v = 0; v < VECTORS; v++) {
        cr_assert_eq(msix_read(v * 16, 8), 0, "a refused write changed the table");
        cr_assert_eq(msix_read(v * 16 + 8, 8), UINT64_C(1) << 32);
    }
    cr_assert_eq(msix_read(PENDING, 8), 0);
}

Test(pci_msix, words_and_pairs_of_words_are_the_same_table)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        for (unsigned word = 0; word < 3; word++) {
            msix_write(v * 16 + word * 4, 0x10203040u * (word + 1) + 16 * v, 4);
        }
        msix_mask(v, false);
        cr_assert_eq(msix_read(v * 16, 8), 0x2040608010203040 + 0x1000000010 * v);
        cr_assert_eq(msix_read(v * 16 + 8, 8), 0x306090c0 + 16 * v);
        cr_assert_eq(msix_read(v * 16 + 4, 4), 0x20406080 + 16 * v);
    }
}

/* --- sending ---------------------------------------------------------- */

Test(pci_msix, a_vector_sends_its_own_message)
{
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    msix_set_entry(3, 0xfee01000, 0x43, 0);
    cr_assert_eq(msis[0].sets + msis[3].sets, 0, "not enabled yet");
    msix_set_control(ENABLE);
    msix_raise(3);
    msix_raise(3);
    msix_raise(0);
    cr_assert_eq(msis[0].sent, 1);
    cr_assert_eq(msis[3].sent, 2);
    cr_assert_eq(msis[3].address, 0xfee01000);
    cr_assert_eq(msis[3].data, 0x43);
    cr_assert_eq(msis[1].sets, 0, "a masked vector's message is nobody's concern");
    cr_assert_eq(msix_pci.m.irqs.raised[GSI], 0);
}

Test(pci_msix, disabled_it_leaves_interrupts_to_the_line)
{
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    msix_raise(0);
    cr_assert(msix_pci.m.irqs.level[GSI]);
    msix_set_control(ENABLE);
    cr_assert_not(msix_pci.m.irqs.level[GSI]);
    msix_set_control(0);
    cr_assert(msix_pci.m.irqs.level[GSI]);
    msix_lower(0);
    cr_assert_not(msix_pci.m.irqs.level[GSI]);
    cr_assert_eq(msis[0].sent, 0);
    cr_assert_eq(msix_read(PENDING, 8), 0);
}

Test(pci_msix, what_is_raised_while_masked_is_sent_once_when_the_mask_goes)
{
    msix_set_control(ENABLE);
    msix_set_entry(2, 0xfee00000, 0x42, 1);
    msix_raise(2);
    msix_raise(2);
    cr_assert_eq(msis[2].sent, 0);
    cr_assert_eq(msix_read(PENDING, 8), 1u << 2);
    cr_assert_eq(msix_read(PENDING, 4), 1u << 2);
    cr_assert_eq(msix_read(PENDING + 4, 4), 0);
    msix_lower(2);
    msix_mask(2, false);
    cr_assert_eq(msis[2].sent, 1);
    cr_assert_eq(msix_read(PENDING, 8), 0);
    msix_mask(2, true);
    msix_mask(2, false);
    cr_assert_eq(msis[2].sent, 1);
}

Test(pci_msix, a_message_pending_is_sent_as_it_is_when_the_mask_goes)
{
    msix_set_control(ENABLE);
    msix_set_entry(1, 0xfee00000, 0x41, 0);
    msix_mask(1, true);
    msix_raise(1);
    msix_write(16, 0xfee05000, 8);
    cr_assert_eq(msis[1].sent, 0);
    msix_write(16 + 8, 0x77, 8); /* new data and no mask, at once */
    cr_assert_eq(msis[1].sent, 1);
    cr_assert_eq(msis[1].address, 0xfee05000);
    cr_assert_eq(msis[1].data, 0x77);
}

Test(pci_msix, the_function_mask_holds_all_vectors)
{
    msix_set_control(ENABLE | MASK_ALL);
    for (unsigned v = 0; v < VECTORS; v++) {
        msix_set_entry(v, 0xfee00000, 0x40 + v, v == 4);
        msix_raise(v);
        cr_assert_eq(msis[v].sent, 0);
    }
    cr_assert_eq(msix_read(PENDING, 8), 0x1f);
    msix_set_control(ENABLE);
    cr_assert_eq(msix_read(PENDING, 8), 1u << 4, "that one is masked by itself, too");
    for (unsigned v = 0; v < VECTORS; v++) {
        cr_assert_eq(msis[v].sent, v < 4);
    }
}

Test(pci_msix, messages_to_nowhere_or_without_bus_mastering_are_dropped)
{
    msix_set_control(ENABLE);
    msix_set_entry(0, 0x1000, 0x40, 0);
    msix_raise(0);
    cr_assert_eq(msix_errors(), 1);
    msix_set_entry(1, 0xfee00000, 0x41, 0);
    msix_set_command(PCI_COMMAND_MEMORY);
    msix_raise(1);
    cr_assert_eq(msix_errors(), 2);
    msix_set_command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    cr_assert_eq(msis[0].sent + msis[1].sent, 0);
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    cr_assert_eq(msis[0].sent, 0, "what was dropped is gone");
}

Test(pci_msix, a_reset_forgets_what_is_pending)
{
    msix_set_control(ENABLE | MASK_ALL);
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    msix_raise(0);
    msix_reset();
    cr_assert_eq(msix_read(PENDING, 8), 0);
    msix_set_control(ENABLE);
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    cr_assert_eq(msis[0].sent, 0);
    cr_assert_not(msix_pci.m.irqs.level[GSI]);
}

/* --- hosts ------------------------------------------------------------ */

static int three_messages(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    static unsigned given;
    (void)opaque, (void)requester;
    *out = (struct irq_msi){.edge = {.fd = -1}};
    return given++ < 3 ? 0 : err_set(e, EMFILE, "no eventfd");
}

static unsigned given_back;

static void count_put(void *opaque, struct irq_msi *msi)
{
    (void)opaque;
    (void)msi;
    given_back++;
}

Test(pci_msix, a_host_short_of_messages_gets_those_back_that_it_gave)
{
    struct err e = ERR_INIT;
    device_free(msix_dev);
    msix_pci.m.env.msi_get = three_messages;
    msix_pci.m.env.msi_put = count_put;
    msix_dev = fake_device_new(&msix_pci.m, &msix_class, NULL);
    cr_assert_eq(pci_plug(msix_pci.host, msix_dev, &e), 0);
    cr_assert_eq(device_realize(msix_dev, &e), -EMFILE);
    device_free(msix_dev);
    msix_dev = NULL;
    cr_assert_eq(given_back, 3);
}

Test(pci_msix, on_another_bus_it_has_no_effect)
{
    struct err e = ERR_INIT;
    struct device *other = fake_device_of(
        &msix_pci.m, &(struct device_class){.name = "plain", .state_size = sizeof(struct device)},
        NULL);
    cr_assert_eq(pci_add_msix(other, TABLE_BAR, VECTORS, &e), 0);
    device_free(other);
}

/* --- down to KVM ------------------------------------------------------ */

#ifdef __x86_64__ /* by the numbers and addresses of its messages */

static struct fake_kvm kvm;
static struct irqchip chip;
static struct msi_table table;

static int kvm_msi_get(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e)
{
    (void)opaque;
    return msi_get(&table, requester, out, e);
}

static int kvm_msi_set(void *opaque, struct irq_msi *msi, uint64_t address, uint32_t data)
{
    (void)opaque;
    return msi_set(&table, msi, address, data);
}

static void kvm_msi_put(void *opaque, struct irq_msi *msi)
{
    (void)opaque;
    msi_put(&table, msi);
}

Test(pci_msix, hammering_a_mask_does_not_touch_kvms_routes)
{
    struct err e = ERR_INIT;
    fake_kvm_init(&kvm);
    cr_assert_eq(irqchip_create(&chip, &kvm.kvm, &e), 0);
    msi_table_init(&table, &chip);
    device_free(msix_dev);
    msix_pci.m.env.msi_get = kvm_msi_get;
    msix_pci.m.env.msi_set = kvm_msi_set;
    msix_pci.m.env.msi_put = kvm_msi_put;
    msix_make();
    msix_set_entry(0, 0xfee00000, 0x40, 0);
    msix_set_entry(1, 0xfee00000, 0x41, 1);
    assert_log(&kvm, "");
    for (unsigned i = 0; i < 10000; i++) {
        msix_set_control(ENABLE);
        msix_mask(0, i % 2);
        msix_set_control(ENABLE | MASK_ALL);
        msix_write(16, 0xfee00000 | (i & 0xff) << 12, 8); /* of vector 1, masked */
    }
    assert_log(&kvm, "+irqfd 24;routes 41: 24=0fee00000:40;");
    device_free(msix_dev);
    msix_dev = NULL;
    msi_table_destroy(&table);
}

#endif

/* --- threads ---------------------------------------------------------- */

#define RAISES 20000

static void *raise_often(void *opaque)
{
    (void)opaque;
    for (unsigned i = 0; i < RAISES; i++) {
        msix_raise(i % VECTORS);
        msix_lower(i % VECTORS);
    }
    return NULL;
}

Test(pci_msix, a_worker_may_raise_while_the_guest_masks)
{
    pthread_t worker;
    unsigned sent = 0;
    msix_set_control(ENABLE);
    for (unsigned v = 0; v < VECTORS; v++) {
        msix_set_entry(v, 0xfee00000, 0x40 + v, 0);
    }
    cr_assert_eq(pthread_create(&worker, NULL, raise_often, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        msix_mask(i % VECTORS, true);
        msix_read(PENDING, 8);
        msix_set_control(ENABLE | MASK_ALL);
        msix_mask(i % VECTORS, false);
        msix_set_control(ENABLE);
    }
    pthread_join(worker, NULL);
    cr_assert_eq(msix_read(PENDING, 8), 0);
    for (unsigned v = 0; v < VECTORS; v++) {
        cr_assert_gt(msis[v].sent, 0);
        sent += msis[v].sent;
    }
    cr_assert_leq(sent, RAISES, "raises while masked may merge, but never multiply");
}
