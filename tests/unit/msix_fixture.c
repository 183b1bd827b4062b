/*
 * A PCI function with MSI-X: see msix_fixture.h.
 */
#include "tests/unit/msix_fixture.h"

static int add_msix(struct device *self, struct err *e)
{
    return pci_add_msix(self, TABLE_BAR, VECTORS, e);
}

static const struct pci_info info = {
    .vendor = 0x1234,
    .device = 0x11e8,
    .class_code = 0x00ff00,
    .intx = true,
};

const struct device_class msix_class = {
    .name = "messenger",
    .state_size = sizeof(struct device),
    .pci = &info,
    .realize = add_msix,
};

struct pci_fixture msix_pci;
struct device *msix_dev;
struct fake_msi *msis;

void msix_set_command(uint16_t command)
{
    fake_config_write(&msix_pci, SLOT, PCI_COMMAND, command, 2);
}

void msix_set_control(uint16_t control)
{
    fake_config_write(&msix_pci, SLOT, CONTROL, control, 2);
}

static void map_table(void)
{
    fake_config_write(&msix_pci, SLOT, PCI_BAR0 + 4 * TABLE_BAR, BAR_GPA, 4);
    msix_set_command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void msix_make(void)
{
    msix_dev = pci_fixture_add(&msix_pci, &msix_class, SLOT, NULL);
    map_table();
}

void msix_setup(void)
{
    pci_fixture_init(&msix_pci, 0);
    msix_make();
    msis = msix_pci.m.msis;
}

void msix_teardown(void)
{
    device_free(msix_dev);
    pci_fixture_free(&msix_pci);
}

void msix_reset(void)
{
    device_reset(msix_dev);
    map_table();
}

uint64_t msix_read(uint64_t offset, unsigned size)
{
    return fake_read(msix_pci.m.mem, BAR_GPA + offset, size);
}

void msix_write(uint64_t offset, uint64_t value, unsigned size)
{
    fake_write(msix_pci.m.mem, BAR_GPA + offset, value, size);
}

void msix_set_entry(unsigned vector, uint64_t address, uint32_t data, uint32_t control)
{
    msix_write(vector * 16, address, 8);
    msix_write(vector * 16 + 8, data | (uint64_t)control << 32, 8);
}

void msix_mask(unsigned vector, bool on)
{
    msix_write(vector * 16 + 12, on, 4);
}

void msix_raise(unsigned vector)
{
    fake_raise(msix_dev, vector);
}

void msix_lower(unsigned vector)
{
    fake_lower(msix_dev, vector);
}

uint64_t msix_errors(void)
{
    return guest_error_count(&msix_dev->guest_errors);
}
