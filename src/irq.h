/*
 * Interrupt lines. A device knows only a struct irq; what stands behind it (a
 * KVM GSI, a shared line, a fake in a test) is the owner's matter.
 */
#ifndef IRQ_H
#define IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct irq {
    void (*set)(void *opaque, unsigned n, bool level);
    void *opaque;
    unsigned n; /* the GSI, or whatever the owner numbers by */
};

/* Drive a level line. Any thread. Setting the level it has is harmless. */
static inline void irq_set(const struct irq *irq, bool level)
{
    if (irq->set != NULL) {
        irq->set(irq->opaque, irq->n, level);
    }
}

/*
 * Several sources on one level line: the line is the OR of them. Each source
 * is a struct irq made by irq_or_source(); the target is told only of changes.
 */
#define IRQ_OR_MAX 64
struct irq_or {
    struct irq target;
    pthread_mutex_t lock; /* orders the calls of target.set */
    uint64_t levels;      /* bit per source */
};

void irq_or_init(struct irq_or *o, struct irq target);
/* source: 0..IRQ_OR_MAX-1, one for each device. */
struct irq irq_or_source(struct irq_or *o, unsigned source);
/* Raise the target again if the line is high: something else lowered it. */
void irq_or_repeat(struct irq_or *o);

/*
 * An edge source that any thread can trigger by writing 1 to an eventfd, so that
 * KVM's irqfd can deliver it without this process's help. Where no irqfd stands
 * behind it (fd < 0) the pulse goes through irq.
 */
struct irq_edge {
    int fd;
    struct irq irq;
};

void irq_edge_pulse(const struct irq_edge *e);

/* A message-signalled interrupt: each pulse of the edge sends its message (device_env.msi_get). */
struct irq_msi {
    struct irq_edge edge;
    unsigned gsi; /* the owner's number of it */
};

#endif
