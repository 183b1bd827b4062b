/*
 * PCI in ACPI: the table MCFG, and in the DSDT the host bridge. Source: PCI
 * Firmware Specification 3.0, sections 4.1.2 (MCFG), 4.1.3 (its motherboard
 * resource), 4.5 (_OSC); ACPI specification 6.4, 6.2.13 (_PRT).
 */
#include "src/arch/x86/acpi.h"
#include "src/arch/x86/aml.h"

void acpi_mcfg(struct bytes *b)
{
    bytes_zero(b, 8);
    bytes_u64(b, PC_ECAM_GPA);
    bytes_u16(b, 0); /* segment */
    bytes_u8(b, 0);  /* first and last bus */
    bytes_u8(b, 0);
    bytes_zero(b, 4);
}

static void name_eisa_id(struct bytes *b, const char *name, const char *id)
{
    aml_name(b, name);
    aml_eisa_id(b, id);
}

/* A guest trusts MCFG only if something reserves the memory. */
static void add_ecam(struct bytes *b)
{
    const size_t dev = aml_device(b, "RES0");
    name_eisa_id(b, "_HID", "PNP0C02");
    const size_t crs = aml_crs(b);
    aml_memory32(b, PC_ECAM_GPA, PC_ECAM_SIZE);
    aml_crs_end(b, crs);
    aml_end(b, dev);
}

static void add_windows(struct bytes *b, uint64_t mem64)
{
    const size_t crs = aml_crs(b);
    aml_bus_window(b, 0, 1);
    aml_io(b, PC_PORT_PCI, 8);
    aml_io_window(b, PC_PCI_IO_BASE, PC_PCI_IO_SIZE);
    aml_memory32_window(b, PC_PCI_MEM32_GPA, PC_PCI_MEM32_SIZE);
    if (mem64 != 0) {
        aml_memory64_window(b, mem64, PC_PCI_MEM64_SIZE);
    }
    aml_crs_end(b, crs);
}

/* An entry is {slot and all functions, pin, no link device, GSI}. */
static void add_routing(struct bytes *b, const struct pc_intx *intx, unsigned count)
{
    enum { ALL_FUNCTIONS = 0xffff, INTA = 0 };
    aml_name(b, "_PRT");
    const size_t table = aml_package(b, (uint8_t)count);
    for (unsigned i = 0; i < count; i++) {
        const size_t entry = aml_package(b, 4);
        aml_integer(b, (uint64_t)intx[i].slot << 16 | ALL_FUNCTIONS);
        aml_integer(b, INTA);
        aml_integer(b, 0);
        aml_integer(b, intx[i].gsi);
        aml_end(b, entry);
    }
    aml_end(b, table);
}

/* field |= bits */
static void set_bits(struct bytes *b, const char *field, uint64_t bits)
{
    aml_op(b, AML_OR);
    aml_path(b, field);
    aml_integer(b, bits);
    aml_path(b, field);
}

/* Local0 = control & GRANTED; if that takes something away, say so; control = Local0. */
static void mask_control(struct bytes *b)
{
    enum { CAPABILITIES_MASKED = 0x10 };
    enum { GRANTED = 0x1f }; /* hot-plug, SHPC, PME, AER, PCIe capability: none is vmm's */
    aml_op(b, AML_AND);
    aml_path(b, "CDW3");
    aml_integer(b, GRANTED);
    aml_local(b, 0);
    const size_t masked = aml_if(b);
    aml_op(b, AML_NOT);
    aml_op(b, AML_EQUAL);
    aml_path(b, "CDW3");
    aml_local(b, 0);
    set_bits(b, "CDW1", CAPABILITIES_MASKED);
    aml_end(b, masked);
    aml_op(b, AML_STORE);
    aml_local(b, 0);
    aml_path(b, "CDW3");
}

/* _OSC (UUID, revision, count, capabilities): which features of PCI the guest may run itself. */
static void add_osc(struct bytes *b)
{
    enum { UNKNOWN_UUID = 4, UNKNOWN_REVISION = 8 };
    const size_t method = aml_method(b, "_OSC", 4, true);
    aml_dword_field(b, 3, 0, "CDW1");
    const size_t pci = aml_if(b);
    aml_op(b, AML_EQUAL);
    aml_arg(b, 0);
    aml_uuid(b, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    aml_dword_field(b, 3, 8, "CDW3");
    mask_control(b);
    const size_t revision = aml_if(b);
    aml_op(b, AML_NOT);
    aml_op(b, AML_EQUAL);
    aml_arg(b, 1);
    aml_integer(b, 1);
    set_bits(b, "CDW1", UNKNOWN_REVISION);
    aml_end(b, revision);
    aml_end(b, pci);
    const size_t other = aml_else(b);
    set_bits(b, "CDW1", UNKNOWN_UUID);
    aml_end(b, other);
    aml_op(b, AML_RETURN);
    aml_arg(b, 3);
    aml_end(b, method);
}

void acpi_dsdt_pci(struct bytes *b, const struct pc_inventory *has)
{
    const size_t dev = aml_device(b, "PCI0");
    name_eisa_id(b, "_HID", "PNP0A08"); /* PCI Express: it has ECAM */
    name_eisa_id(b, "_CID", "PNP0A03");
    aml_name_integer(b, "_SEG", 0);
    aml_name_integer(b, "_BBN", 0);
    aml_name_integer(b, "_UID", 0);
    aml_name_integer(b, "_CCA", 1);
    add_windows(b, has->pci_mem64);
    if (has->intx_count > 0) {
        add_routing(b, has->intx, has->intx_count);
    }
    add_osc(b);
    aml_end(b, dev);
    add_ecam(b);
}
