/*
 * The DSDT: devices a guest cannot probe, power-off, the power button. Sources:
 * ACPI specification 6.4 (5.6.9 generic event device, 7.4.2 \_Sx); QEMU
 * hw/i386/acpi-microvm.c for the names a guest expects; Linux
 * Documentation/firmware-guide/acpi/enumeration.rst (PRP0001). PCI is in
 * acpi_pci.c.
 *
 * In hardware-reduced mode Linux maps an ISA interrupt only for a device that
 * claims it in its _CRS, so COM1 and the RTC are here too.
 */
#include "src/arch/x86/acpi.h"
#include "src/arch/x86/aml.h"
#include "src/arch/x86/map.h"

#include <stdio.h>
#include <string.h>

#define GED_POWER_BUTTON 2 /* bit in the event selector */
#define NOTIFY_PRESSED   0x80
#define NOTIFY_CHANGED   0x80 /* the generation id */
#define SLEEP_S3         1    /* what the sleep control register or PM1 control takes */
#define SLEEP_S5         5    /* for "off" */

static size_t begin_device(struct bytes *b, const char *name, const char *eisa_id)
{
    const size_t dev = aml_device(b, name);
    aml_name(b, "_HID");
    aml_eisa_id(b, eisa_id);
    return dev;
}

/* For ids that are no EISA ids. */
static size_t begin_named_device(struct bytes *b, const char *name, const char *id)
{
    const size_t dev = aml_device(b, name);
    aml_name(b, "_HID");
    aml_string(b, id);
    return dev;
}

static void add_com(struct bytes *b, unsigned n, uint16_t port, unsigned gsi)
{
    char name[] = "COM0";

    name[3] = (char)('0' + n);
    const size_t dev = begin_device(b, name, "PNP0501");
    aml_name_integer(b, "_UID", n);
    const size_t crs = aml_crs(b);
    aml_io(b, port, 8);
    aml_irq(b, gsi);
    aml_crs_end(b, crs);
    aml_end(b, dev);
}

static void add_rtc(struct bytes *b)
{
    const size_t dev = begin_device(b, "RTC", "PNP0B00");
    const size_t crs = aml_crs(b);
    aml_io(b, PC_PORT_RTC, 2);
    aml_irq(b, PC_GSI_RTC);
    aml_crs_end(b, crs);
    aml_end(b, dev);
}

static void add_pvpanic(struct bytes *b)
{
    const size_t dev = begin_named_device(b, "PEVT", "QEMU0001");
    const size_t crs = aml_crs(b);
    aml_io(b, PC_PORT_PVPANIC, 1);
    aml_crs_end(b, crs);
    aml_end(b, dev);
}

/* The interrupt is an edge because KVM's irqfd delivers one per event; slots share pins. */
static void add_virtio(struct bytes *b, const struct pc_virtio *v)
{
    char name[5];
    snprintf(name, sizeof(name), "VR%02X", v->slot & 0xff);
    const size_t dev = begin_named_device(b, name, "LNRO0005");
    aml_name_integer(b, "_UID", v->slot);
    aml_name_integer(b, "_CCA", 1);
    const size_t crs = aml_crs(b);
    aml_memory32(b, v->gpa, PC_VIRTIO_STRIDE);
    aml_interrupt(b, AML_INT_EDGE | AML_INT_SHARED, v->gsi);
    aml_crs_end(b, crs);
    aml_end(b, dev);
}

/* Device properties by name, as a device tree has them: a package of pairs behind their UUID. */
static void add_compatible(struct bytes *b, const char *compatible)
{
    aml_name(b, "_DSD");
    const size_t dsd = aml_package(b, 2);
    aml_uuid(b, "daffd814-6eba-4d8c-8a91-bc9bbf4aa301");
    const size_t properties = aml_package(b, 1);
    const size_t pair = aml_package(b, 2);
    aml_string(b, "compatible");
    aml_string(b, compatible);
    aml_end(b, pair);
    aml_end(b, properties);
    aml_end(b, dsd);
}

/* PRP0001 tells Linux to choose the driver by the property `compatible`. */
static void add_platform(struct bytes *b, unsigned n, const struct pc_platform *p)
{
    char name[5];
    snprintf(name, sizeof(name), "PD%02X", n & 0xff);
    const size_t dev = begin_named_device(b, name, "PRP0001");
    aml_name_integer(b, "_UID", n);
    aml_name_integer(b, "_CCA", 1);
    const size_t crs = aml_crs(b);
    aml_memory32(b, p->gpa, p->size);
    aml_interrupt(b, AML_INT_LEVEL | AML_INT_SHARED, p->gsi);
    aml_crs_end(b, crs);
    add_compatible(b, p->compatible);
    aml_end(b, dev);
}

