/*
 * Reboots with work in flight: afterwards edu and its function are as after
 * power-on, and what was under way is forgotten. Wants an edu with its usual DMA
 * delay. Started for the third time, it powers off.
 */
#include "edu.h"

#define STARTS 3

#define MARK 0x12345678U

/* Outside the image, so that a reboot does not overwrite it. */
#define TARGET_GPA (RAM_GPA + 0x800000)

static struct edu edu;

static void function_is_fresh(const struct pci *p)
{
    const unsigned msi = pci_capability(p, PCI_CAP_MSI);
    CHECK_EQ(pci_read16(p, PCI_COMMAND) & (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF), 0);
    CHECK_EQ(pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
    CHECK(!pci_intx_asserted(p));
    CHECK_EQ(pci_read16(p, msi + PCI_MSI_CONTROL) & PCI_MSI_ENABLE, 0);
    CHECK_EQ(pci_read32(p, msi + PCI_MSI_ADDRESS), 0);
    CHECK_EQ(pci_read16(p, msi + PCI_MSI_DATA), 0);
}

static void registers_are_fresh(void)
{
    static const uintptr_t regs[] = {EDU_LIVENESS, EDU_FACTORIAL, EDU_STATUS,    EDU_IRQ_STATUS,
                                     EDU_DMA_SRC,  EDU_DMA_DST,   EDU_DMA_COUNT, EDU_DMA_CMD};
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        /* LIVENESS: the complement of what was written, or 0 if nothing was. */
        const uint32_t value = edu_read(&edu, regs[i]);
        CHECK(value == 0 || (regs[i] == EDU_LIVENESS && value == UINT32_MAX));
    }
}

/* A transfer of now takes the usual time, in which one of before would have come. */
static void nothing_comes(void)
{
    static uint8_t zeros[64];
    uint8_t *target = (uint8_t *)TARGET_GPA;
    memset(target, 0xee, 64);
    edu_use_line(&edu);
    edu_dma_start(&edu, EDU_BUFFER, (uintptr_t)target + 4096, 64, EDU_DMA_TO_MEMORY | EDU_DMA_IRQ);
    edu_wait(&edu, 1);
    CHECK_EQ(edu.reasons, EDU_IRQ_DMA);
    CHECK_EQ(target[0], 0xee);
    CHECK(memcmp(target + 4096, zeros, 64) == 0);
}

/* Move the BAR, and leave a transfer, a computation and an interrupt on their way. */
static void leave_work(bool by_msi)
{
    if (edu.dev.on_pci) {
        edu.dev.base = pci_window().base + 0x10000000;
        pci_bar_move(&edu.dev.pci, 0, edu.dev.base);
    }
    if (by_msi && dev_has_messages(&edu.dev)) {
        edu_use_msi(&edu);
    } else {
        edu_use_line(&edu);
    }
    edu_write(&edu, EDU_LIVENESS, MARK);
    edu_write(&edu, EDU_STATUS, EDU_IRQ_AFTER);
    edu_write(&edu, EDU_FACTORIAL, UINT32_MAX);
    edu_dma_start(&edu, EDU_BUFFER, TARGET_GPA, 64, EDU_DMA_TO_MEMORY | EDU_DMA_IRQ);
    edu_write(&edu, EDU_IRQ_RAISE, 0x10);
}

int guest_main(void)
{
    struct pci p;
    const unsigned starts = count_starts();
    print("edu_reboot: start %u\n", starts);
    if (pci_find(&p, EDU_VENDOR, EDU_DEVICE, 0)) {
        function_is_fresh(&p);
    }
    CHECK(edu_find(&edu, 0));
    registers_are_fresh();
    if (starts == STARTS) {
        nothing_comes();
        print("edu_reboot: ok\n");
        return 0;
    }
    leave_work(starts == 1);
    guest_reset();
}
