/*
 * Interrupt lines: see irq.h.
 */
#include "src/irq.h"

#include <sys/eventfd.h>

static void or_set(void *opaque, unsigned source, bool level)
{
    struct irq_or *o = opaque;
    uint64_t bit = 1ULL << source;
    pthread_mutex_lock(&o->lock);
    bool before = o->levels != 0;
    o->levels = level ? o->levels | bit : o->levels & ~bit;
    bool after = o->levels != 0;
    if (after != before) {
        irq_set(&o->target, after);
    }
    pthread_mutex_unlock(&o->lock);
}

void irq_or_init(struct irq_or *o, struct irq target)
{
    o->target = target;
    o->levels = 0;
    pthread_mutex_init(&o->lock, NULL);
}

struct irq irq_or_source(struct irq_or *o, unsigned source)
{
    return (struct irq){.set = or_set, .opaque = o, .n = source};
}

void irq_or_repeat(struct irq_or *o)
{
    pthread_mutex_lock(&o->lock);
    if (o->levels != 0) {
        irq_set(&o->target, true);
    }
    pthread_mutex_unlock(&o->lock);
}

void irq_edge_pulse(const struct irq_edge *e)
{
    if (e->fd >= 0) {
        /* Fails only when 2^64-2 pulses wait undelivered; KVM drains it at once. */
        (void)eventfd_write(e->fd, 1);
        return;
    }
    irq_set(&e->irq, true);
    irq_set(&e->irq, false);
}
