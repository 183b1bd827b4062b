/*
 * dma-engine's interrupts: none unless enabled, then by line and, on PCI, by
 * message: MSI-X where the function has it (msix=on), else MSI. Wants a
 * dma-engine with at least two channels.
 */
#include "dma_engine.h"

#define COPIES        50
#define SILENT_COPIES 10
#define LEFTOVERS     3

#define SRC_GPA (RAM_GPA + 0x1000000)
#define DST_GPA (RAM_GPA + 0x1800000)

static struct dma_engine dma;
static volatile unsigned calls, messages[2];

static void copy_on(unsigned channel)
{
    CHECK_EQ(dma_copy(&dma, channel, DST_GPA, SRC_GPA, 64), DMA_ERROR_NONE);
}

static void wait_for(unsigned interrupts)
{
    while (dma.interrupts < interrupts) {
        wait_for_interrupt();
    }
    CHECK_EQ(dma.interrupts, interrupts);
}

static void on_call(void *arg)
{
    (void)arg;
    calls++;
}

/*
 * The Linux driver acknowledges nothing: it must not be interrupted. Some interrupts of before may
 * still be under way.
 */
static void silent_unless_enabled(void)
{
    irq_settle();
    calls = 0;
    dma_write(&dma, DMA_IRQ_ENABLE, 0);
    for (unsigned i = 0; i < SILENT_COPIES; i++) {
        copy_on(0);
        CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), 1);
        CHECK(!dma.dev.on_pci || !pci_intx_asserted(&dma.dev.pci));
        irq_settle();
    }
    CHECK(calls <= LEFTOVERS);
    dma_write(&dma, DMA_IRQ_STATUS, 1);
}

/* One interrupt a copy, an error included; enabling later brings what waits. */
static void one_for_each_copy(void)
{
    unsigned count = dma.interrupts;
    dma_write(&dma, DMA_IRQ_ENABLE, 3);
    for (unsigned i = 0; i < COPIES; i++) {
        dma.finished = 0;
        copy_on(i % 2);
        wait_for(++count);
        CHECK_EQ(dma.finished, 1U << i % 2);
    }
    dma_start(&dma, 0, 0, UINT64_MAX, 64);
    wait_for(++count);
    CHECK_EQ(dma_read(&dma, dma_channel(0) + DMA_DONE), DMA_FAILED);
    dma_write(&dma, DMA_IRQ_ENABLE, 0);
    copy_on(1);
    dma_write(&dma, DMA_IRQ_ENABLE, 3);
    wait_for(++count);
    irq_settle();
    CHECK_EQ(dma.interrupts, count);
    CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), 0);
}

/* Takes one channel at a time, so that an acknowledge leaves the other. */
static void on_one_channel(void *arg)
{
    const uint32_t finished = dma_read(&dma, DMA_IRQ_STATUS) & dma_read(&dma, DMA_IRQ_ENABLE);
    (void)arg;
    dma.interrupts += finished != 0;
    dma_write(&dma, DMA_IRQ_STATUS, finished & -finished);
}

static void acknowledge_one(void)
{
    const unsigned before = dma.interrupts;
    copy_on(0);
    copy_on(1);
    wait_for(before + 2);
    CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), 0);
}

static void on_vector(void *count)
{
    ++*(volatile unsigned *)count;
}

static void wait_for_message(unsigned channel, unsigned count)
{
    while (messages[channel] < count) {
        wait_for_interrupt();
    }
    CHECK_EQ(messages[channel], count);
}

static struct irq_message message_of(unsigned channel)
{
    return irq_attach_message(pci_requester(&dma.dev.pci), on_vector,
                              (void *)(uintptr_t)&messages[channel]);
}

/* A vector a channel; a masked one waits. */
static void by_msix(void)
{
    const struct pci *p = &dma.dev.pci;
    const unsigned msix = pci_capability(p, PCI_CAP_MSIX);
    const uintptr_t control = pci_msix_entry(p, 1) + PCI_MSIX_ENTRY_CONTROL;
    CHECK((pci_read16(p, msix + PCI_MSIX_CONTROL) & PCI_MSIX_SIZE) >= 1);
    CHECK_EQ(mmio_read32(control), PCI_MSIX_ENTRY_MASK);
    for (unsigned n = 0; n < 2; n++) {
        pci_msix_set(p, n, message_of(n));
    }
    pci_msix_on(p);
    for (unsigned i = 0; i < COPIES; i++) {
        copy_on(i % 2);
        wait_for_message(i % 2, i / 2 + 1);
        dma_write(&dma, DMA_IRQ_STATUS, 3);
    }
    mmio_write32(control, PCI_MSIX_ENTRY_MASK);
    copy_on(1);
    copy_on(0);
    wait_for_message(0, COPIES / 2 + 1);
    CHECK_EQ(messages[1], COPIES / 2);
    mmio_write32(control, 0);
    wait_for_message(1, COPIES / 2 + 1);
    dma_write(&dma, DMA_IRQ_STATUS, 3);
    pci_msix_off(p);
}

int guest_main(void)
{
    CHECK(dma_engine_find(&dma, 0));
    dev_use_line(&dma.dev, on_call, NULL);
    silent_unless_enabled();
    dev_use_line(&dma.dev, dma_interrupt, &dma);
    one_for_each_copy();
    dev_use_line(&dma.dev, on_one_channel, NULL);
    acknowledge_one();
    print("dma_engine_irq: by line\n");
    if (!dev_has_messages(&dma.dev)) {
        print("dma_engine_irq: no messages\n");
    } else if (pci_capability(&dma.dev.pci, PCI_CAP_MSIX) != 0) {
        by_msix();
        print("dma_engine_irq: by MSI-X\n");
    } else {
        irq_detach_line(dma.dev.gsi);
        dev_use_msi(&dma.dev, on_call, NULL);
        silent_unless_enabled();
        dev_use_msi(&dma.dev, dma_interrupt, &dma);
        one_for_each_copy();
        dev_use_msi(&dma.dev, on_one_channel, NULL);
        acknowledge_one();
        print("dma_engine_irq: by MSI\n");
    }
    print("dma_engine_irq: ok\n");
    return 0;
}
