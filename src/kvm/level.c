/*
 * Shared level lines behind irqfd: see level.h.
 */
#include "src/kvm/level.h"

#include "src/base/log.h"
#include "src/base/trace.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* At a rise, so the line is low. A KVM that refuses now gets its ioctls for good. */
static void bind_line(struct level_line *l)
{
    const int ret = irqchip_bind(l->chip, l->gsi, l->fd, l->resample.fd);
    l->bound = ret == 0;
    if (ret < 0) {
        log_warn("KVM refused an irqfd for interrupt %u, which will be slower: %s", l->gsi,
                 strerror(-ret));
        close(l->fd);
        l->fd = -1;
    }
}

/* The OR's target; its lock is held. */
static void drive(void *opaque, unsigned gsi, bool level)
{
    struct level_line *l = opaque;
    if (level && l->fd >= 0 && !l->bound && l->rises++ == LEVEL_FEW_RISES) {
        bind_line(l);
    }
    if (!l->bound) {
        const struct irq line = irqchip_line(l->chip, gsi);
        irq_set(&line, level);
    } else if (level) {
        trace(TRACE_kvm_irq, "gsi %u level 1", gsi);
        eventfd_write(l->fd, 1);
    }
}

/* The guest has ended an interrupt, and KVM has lowered the line. */
static void on_resample(void *opaque, uint32_t events)
{
    struct level_line *l = opaque;
    eventfd_t count;
    (void)events;
    eventfd_read(l->resample.fd, &count);
    irq_or_repeat(&l->gate);
}

static int open_eventfds(struct level_line *l, struct err *e)
{
    l->fd = irqchip_eventfd(l->gsi, e);
    if (l->fd < 0) {
        return l->fd;
    }
    int ret = irqchip_eventfd(l->gsi, e);
    if (ret >= 0) {
        l->resample = (struct loop_fd){.fd = ret, .ready = on_resample, .opaque = l};
        ret = loop_add_fd(l->loop, &l->resample, EPOLLIN);
        if (ret == 0) {
            return 0;
        }
        close(l->resample.fd);
        err_set(e, -ret, "cannot watch interrupt %u: %s", l->gsi, strerror(-ret));
    }
    close(l->fd);
    return ret;
}

int level_line_init(struct level_line *l, struct irqchip *chip, struct loop *loop, unsigned gsi,
                    struct err *e)
{
    *l = (struct level_line){.chip = chip, .loop = loop, .gsi = gsi, .fd = -1, .resample.fd = -1};
    if (kvm_check_cap(chip->kvm, KVM_CAP_IRQFD_RESAMPLE) > 0) {
        const int ret = open_eventfds(l, e);
        if (ret < 0) {
            return ret;
        }
    }
    irq_or_init(&l->gate, (struct irq){.set = drive, .opaque = l, .n = gsi});
    return 0;
}

void level_line_destroy(struct level_line *l)
{
    if (l->resample.fd >= 0) {
        loop_del_fd(l->loop, &l->resample);
        close(l->resample.fd);
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
}

int level_line_source(struct level_line *l, struct irq *out, struct err *e)
{
    if (l->sources == IRQ_OR_MAX) {
        return err_set(e, ENOSPC, "interrupt %u has %u devices already", l->gsi, IRQ_OR_MAX);
    }
    *out = irq_or_source(&l->gate, l->sources++);
    return 0;
}
