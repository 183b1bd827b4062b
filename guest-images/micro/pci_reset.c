/*
 * Function level reset: dma-engine is as after power-on, a copy under way ends,
 * another function is not touched, and afterwards the device works as ever. Wants
 * a dma-engine with max_size=64M and an edu.
 */
#include "dma_engine.h"
#include "edu.h"

#define SIZE    0x4000000U
#define SRC_GPA (RAM_GPA + 0x2000000)
#define DST_GPA (RAM_GPA + 0x6000000)
#define MARK    0x12345678U

static struct dma_engine dma;
static struct edu edu;

static uint64_t fill_src(uint64_t byte)
{
    memset((void *)SRC_GPA, (int)byte, SIZE);
    return 0;
}

static uint64_t fill_dst(uint64_t byte)
{
    memset((void *)DST_GPA, (int)byte, SIZE);
    return 0;
}

static void use_everything(void)
{
    const struct pci *p = &dma.dev.pci;
    pci_msi_on(p, (struct irq_message){0x12345000, 0x5a});
    pci_command(p, PCI_COMMAND_INTX_OFF, 0);
    dma_write(&dma, DMA_IRQ_ENABLE, 1);
    CHECK_EQ(dma_copy(&dma, 0, DST_GPA, SRC_GPA, 64), DMA_ERROR_NONE);
    dma_start(&dma, 0, DST_GPA, SRC_GPA, SIZE);
}

static void function_is_fresh(void)
{
    const struct pci *p = &dma.dev.pci;
    const unsigned msi = pci_capability(p, PCI_CAP_MSI);
    CHECK_EQ(pci_read16(p, PCI_COMMAND), 0);
    CHECK_EQ(pci_bar(p, 0), 0);
    CHECK(!pci_intx_asserted(p));
    CHECK_EQ(pci_read16(p, msi + PCI_MSI_CONTROL) & PCI_MSI_ENABLE, 0);
    CHECK_EQ(pci_read32(p, msi + PCI_MSI_ADDRESS), 0);
    CHECK_EQ(pci_read16(p, msi + PCI_MSI_DATA), 0);
    CHECK_EQ(mmio_read32(dma.dev.base + DMA_ID), UINT32_MAX);
}

static void registers_are_fresh(void)
{
    CHECK_EQ(dma_read(&dma, DMA_ID), DMA_ID_VALUE);
    CHECK_EQ(dma_read(&dma, DMA_IRQ_STATUS), 0);
    CHECK_EQ(dma_read(&dma, DMA_IRQ_ENABLE), 0);
    for (uintptr_t reg = DMA_SRC; reg <= DMA_COPIED; reg += 4) {
        CHECK_EQ(dma_read(&dma, dma_channel(0) + reg), 0);
    }
}

/* Nothing is copied any more: what the guest writes there now stays. */
static void copy_has_ended(void)
{
    user_call(fill_dst, 0xee);
    irq_settle();
    const volatile uint8_t *bytes = (const volatile uint8_t *)DST_GPA;
    for (unsigned i = 0; i < SIZE; i += SIZE / 64) {
        CHECK_EQ(bytes[i], 0xee);
    }
}

int guest_main(void)
{
    CHECK(dma_engine_find(&dma, 0));
    CHECK(edu_find(&edu, 0));
    edu_write(&edu, EDU_LIVENESS, MARK);
    user_call(fill_src, 0x11);
    use_everything();
    pci_reset(&dma.dev.pci);
    function_is_fresh();
    copy_has_ended();

    pci_bar_move(&dma.dev.pci, 0, dma.dev.base);
    pci_command(&dma.dev.pci, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
    registers_are_fresh();
    CHECK_EQ(dma_copy(&dma, 0, DST_GPA, SRC_GPA, 64), DMA_ERROR_NONE);
    CHECK_EQ(*(const volatile uint8_t *)DST_GPA, 0x11);
    CHECK_EQ(edu_read(&edu, EDU_LIVENESS), ~MARK);
    print("pci_reset: ok\n");
    return 0;
}
