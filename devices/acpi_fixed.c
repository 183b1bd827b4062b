/*
 * acpi-fixed: the fixed hardware of an ACPI machine that is not hardware-reduced: PM1
 * event and control registers, the power management timer, sleep.
 *
 * Model: ACPI 6.4 section 4.8.3.1 to 4.8.3.3, ports as on QEMU's PCs:
 *
 *     600 PM1 status, 602 PM1 enable   604 PM1 control   608 timer
 *
 * The timer has 24 bits and counts at 3.579545 MHz; nothing ticks, it is the machine's
 * clock. Events here are the timer's carry and the RTC's alarm; status & enable is the
 * level of the SCI. ACPI mode is always on (SCI_EN reads 1, there is no SMI).
 *
 * Sleep types, written to control with SLP_EN: 1 is S3 (RAM stays, an enabled event
 * wakes the machine: all else is reset, and the processor starts at the waking vector),
 * 0 (as on QEMU's PCs) and 5 (as the DSDT says) are S5, off.
 *
 * Locking: the device's own; timer and alarm take it on the main loop.
 */
#include "devices/acpi_fixed.h"

#include <errno.h>

enum {
    EVENT_PORT = 0x600,
    CONTROL_PORT = 0x604,
    TIMER_PORT = 0x608,
};

enum {
    PM1_STATUS = 0, /* offsets in the event block */
    PM1_ENABLE = 2,
};

enum { /* in status and, but for the last, in enable */
       PM1_TIMER = 0x0001,
       PM1_GLOBAL = 0x0020,
       PM1_POWER_BUTTON = 0x0100,
       PM1_SLEEP_BUTTON = 0x0200,
       PM1_RTC = 0x0400,
       PM1_EVENTS = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC,
       PM1_WAKE = 0x8000,
};

enum {
    CONTROL_SCI_EN = 0x0001,
    CONTROL_BM_RLD = 0x0002,
    CONTROL_SLP_TYP = 0x1c00,
    CONTROL_SLP_EN = 0x2000,
};

#define SLEEP_TYPE(control) ((control) >> 10 & 7)
enum {
    SLEEP_OFF = 0,
    SLEEP_S3 = 1,
    SLEEP_S5 = 5,
};

#define TIMER_HZ   3579545ULL
#define TIMER_BITS 24
#define CARRY_BIT  (TIMER_BITS - 1) /* its changes set PM1_TIMER */

struct acpi_fixed {
    struct device dev;
    uint32_t irq;
    uint16_t status;
    uint16_t enable;
    uint16_t control;
    bool asleep;
    bool waking;    /* the reset that comes is not a power-on */
    uint64_t carry; /* the timer's ticks >> CARRY_BIT when status was last worked out */
    struct irq sci;
    struct timer timer; /* to the next carry, while it is enabled */
    struct bh alarm;
};

/* --- events ------------------------------------------------------------------- */

static uint64_t ticks(const struct acpi_fixed *p)
{
    const uint64_t ns = clock_now(p->dev.env->clock);

    return ns / NS_PER_SEC * TIMER_HZ + ns % NS_PER_SEC * TIMER_HZ / NS_PER_SEC;
}

/* Machine time of a tick, rounded up. */
static uint64_t tick_ns(uint64_t tick)
{
    const uint64_t part = tick % TIMER_HZ * NS_PER_SEC;

    return tick / TIMER_HZ * NS_PER_SEC + (part + TIMER_HZ - 1) / TIMER_HZ;
}

/* After a change of status or enable: the SCI's level, and whether the machine wakes up. */
static void update(struct acpi_fixed *p)
{
    const bool event = (p->status & p->enable & PM1_EVENTS) != 0;

    irq_set(&p->sci, event);
    if (event && p->asleep) {
        p->asleep = false;
        p->waking = true;
        p->dev.env->event(p->dev.env->opaque, MACHINE_WAKE, 0);
    }
}

static void catch_up(struct acpi_fixed *p)
{
    const uint64_t carry = ticks(p) >> CARRY_BIT;

    p->status |= carry != p->carry ? PM1_TIMER : 0;
    p->carry = carry;
    update(p);
    if ((p->enable & ~p->status & PM1_TIMER) != 0) {
        timer_arm(&p->timer, tick_ns((carry + 1) << CARRY_BIT));
    } else {
        timer_cancel(&p->timer);
    }
}

static void carry_due(void *opaque)
{
    struct acpi_fixed *p = opaque;

    device_lock(&p->dev);
    catch_up(p);
    device_unlock(&p->dev);
}

static void alarm_came(void *opaque)
{
    struct acpi_fixed *p = opaque;

    device_lock(&p->dev);
    p->status |= PM1_RTC;
    update(p);
    device_unlock(&p->dev);
}

struct bh *acpi_fixed_alarm(struct device *d)
{
    return &DEVICE_STATE(struct acpi_fixed, d)->alarm;
}

/* --- registers ------------------------------------------------------------------ */

static uint64_t event_read(struct device *d, uint32_t offset, unsigned size)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    (void)size;
    catch_up(p);
    return offset == PM1_STATUS ? p->status : p->enable;
}

static void event_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    (void)size;
    catch_up(p);
    if (offset == PM1_STATUS) {
        p->status &= (uint16_t)~value;
    } else {
        p->enable = (uint16_t)value & PM1_EVENTS;
    }
    catch_up(p);
}

