/*
 * The DSDT: devices a guest cannot probe, power-off, the power button. Sources:
 * ACPI specification 6.4 (5.6.9 generic event device, 7.4.2 \_Sx); QEMU
 * hw/i386/acpi-microvm.c for the names a guest expects.
 *
 * In hardware-reduced mode Linux maps an ISA interrupt only for a device that
 * claims it in its _CRS, so COM1 and the RTC are here too.
 */
#include "src/arch/x86/acpi.h"
#include "src/arch/x86/aml.h"
#include "src/arch/x86/map.h"

#include <stdio.h>

#define GED_POWER_BUTTON 2 /* bit in the event selector */
#define NOTIFY_PRESSED   0x80
#define SLEEP_S5         5 /* what the sleep control register takes for "off" */

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

static void name_integer(struct bytes *b, const char *name, uint64_t value)
{
    aml_name(b, name);
    aml_integer(b, value);
}

static void add_com1(struct bytes *b)
{
    const size_t dev = begin_device(b, "COM1", "PNP0501");
    name_integer(b, "_UID", 1);
    const struct aml_resources crs = aml_crs(b);
    aml_io(b, PC_PORT_COM1, 8);
    aml_irq(b, PC_GSI_COM1);
    aml_resources_end(b, crs);
    aml_end(b, dev);
}

static void add_rtc(struct bytes *b)
{
    const size_t dev = begin_device(b, "RTC", "PNP0B00");
    const struct aml_resources crs = aml_crs(b);
    aml_io(b, PC_PORT_RTC, 2);
    aml_irq(b, PC_GSI_RTC);
    aml_resources_end(b, crs);
    aml_end(b, dev);
}

static void add_pvpanic(struct bytes *b)
{
    const size_t dev = begin_named_device(b, "PEVT", "QEMU0001");
    const struct aml_resources crs = aml_crs(b);
    aml_io(b, PC_PORT_PVPANIC, 1);
    aml_resources_end(b, crs);
    aml_end(b, dev);
}

/* The interrupt is an edge because KVM's irqfd delivers one per event; slots share pins. */
static void add_virtio(struct bytes *b, const struct acpi_virtio *v)
{
    char name[5];
    snprintf(name, sizeof(name), "VR%02X", v->slot & 0xff);
    const size_t dev = begin_named_device(b, name, "LNRO0005");
    name_integer(b, "_UID", v->slot);
    name_integer(b, "_CCA", 1);
    const struct aml_resources crs = aml_crs(b);
    aml_memory32(b, v->gpa, PC_VIRTIO_STRIDE);
    aml_interrupt(b, AML_INT_EDGE | AML_INT_SHARED, v->gsi);
    aml_resources_end(b, crs);
    aml_end(b, dev);
}

static void add_power_button(struct bytes *b)
{
    const size_t dev = begin_device(b, "PWRB", "PNP0C0C");
    name_integer(b, "_UID", 0);
    aml_end(b, dev);
}

/* The generic event device: one interrupt, a register that tells what happened. */
static void add_ged(struct bytes *b)
{
    const size_t dev = begin_named_device(b, "GED", "ACPI0013");
    name_integer(b, "_UID", 0);
    const struct aml_resources crs = aml_crs(b);
    aml_interrupt(b, AML_INT_EDGE, PC_GSI_GED);
    aml_resources_end(b, crs);

    aml_register32(b, "EREG", "ESEL", PC_GED_GPA);
    const size_t method = aml_method(b, "_EVT", 1, true);
    aml_store_local0(b, "ESEL");
    const size_t pressed = aml_if(b);
    aml_local0_and(b, GED_POWER_BUTTON);
    aml_notify(b, "PWRB", NOTIFY_PRESSED);
    aml_end(b, pressed);
    aml_end(b, method);
    aml_end(b, dev);
}

static void add_s5(struct bytes *b)
{
    aml_name(b, "\\_S5");
    const size_t package = aml_package(b, 4);
    aml_integer(b, SLEEP_S5);
    aml_integer(b, 0);
    aml_integer(b, 0);
    aml_integer(b, 0);
    aml_end(b, package);
}

void acpi_dsdt(struct bytes *b, const struct acpi_config *config)
{
    const size_t scope = aml_scope(b, "\\_SB");
    if (config->com1) {
        add_com1(b);
    }
    if (config->rtc) {
        add_rtc(b);
    }
    if (config->pvpanic) {
        add_pvpanic(b);
    }
    add_power_button(b);
    add_ged(b);
    for (size_t i = 0; i < config->virtio_count; i++) {
        add_virtio(b, &config->virtio[i]);
    }
    aml_end(b, scope);
    add_s5(b);
}
