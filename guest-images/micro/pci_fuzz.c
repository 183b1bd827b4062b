/*
 * Arbitrary writes to the configuration space and the registers of all functions
 * on the bus, with their BARs anywhere: the machine goes on, and each device works
 * again once it has its place back. steps=N on the command line says how many,
 * seed=N begins another sequence.
 *
 * Left out is what would rightly end the guest: DMA to anywhere, and messages
 * that are not plain interrupts.
 */
#include "edu.h"

#define STEPS 10000

#define POKED_REGISTERS 0x80 /* edu's DMA begins there */
#define PLAIN_INTERRUPT 0xff /* of a message's data: the vector */

struct function {
    struct pci pci;
    unsigned msi; /* its capability, or 0 */
    uint32_t bars[PCI_BARS];
    uint32_t first_register; /* of BAR 0 */
};

static struct function functions[PCI_SLOTS];
static unsigned function_count;

static uint32_t arbitrary(void)
{
    static uint64_t state;
    if (state == 0) {
        state = 0x9e3779b97f4a7c15 * (1 + cmdline_number("seed", 0));
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static void add_function(const struct pci *p)
{
    struct function *f = &functions[function_count++];
    f->pci = *p;
    f->msi = pci_capability(p, PCI_CAP_MSI);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        f->bars[n] = pci_read32(p, PCI_BAR0 + 4 * n);
    }
    f->first_register = f->bars[0] != 0 ? mmio_read32(pci_bar(p, 0)) : 0;
}

static void scan(void)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        const struct pci p = pci_at(slot, 0);
        if (pci_read16(&p, PCI_VENDOR) != PCI_ABSENT) {
            add_function(&p);
        }
    }
}

/* Somewhere a BAR may or must not be. */
static uint32_t some_place(void)
{
    const struct pci_window w = pci_window();
    const struct pci_window machine = machine_window();
    const uintptr_t places[] = {
        0,
        (uintptr_t)&functions,
        pci_ecam(),
        w.base,
        w.base + 0x100000,
        w.base + w.size - 0x100000,
        functions[arbitrary() % function_count].bars[0],
        machine.base,
        machine.base + arbitrary() % machine.size,
        machine.base + machine.size - 0x100000,
        arbitrary(),
    };
    return (uint32_t)places[arbitrary() % ARRAY_SIZE(places)];
}

static uint32_t some_value(void)
{
    const uint32_t values[] = {0, UINT32_MAX, 1U << arbitrary() % 32, arbitrary()};
    return values[arbitrary() % ARRAY_SIZE(values)];
}

/* An aligned write of 1, 2, 4 or 8 bytes, or a read of them. */
static void access(uintptr_t gpa, unsigned widths, uint64_t value)
{
    const unsigned width = 1U << arbitrary() % widths;
    gpa &= -(uintptr_t)width;
    if (arbitrary() % 4 == 0) {
        mmio_read(gpa, width);
    } else {
        mmio_write(gpa, width, value);
    }
}

static void poke_config(const struct function *f)
{
    access(f->pci.config + arbitrary() % PCI_CONFIG_SIZE, 3, some_value());
    if (f->msi != 0) {
        pci_write16(&f->pci, f->msi + PCI_MSI_DATA,
                    pci_read16(&f->pci, f->msi + PCI_MSI_DATA) & PLAIN_INTERRUPT);
    }
}

/* Only inside the window: elsewhere it is not a BAR that answers. MSI-X tables may lie there too.
 */
static void poke_registers(const struct function *f)
{
    const struct pci_window w = pci_window();
    const uintptr_t bar = pci_bar(&f->pci, arbitrary() % 2);
    const uintptr_t reg = arbitrary() % POKED_REGISTERS;
    const bool message_data = (reg & 0xc) == PCI_MSIX_ENTRY_DATA;
    if (bar >= w.base && bar < w.base + w.size) {
        access(bar + reg, 4, message_data ? some_value() & PLAIN_INTERRUPT : some_value());
    }
}

static uint64_t fuzz(uint64_t steps)
{
    while (steps-- > 0) {
        const struct function *f = &functions[arbitrary() % function_count];
        switch (arbitrary() % 4) {
        case 0:
            poke_config(f);
            break;
        case 1:
            pci_write32(&f->pci, PCI_BAR0 + 4 * (arbitrary() % PCI_BARS), some_place());
            break;
        case 2:
            pci_command(&f->pci, (uint16_t)arbitrary() & (uint16_t)~PCI_COMMAND_MASTER,
                        (uint16_t)arbitrary());
            break;
        default:
            poke_registers(f);
        }
    }
    return 0;
}

/* Each function back to its place, alone at first; then its device answers there. */
static void restore(void)
{
    for (unsigned i = 0; i < function_count; i++) {
        pci_write16(&functions[i].pci, PCI_COMMAND, 0);
    }
    for (unsigned i = 0; i < function_count; i++) {
        const struct function *f = &functions[i];
        for (unsigned n = 0; n < PCI_BARS; n++) {
            pci_write32(&f->pci, PCI_BAR0 + 4 * n, f->bars[n]);
        }
        pci_write16(&f->pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
        if (f->bars[0] != 0) {
            CHECK_EQ(mmio_read32(pci_bar(&f->pci, 0)), f->first_register);
        }
    }
}

int guest_main(void)
{
    scan();
    CHECK(function_count > 0);
    user_call(fuzz, cmdline_number("steps", STEPS));
    restore();
    print("pci_fuzz: functions: %u\n", function_count);
    print("pci_fuzz: ok\n");
    return 0;
}
