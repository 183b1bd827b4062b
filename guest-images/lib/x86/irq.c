/*
 * Interrupts of devices, as guest.h has them: each line or message gets a
 * vector, whose handler signals the end of interrupt to the local APIC.
 * Source: Intel SDM volume 3, section 10.11 (messages).
 */
#include "guest.h"
#include "start.h"
#include "x86.h"

#define GSI_COUNT     24
#define MSI_ADDRESS   0xfee00000UL
#define MSI_CPU_SHIFT 12

/* KVM's local APIC timer runs at 1 GHz. */
#define LAPIC_TICKS_PER_US 1000

static struct {
    irq_handler *handler;
    void *arg;
} attached[VECTOR_COUNT];

static unsigned vector_of_gsi[GSI_COUNT]; /* 0: none yet */

static void on_vector(struct trap_frame *frame)
{
    attached[frame->vector].handler(attached[frame->vector].arg);
    lapic_eoi();
}

static unsigned new_vector(void)
{
    static unsigned next = VECTOR_ATTACHED;
    if (next == VECTOR_ATTACHED) {
        lapic_enable();
    }
    CHECK(next < VECTOR_SPURIOUS);
    trap_set(next, on_vector);
    return next++;
}

static void attach(unsigned gsi, bool level, irq_handler *handler, void *arg)
{
    CHECK(gsi < GSI_COUNT);
    if (vector_of_gsi[gsi] == 0) {
        vector_of_gsi[gsi] = new_vector();
    }
    attached[vector_of_gsi[gsi]].handler = handler;
    attached[vector_of_gsi[gsi]].arg = arg;
    ioapic_route(gsi, vector_of_gsi[gsi], level);
}

void irq_attach_line(unsigned gsi, irq_handler *handler, void *arg)
{
    attach(gsi, true, handler, arg);
}

void irq_attach_edge(unsigned gsi, irq_handler *handler, void *arg)
{
    attach(gsi, false, handler, arg);
}

void irq_detach_line(unsigned gsi)
{
    ioapic_mask(gsi);
}

bool irq_has_messages(void)
{
    return true;
}

struct irq_message irq_attach_message(unsigned requester, irq_handler *handler, void *arg)
{
    (void)requester; /* the message names a vector: who sends it does not matter */
    const unsigned vector = new_vector();
    attached[vector].handler = handler;
    attached[vector].arg = arg;
    return (struct irq_message){MSI_ADDRESS | cpu_id() << MSI_CPU_SHIFT, vector};
}

void timer_start(unsigned us, bool periodic, irq_handler *handler, void *arg)
{
    static unsigned vector;
    if (vector == 0) {
        vector = new_vector();
    }
    attached[vector].handler = handler;
    attached[vector].arg = arg;
    lapic_timer_start(vector, us * LAPIC_TICKS_PER_US, periodic);
}

void timer_stop(void)
{
    lapic_timer_stop();
}
