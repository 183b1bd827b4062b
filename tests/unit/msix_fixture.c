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

struct pci_fixture pci;
struct device *dev;
struct fake_msi *msis;

void set_command(uint16_t command)
{
    fake_config_write(&pci, SLOT, PCI_COMMAND, command, 2);
}

void set_control(uint16_t control)
{
    fake_config_write(&pci, SLOT, CONTROL, control, 2);
}

static void map_table(void)
{
    fake_config_write(&pci, SLOT, PCI_BAR0 + 4 * TABLE_BAR, BAR_GPA, 4);
    set_command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void make_device(void)
{
    dev = pci_fixture_add(&pci, &msix_class, SLOT, NULL);
    map_table();
}

void msix_setup(void)
{
    pci_fixture_init(&pci, 0);
    make_device();
    msis = pci.m.msis;
}

void msix_teardown(void)
{
    device_free(dev);
    pci_fixture_free(&pci);
}

void reset_device(void)
{
    device_reset(dev);
    map_table();
}

uint64_t bar_read(uint64_t offset, unsigned size)
{
    return fake_read(pci.m.mem, BAR_GPA + offset, size);
}

void bar_write(uint64_t offset, uint64_t value, unsigned size)
{
    fake_write(pci.m.mem, BAR_GPA + offset, value, size);
}

void set_entry(unsigned vector, uint64_t address, uint32_t data, uint32_t control)
{
    bar_write(vector * 16, address, 8);
    bar_write(vector * 16 + 8, data | (uint64_t)control << 32, 8);
}

void mask(unsigned vector, bool on)
{
    bar_write(vector * 16 + 12, on, 4);
}

void raise_vector(unsigned vector)
{
    device_lock(dev);
    device_raise(dev, vector);
    device_unlock(dev);
}

void lower_vector(unsigned vector)
{
    device_lock(dev);
    device_lower(dev, vector);
    device_unlock(dev);
}

uint64_t errors(void)
{
    return guest_error_count(&dev->guest_errors);
}
