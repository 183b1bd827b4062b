/*
 * acpi-pm: power-off, reset and power button of a hardware-reduced ACPI machine.
 *
 * Model: ACPI 6.4 section 4.8.3.7 (sleep control and status registers), 4.8.3.6
 * (reset register) and 5.6.9 (interrupt-signaled events, the Generic Event
 * Device); addresses, register layout and reset value as in QEMU's microvm
 * (hw/acpi/generic_event_device.c). The FADT points at the registers, the
 * DSDT's GED method reads the selector and notifies the button.
 *
 * Locking: the device's own.
 */
#include "devices/acpi_pm.h"

enum {
    GED_POWER_BUTTON = 2, /* bit of the selector */
};

enum {
    REG_SLEEP_CONTROL,
    REG_SLEEP_STATUS,
    REG_RESET,
};

#define POWER_SIZE 4 /* no access splits over the end of the three registers */

#define SLEEP_TYPE(value) ((value) >> 2 & 7)
#define SLEEP_ENABLE      0x20
#define SLEEP_TYPE_S5     5
#define RESET_VALUE       0x42

struct acpi_pm {
    struct device dev;
    uint64_t selector_base;
    uint64_t register_base;
    uint32_t irq;
    uint32_t pending; /* GED events not yet read */
    struct irq line;
};

/* An edge. No irqfd: events are rare, and each irqfd costs every machine some of its end. */
static void interrupt(struct acpi_pm *p)
{
    irq_set(&p->line, true);
    irq_set(&p->line, false);
}

void acpi_ged_power_button(struct device *d)
{
    struct acpi_pm *p = DEVICE_STATE(struct acpi_pm, d);
    device_lock(d);
    p->pending |= GED_POWER_BUTTON;
    interrupt(p);
    device_unlock(d);
}

static uint64_t selector_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    struct acpi_pm *p = DEVICE_STATE(struct acpi_pm, d);
    uint32_t pending = p->pending;
    p->pending = 0;
    return pending;
}

static uint64_t power_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)offset, (void)size;
    return 0;
}

static void sleep_control_write(struct device *d, uint64_t value)
{
    if (!(value & SLEEP_ENABLE)) {
        return;
    }
    if (SLEEP_TYPE(value) == SLEEP_TYPE_S5) {
        d->env->event(d->env->opaque, MACHINE_POWEROFF, 0);
    } else {
        guest_error(&d->guest_errors, "%s: sleep type %u is not offered", d->id,
                    (unsigned)SLEEP_TYPE(value));
    }
}

static void power_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    if (offset == REG_SLEEP_CONTROL) {
        sleep_control_write(d, value);
    } else if (offset == REG_RESET && value == RESET_VALUE) {
        d->env->event(d->env->opaque, MACHINE_REBOOT, 0);
    }
}

static const struct reg selector_regs[] = {
    {"selector", 0, 4, 4, REG_RO, 0,
     "events since the last read, which clears them: 2 power button"},
};
static const struct reg power_regs[] = {
    {"sleep_control", REG_SLEEP_CONTROL, 1, 1, REG_RW, 0, "bits 4:2 type (5 off), 0x20 enable"},
    {"sleep_status", REG_SLEEP_STATUS, 1, 1, REG_RW, 0, "0x80 wake (never set; writes ignored)"},
    {"reset", REG_RESET, 1, 1, REG_RW, 0, "0x42 resets the machine"},
};

static const struct reg_block acpi_pm_blocks[] = {
    {
        .name = "ged",
        .size = 4,
        .regs = TABLE(selector_regs),
        .read = selector_read,
    },
    {
        .name = "power",
        .size = POWER_SIZE,
        .regs = TABLE(power_regs),
        .read = power_read,
        .write = power_write,
    },
};

static const struct prop acpi_pm_props[] = {
    PROP(struct acpi_pm, selector_base, PROP_U64, "0xfea00000", 0, 0, "address of the selector"),
    PROP(struct acpi_pm, register_base, PROP_U64, "0xfea00200", 0, 0, "address of the registers"),
    PROP(struct acpi_pm, irq, PROP_U32, "9", 0, 0, "GSI of events (edge)"),
};

static int acpi_pm_realize(struct device *d, struct err *e)
{
    struct acpi_pm *p = DEVICE_STATE(struct acpi_pm, d);
    int ret = device_map_block(d, 0, d->env->mem_root, p->selector_base, NULL, e);
    if (ret < 0) {
        return ret;
    }
    ret = device_map_block(d, 1, d->env->mem_root, p->register_base, NULL, e);
    if (ret < 0) {
        return ret;
    }
    p->line = d->env->irq(d->env->opaque, p->irq);
    return 0;
}

static void acpi_pm_reset(struct device *d)
{
    DEVICE_STATE(struct acpi_pm, d)->pending = 0;
}

/* The interrupt of an event that is unread may have been lost on the way: once more is harmless. */
static void acpi_pm_resume(struct device *d)
{
    struct acpi_pm *p = DEVICE_STATE(struct acpi_pm, d);
    if (p->pending != 0) {
        interrupt(p);
    }
}

static const struct field acpi_pm_fields[] = {
    FIELD(struct acpi_pm, pending, 1),
};

const struct device_class acpi_pm_class = {
    .name = "acpi-pm",
    .summary = "ACPI sleep and reset registers, power button events",
    .state_size = sizeof(struct acpi_pm),
    .props = TABLE(acpi_pm_props),
    .blocks = TABLE(acpi_pm_blocks),
    .fields = TABLE(acpi_pm_fields),
    .version = 1,
    .internal = true,
    .realize = acpi_pm_realize,
    .reset = acpi_pm_reset,
    .resume = acpi_pm_resume,
};