static uint64_t control_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return DEVICE_STATE(struct acpi_fixed, d)->control | CONTROL_SCI_EN;
}

static void fall_asleep(struct acpi_fixed *p)
{
    struct device *d = &p->dev;
    const unsigned type = SLEEP_TYPE(p->control);

    if (type == SLEEP_S3) {
        p->asleep = true;
        d->env->event(d->env->opaque, MACHINE_SLEEP, 0);
        catch_up(p);
    } else if (type == SLEEP_OFF || type == SLEEP_S5) {
        d->env->event(d->env->opaque, MACHINE_POWEROFF, 0);
    } else {
        guest_error(&d->guest_errors, "%s: sleep type %u is not offered", d->id, type);
    }
}

static void control_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    (void)offset, (void)size;
    p->control = (uint16_t)value & (CONTROL_BM_RLD | CONTROL_SLP_TYP);
    if ((value & CONTROL_SLP_EN) != 0) {
        fall_asleep(p);
    }
}

static uint64_t timer_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ticks(DEVICE_STATE(struct acpi_fixed, d)) & ((1U << TIMER_BITS) - 1);
}

static const struct reg event_regs[] = {
    {"pm1_status", PM1_STATUS, 2, 2, REG_RW, 0,
     "0x1 timer carry, 0x400 RTC alarm, 0x8000 woken up; write 1 to clear"},
    {"pm1_enable", PM1_ENABLE, 2, 2, REG_RW, 0, "which of these events raise the SCI, or wake"},
};
static const struct reg control_regs[] = {
    {"pm1_control", 0, 2, 2, REG_RW, CONTROL_SCI_EN,
     "bit 0: ACPI mode (always 1); 12:10 sleep type (1 S3, 0 and 5 off), bit 13: enter it"},
};
static const struct reg timer_regs[] = {
    {"timer", 0, 4, 4, REG_RO, 0, "24 bits at 3.579545 MHz"},
};

static const struct reg_block acpi_fixed_blocks[] = {
    {
        .name = "event",
        .size = 4,
        .regs = TABLE(event_regs),
        .read = event_read,
        .write = event_write,
    },
    {
        .name = "control",
        .size = 2,
        .regs = TABLE(control_regs),
        .read = control_read,
        .write = control_write,
    },
    {
        .name = "timer",
        .size = 4,
        .regs = TABLE(timer_regs),
        .read = timer_read,
    },
};

/* --- class ------------------------------------------------------------------------ */

static const struct prop acpi_fixed_props[] = {
    PROP(struct acpi_fixed, irq, PROP_U32, "7", 0, 0, "GSI of the SCI (level)"),
};

static int acpi_fixed_realize(struct device *d, struct err *e)
{
    static const uint16_t ports[] = {EVENT_PORT, CONTROL_PORT, TIMER_PORT};
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        const int ret = device_map_block(d, i, d->env->io_root, ports[i], NULL, e);
        if (ret < 0) {
            return ret;
        }
    }
    p->sci = d->env->irq(d->env->opaque, p->irq);
    timer_init(&p->timer, d->env->loop, carry_due, p);
    bh_init(&p->alarm, d->env->loop, alarm_came, p);
    return 0;
}

static void acpi_fixed_unrealize(struct device *d)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    timer_cancel(&p->timer);
    bh_cancel(&p->alarm);
    irq_set(&p->sci, false);
}

/* What woke the machine can still be read then. */
static void acpi_fixed_reset(struct device *d)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    p->status = p->waking ? p->status | PM1_WAKE : 0;
    p->enable = 0;
    p->control = 0;
    p->asleep = p->waking = false;
    p->carry = ticks(p) >> CARRY_BIT;
    timer_cancel(&p->timer);
    irq_set(&p->sci, false);
}

/* A machine that sleeps is not saved: it cannot say that it is ready. */
static int acpi_fixed_loaded(struct device *d, struct err *e)
{
    struct acpi_fixed *p = DEVICE_STATE(struct acpi_fixed, d);

    if (p->asleep || p->waking) {
        return err_set(e, EINVAL, "the machine was asleep");
    }
    p->status &= PM1_EVENTS | PM1_WAKE;
    p->enable &= PM1_EVENTS;
    p->control &= CONTROL_BM_RLD | CONTROL_SLP_TYP;
    catch_up(p);
    return 0;
}

static const struct field acpi_fixed_fields[] = {
    FIELD(struct acpi_fixed, status, 1),  FIELD(struct acpi_fixed, enable, 1),
    FIELD(struct acpi_fixed, control, 1), FIELD(struct acpi_fixed, asleep, 1),
    FIELD(struct acpi_fixed, waking, 1),  FIELD(struct acpi_fixed, carry, 1),
};

const struct device_class acpi_fixed_class = {
    .name = "acpi-fixed",
    .summary = "ACPI fixed hardware: PM1 registers, timer, sleep and wake-up",
    .state_size = sizeof(struct acpi_fixed),
    .props = TABLE(acpi_fixed_props),
    .blocks = TABLE(acpi_fixed_blocks),
    .fields = TABLE(acpi_fixed_fields),
    .version = 1,
    .internal = true,
    .realize = acpi_fixed_realize,
    .unrealize = acpi_fixed_unrealize,
    .reset = acpi_fixed_reset,
    .loaded = acpi_fixed_loaded,
};
