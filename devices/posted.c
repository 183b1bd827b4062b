/*
 * Posted writes. See posted.h.
 */
#include "devices/posted.h"

#define TICK_MS 20

static void drain_ring(const struct posted *p)
{
    p->dev->env->drain_posted(p->dev->env->opaque);
}

static void arm(struct posted *p)
{
    timer_arm(&p->drain, clock_now(p->dev->env->clock) + TICK_MS * NS_PER_MS);
}

static void begin(struct posted *p)
{
    if (region_add_posted(p->region, &p->write) < 0) {
        region_del_posted(p->region, &p->write);
        return;
    }
    p->on = true;
    if (p->rule->idle_ms != 0) {
        arm(p);
    }
}

static void end(struct posted *p)
{
    timer_cancel(&p->drain);
    region_del_posted(p->region, &p->write);
    p->on = false;
    drain_ring(p);
}

static void change(void *opaque)
{
    struct posted *p = opaque;
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
    struct posted *p = opaque;
    drain_ring(p);
    device_lock(p->dev);
    p->idle_ms = p->active ? 0 : p->idle_ms + TICK_MS;
    p->active = false;
    if (p->idle_ms >= p->rule->idle_ms) {
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

void posted_init(struct posted *p, struct device *d, struct region *region,
                 const struct posted_rule *rule, bool enabled)
{
    p->dev = d;
    p->rule = rule;
    p->write =
        (struct posted_write){.kind = POSTED_COALESCED, .offset = rule->offset, .size = rule->size};
    bh_init(&p->change, d->env->loop, change, p);
    timer_init(&p->drain, d->env->loop, tick, p);
    p->region = enabled && d->env->drain_posted != NULL ? region : NULL;
}

void posted_fini(struct posted *p)
{
    bh_cancel(&p->change);
    if (p->on) {
        end(p);
    }
}

void posted_count(struct posted *p)
{
    p->active = true;
    if (p->region != NULL && !p->wanted && ++p->run >= p->rule->after) {
        p->wanted = true;
        p->idle_ms = 0;
        bh_schedule(&p->change);
    }
}

void posted_stop(struct posted *p)
{
    p->run = 0;
    if (p->wanted) {
        p->wanted = false;
        bh_schedule(&p->change);
    }
}
