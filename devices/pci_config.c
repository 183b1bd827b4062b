/*
 * PCI configuration space: 256 bytes, of which each has a value, a value after
 * reset, and a mask of the bits that a guest can change. All of it is declared:
 * the header by the table below, BARs and capabilities by their files. A write is
 * a merge under the mask; what follows from it is brought up to date at once.
 *
 * Source: PCI Local Bus Specification 3.0, sections 6.1 to 6.7.
 *
 * Locking: the device's lock.
 */
#include "devices/pci_function.h"
#include "src/base/le.h"
#include "src/base/trace.h"

#include <assert.h>
#include <string.h>

/* QEMU's ids for what names no subsystem; drivers and lspci know them. */
#define SUBSYSTEM_VENDOR 0x1af4
#define SUBSYSTEM        0x1100

struct header_field {
    const char *name;
    uint8_t offset;
    uint8_t size; /* bytes */
    uint16_t reset;
    uint16_t writable;
    const char *meaning;
};

/* The type 0 header. What a device's class says goes over it in pci_config_init(). */
static const struct header_field header[] = {
    {"vendor", 0x00, 2, 0, 0, "of the class; 0xffff: no function"},
    {"device", 0x02, 2, 0, 0, "of the class"},
    {"command", 0x04, 2, 0, 0x0547,
     "0 I/O decode, 1 memory decode, 2 bus master, 6 parity errors, 8 SERR#, 10 INTx off"},
    {"status", 0x06, 2, 0, 0, "3 INTx is raised, 4 there are capabilities"},
    {"revision", 0x08, 1, 0, 0, "of the class"},
    {"class", 0x09, 3, 0, 0, "programming interface, sub-class, base class"},
    {"cache_line", 0x0c, 1, 0, 0xff, "system cache line in dwords; nothing here depends on it"},
    {"latency", 0x0d, 1, 0, 0xff, "latency timer; nothing here depends on it"},
    {"header_type", 0x0e, 1, 0, 0, "type 0, one function"},
    {"bist", 0x0f, 1, 0, 0, "no self-test"},
    {"bar0", 0x10, 4, 0, 0, "declared by pci_bar_add(), where there is one"},
    {"bar1", 0x14, 4, 0, 0, "the same"},
    {"bar2", 0x18, 4, 0, 0, "the same"},
    {"bar3", 0x1c, 4, 0, 0, "the same"},
    {"bar4", 0x20, 4, 0, 0, "the same"},
    {"bar5", 0x24, 4, 0, 0, "the same"},
    {"cardbus_cis", 0x28, 4, 0, 0, "none"},
    {"subsystem_vendor", 0x2c, 2, SUBSYSTEM_VENDOR, 0, "of the class"},
    {"subsystem", 0x2e, 2, SUBSYSTEM, 0, "of the class"},
    {"rom", 0x30, 4, 0, 0, "no expansion ROM"},
    {"capabilities", 0x34, 1, 0, 0, "offset of the first"},
    {"interrupt_line", 0x3c, 1, 0, 0xff, "firmware's note for drivers: the GSI"},
    {"interrupt_pin", 0x3d, 1, 0, 0, "1 INTA; 0 none"},
    {"min_grant", 0x3e, 1, 0, 0, "no wish"},
    {"max_latency", 0x3f, 1, 0, 0, "no wish"},
};

void pci_declare(struct pci_function *f, unsigned reg, unsigned size, uint64_t reset,
                 uint64_t writable)
{
    assert(size <= 8 && reg + size <= PCI_CONFIG_SIZE);
    for (unsigned i = 0; i < size; i++) {
        f->reset[reg + i] = (uint8_t)(reset >> 8 * i);
        f->writable[reg + i] = (uint8_t)(writable >> 8 * i);
        f->config[reg + i] = f->reset[reg + i];
    }
}

void pci_config_init(struct pci_function *f, const struct pci_info *info)
{
    for (size_t i = 0; i < ARRAY_LEN(header); i++) {
        const struct header_field *h = &header[i];
        pci_declare(f, h->offset, h->size, h->reset, h->writable);
    }
    pci_declare(f, PCI_VENDOR, 4, info->vendor | (uint32_t)info->device << 16, 0);
    pci_declare(f, PCI_CLASS, 4, info->revision | info->class_code << 8, 0);
    if (info->subsystem_vendor != 0 || info->subsystem != 0) {
        pci_declare(f, PCI_SUBSYSTEM, 4, info->subsystem_vendor | (uint32_t)info->subsystem << 16,
                    0);
    }
    pci_declare(f, PCI_INTERRUPT_PIN, 1, info->intx, 0);
    f->capabilities_end = PCI_FIRST_CAPABILITY;
}

void pci_config_reset(struct pci_function *f)
{
    memcpy(f->config, f->reset, sizeof(f->config));
}

void pci_config_loaded(struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
        f->config[i] = (uint8_t)((f->reset[i] & ~f->writable[i]) | (f->config[i] & f->writable[i]));
    }
}

uint8_t pci_add_capability(struct pci_function *f, uint8_t id, unsigned len)
{
    const uint8_t at = f->capabilities_end;
    const unsigned end = (at + len + 3u) & ~3u; /* they start at multiples of 4 */
    unsigned link = PCI_CAPABILITIES;

    assert(end < PCI_CONFIG_SIZE);
    while (f->config[link] != 0) {
        link = f->config[link] + 1u;
    }
    pci_declare(f, link, 1, at, 0);
    pci_declare(f, at, 2, id, 0);
    pci_declare(f, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES, 0);
    f->capabilities_end = (uint8_t)end;
    return at;
}

/* For traces. */
static const char *register_name(unsigned reg)
{
    for (size_t i = 0; i < ARRAY_LEN(header); i++) {
        if (reg - header[i].offset < header[i].size) {
            return header[i].name;
        }
    }
    return reg < PCI_FIRST_CAPABILITY ? "reserved" : "capability";
}

uint16_t pci_command(const struct pci_function *f)
{
    return get_le16(&f->config[PCI_COMMAND]);
}

uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)f->config[reg + i] << 8 * i;
    }
    trace(TRACE_pci_config_read, "%s 0x%02x %s size %u value 0x%x", f->dev->id, reg,
          register_name(reg), size, value);
    return value;
}

static bool touches(unsigned reg, unsigned size, unsigned first, unsigned len)
{
    return reg < first + len && first < reg + size;
}

void pci_config_write(struct pci_function *f, unsigned reg, uint32_t value, unsigned size)
{
    const bool command = touches(reg, size, PCI_COMMAND, 2);

    trace(TRACE_pci_config_write, "%s 0x%02x %s size %u value 0x%x", f->dev->id, reg,
          register_name(reg), size, value);
    for (unsigned i = 0; i < size; i++) {
        const uint8_t mask = f->writable[reg + i];
        f->config[reg + i] = (uint8_t)((f->config[reg + i] & ~mask) | (value >> 8 * i & mask));
    }
    if (command || touches(reg, size, PCI_BAR0, 4 * PCI_BARS)) {
        pci_bars_update(f);
    }
    if (reg >= PCI_FIRST_CAPABILITY) {
        pci_msi_update(f);
        pci_msix_update(f);
    }
    if (command || reg >= PCI_FIRST_CAPABILITY) {
        pci_intx_update(f);
    }
    if (f->af_at != 0 && reg == f->af_at + (unsigned)PCI_AF_CONTROL &&
        (value & PCI_AF_INITIATE_FLR) != 0) {
        device_reset_locked(f->dev); /* the function level reset */
    }
}