/*
 * The generation id: where it is, and a generic event device of its own for its interrupt. Source:
 * Microsoft, "Virtual Machine Generation ID"; ACPI 6.4, 5.6.9.
 */
static void add_vmgenid(struct bytes *b, const struct pc_platform *p)
{
    size_t dev = begin_named_device(b, "VGEN", "VMGC0001");
    aml_name(b, "_CID");
    aml_string(b, "VM_Gen_Counter");
    aml_name(b, "ADDR");
    const size_t address = aml_package(b, 2);
    aml_integer(b, p->gpa);
    aml_integer(b, 0);
    aml_end(b, address);
    aml_end(b, dev);

    dev = begin_named_device(b, "GEDV", "ACPI0013");
    aml_name_integer(b, "_UID", 1);
    const size_t crs = aml_crs(b);
    aml_interrupt(b, AML_INT_LEVEL | AML_INT_SHARED, p->gsi);
    aml_crs_end(b, crs);
    const size_t method = aml_method(b, "_EVT", 1, true);
    aml_op(b, AML_NOTIFY);
    aml_path(b, "VGEN");
    aml_integer(b, NOTIFY_CHANGED);
    aml_end(b, method);
    aml_end(b, dev);
}

static void add_power_button(struct bytes *b)
{
    const size_t dev = begin_device(b, "PWRB", "PNP0C0C");
    aml_name_integer(b, "_UID", 0);
    aml_end(b, dev);
}

/* The generic event device: one interrupt, a register that tells what happened. */
static void add_ged(struct bytes *b)
{
    const size_t dev = begin_named_device(b, "GED", "ACPI0013");
    aml_name_integer(b, "_UID", 0);
    const size_t crs = aml_crs(b);
    aml_interrupt(b, AML_INT_EDGE, PC_GSI_GED);
    aml_crs_end(b, crs);

    aml_register32(b, "EREG", "ESEL", PC_GED_GPA);
    const size_t method = aml_method(b, "_EVT", 1, true);
    aml_op(b, AML_STORE);
    aml_path(b, "ESEL");
    aml_local(b, 0);
    const size_t pressed = aml_if(b);
    aml_op(b, AML_AND);
    aml_local(b, 0);
    aml_integer(b, GED_POWER_BUTTON);
    aml_op(b, AML_NOWHERE);
    aml_op(b, AML_NOTIFY);
    aml_path(b, "PWRB");
    aml_integer(b, NOTIFY_PRESSED);
    aml_end(b, pressed);
    aml_end(b, method);
    aml_end(b, dev);
}

static void add_sleep_state(struct bytes *b, const char *name, unsigned type)
{
    aml_name(b, name);
    const size_t package = aml_package(b, 4);
    aml_integer(b, type);
    aml_integer(b, 0);
    aml_integer(b, 0);
    aml_integer(b, 0);
    aml_end(b, package);
}

void acpi_dsdt(struct bytes *b, const struct pc_inventory *has)
{
    const size_t scope = aml_scope(b, "\\_SB");
    if (has->com1) {
        add_com(b, 1, PC_PORT_COM1, PC_GSI_COM1);
    }
    if (has->com2) {
        add_com(b, 2, PC_PORT_COM2, PC_GSI_COM2);
    }
    if (has->rtc) {
        add_rtc(b);
    }
    if (has->pvpanic) {
        add_pvpanic(b);
    }
    add_power_button(b);
    add_ged(b);
    for (unsigned i = 0; i < has->virtio_count; i++) {
        add_virtio(b, &has->virtio[i]);
    }
    for (unsigned i = 0; i < has->platform_count; i++) {
        if (strcmp(has->platform[i].compatible, "microsoft,vmgenid") == 0) {
            add_vmgenid(b, &has->platform[i]);
        } else {
            add_platform(b, i, &has->platform[i]);
        }
    }
    if (has->pci) {
        acpi_dsdt_pci(b, has);
    }
    aml_end(b, scope);
    if (has->pm) {
        add_sleep_state(b, "\\_S3", SLEEP_S3);
    }
    add_sleep_state(b, "\\_S5", SLEEP_S5);
}
