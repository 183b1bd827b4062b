/*
 * A level line that devices share. Its first rises and falls are KVM_IRQ_LINE. One that
 * is used more is delivered by irqfd with resampling: raising it is a write to an
 * eventfd, and no ioctl, but KVM waits for a grace period of the kernel when it is
 * told of the eventfd, and again at the VM's end.
 *
 *     a source rises         the OR rises: write the eventfd; KVM raises the line
 *     a source falls         nothing, as far as KVM is concerned
 *     end of interrupt       KVM lowers the line and writes the resample eventfd;
 *                            the main loop wakes, and where the OR is high, writes
 *                            the eventfd again
 *
 * No interrupt is lost. KVM lowers the line before it tells; the main loop reads
 * the resample eventfd before it looks at the OR; and both a rise and that
 * look hold the OR's lock. So while the OR is high, either the line is, or an eventfd
 * that will raise it has been written: at the rise, or after the last end of interrupt.
 * And nothing piles up: an eventfd is a counter.
 *
 * The one difference a guest can see: a line that rises and falls before the
 * guest took the interrupt (masked at the IOAPIC, or polled instead) stays asserted
 * until the next end of interrupt; so does one that the main loop raises again just
 * while the guest acknowledges. The guest gets an interrupt for which no device
 * has a reason, as shared lines may have anyway.
 *
 * At a machine reset the devices fall and the interrupt controllers forget what was
 * asserted; KVM may still have the line high, which the next rise and end of
 * interrupt put right.
 *
 * Where KVM cannot resample (KVM_CAP_IRQFD_RESAMPLE), KVM_IRQ_LINE drives the line.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, 4.75 KVM_IRQFD.
 * Locking: sources from any thread; the rest on the main thread.
 */
#ifndef KVM_LEVEL_H
#define KVM_LEVEL_H

#include "src/irq.h"
#include "src/kvm/irqchip.h"
#include "src/loop.h"

#include <stdbool.h>

struct level_line {
    struct irqchip *chip;
    struct loop *loop;
    struct irq_or gate; /* its lock guards fd and bound */
    unsigned gsi;
    unsigned sources;
    int fd;         /* raises the line; -1: KVM cannot resample */
    bool bound;     /* KVM watches fd */
    unsigned rises; /* before that */
    struct loop_fd resample;
};

/* Rises by ioctl; the next is by irqfd, and all that follow. */
#define LEVEL_FEW_RISES 8

/* loop is the main loop. Costs KVM nothing yet. -EMFILE and the like. */
int level_line_init(struct level_line *l, struct irqchip *chip, struct loop *loop, unsigned gsi,
                    struct err *e);
/* KVM's side goes with the VM. */
void level_line_destroy(struct level_line *l);

/* One more source. -ENOSPC: it has IRQ_OR_MAX. */
int level_line_source(struct level_line *l, struct irq *out, struct err *e);

#endif
