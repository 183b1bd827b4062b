/*
 * Platform devices. See platform.h.
 */
#include "devices/platform.h"

#include <errno.h>
#include <stdlib.h>

struct platform_slot {
    uint64_t gpa;
    unsigned gsi;
    struct irq irq;
    uint32_t raised; /* bit per vector; the line is their OR */
};

static struct platform_slot *slot_of(const struct device *d)
{
    return d->slot;
}

static int realize(struct device *d, struct err *e)
{
    struct platform_slot *s = slot_of(d);
    int ret = d->env->irq_level_get(d->env->opaque, s->gsi, &s->irq, e);
    return ret < 0 ? ret : device_map_block(d, 0, d->env->mem_root, s->gpa, NULL, e);
}

static void drive(struct platform_slot *s, uint32_t raised)
{
    s->raised = raised;
    irq_set(&s->irq, raised != 0);
}

static void raise(struct device *d, unsigned vector)
{
    drive(slot_of(d), slot_of(d)->raised | 1u << vector);
}

static void lower(struct device *d, unsigned vector)
{
    drive(slot_of(d), slot_of(d)->raised & ~(1u << vector));
}

static void reset(struct device *d)
{
    drive(slot_of(d), 0);
}

static void unplug(struct device *d)
{
    drive(slot_of(d), 0);
    free(d->slot);
    d->slot = NULL;
}

/* Nothing stands between it and memory. */
static bool may_dma(const struct device *d)
{
    (void)d;
    return true;
}

static int loaded(struct device *d, struct err *e)
{
    (void)e;
    drive(slot_of(d), slot_of(d)->raised);
    return 0;
}

static const struct field fields[] = {FIELD(struct platform_slot, raised, 1)};

static const struct device_bus platform_bus = {
    .name = "mmio",
    .realize = realize,
    .unplug = unplug,
    .reset = reset,
    .raise = raise,
    .lower = lower,
    .may_dma = may_dma,
    .fields = TABLE(fields),
    .loaded = loaded,
    .version = 1,
};

int platform_plug(struct device *d, uint64_t gpa, unsigned gsi, struct err *e)
{
    struct platform_slot *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ENOMEM, "cannot plug in %s, out of memory", d->id);
    }
    *s = (struct platform_slot){.gpa = gpa, .gsi = gsi};
    d->bus = &platform_bus;
    d->slot = s;
    return 0;
}

bool platform_plugged(const struct device *d)
{
    return d->bus == &platform_bus;
}

uint64_t platform_gpa(const struct device *d)
{
    return slot_of(d)->gpa;
}

unsigned platform_gsi(const struct device *d)
{
    return slot_of(d)->gsi;
}
