/*
 * Posted transmission for a UART. See uart_posted.h.
 */
#include "devices/uart_posted.h"

#define POST_AFTER   16 /* bytes; the change costs KVM about as much as so many exits */
#define TICK_NS      (10 * NS_PER_MS)
#define TICKS_TO_END 10

static void drain_ring(const struct uart_posted *p)
{
    p->dev->env->drain_posted(p->dev->env->opaque);
}

static void arm(struct uart_posted *p)
{
    timer_arm(&p->drain, clock_now(p->dev->env->clock) + TICK_NS);
}

static void begin(struct uart_posted *p)
{
    if (region_add_posted(p->region, &p->write) < 0) {
        region_del_posted(p->region, &p->write);
        return;
    }
    p->on = true;
    arm(p);
}

static void end(struct uart_posted *p)
{
    timer_cancel(&p->drain);
    region_del_posted(p->region, &p->write);
    p->on = false;
    drain_ring(p);
}

static void change(void *opaque)
{
    struct uart_posted *p = opaque;
    device_lock(p->dev);
    bool wanted = p->wanted;
    device_unlock(p->dev);
    if (wanted && !p->on) {
        begin(p);
    } else if (!wanted && p->on) {
        end(p);
    }
}

static void tick(void *opaque)
{
    struct uart_posted *p = opaque;
    drain_ring(p);
    device_lock(p->dev);
    p->idle_ticks = p->active ? 0 : p->idle_ticks + 1;
    p->active = false;
    if (p->idle_ticks >= TICKS_TO_END) {
        p->wanted = false;
        p->run = 0;
    }
    bool wanted = p->wanted;
    device_unlock(p->dev);
    if (wanted) {
        arm(p);
    } else {
        end(p);
    }
}

void uart_posted_init(struct uart_posted *p, struct device *d, struct region *region, bool enabled)
{
    p->dev = d;
    p->write = (struct posted_write){.kind = POSTED_COALESCED, .offset = 0, .size = 1};
    bh_init(&p->change, d->env->loop, change, p);
    timer_init(&p->drain, d->env->loop, tick, p);
    p->region = enabled && d->env->drain_posted != NULL ? region : NULL;
}

void uart_posted_fini(struct uart_posted *p)
{
    bh_cancel(&p->change);
    if (p->on) {
        end(p);
    }
}

void uart_posted_byte(struct uart_posted *p)
{
    p->active = true;
    if (p->region != NULL && !p->wanted && ++p->run >= POST_AFTER) {
        p->wanted = true;
        p->idle_ticks = 0;
        bh_schedule(&p->change);
    }
}

void uart_posted_stop(struct uart_posted *p)
{
    p->run = 0;
    if (p->wanted) {
        p->wanted = false;
        bh_schedule(&p->change);
    }
}
