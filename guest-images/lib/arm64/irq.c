/*
 * Interrupts of devices and of the CPU's timer, as guest.h has them.
 * Sources: Arm ARM D11 (generic timer), Arm DEN 0047 (GICv2m).
 */
#include "internal.h"
#include "virt.h"

#define GSIS     256
#define MESSAGES 32

/* The frame of a GICv2m. */
#define V2M_TYPER   0x008 /* the first interrupt in bits 25:16, how many in 9:0 */
#define V2M_TRIGGER 0x040

#define TIMER_ON 1

struct attached {
    irq_handler *handler;
    void *arg;
};

static struct attached lines[GSIS], messages[MESSAGES], timer;
static uint64_t timer_period; /* ticks; 0: once */

static void timer_set(uint64_t ticks, uint64_t control)
{
    __asm__ volatile("msr cntv_tval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb" ::"r"(ticks),
                     "r"(control));
}

/* The line of the timer is high while it has run out: it is set anew, or stopped. */
static void on_timer(void)
{
    timer_set(timer_period, timer_period != 0 ? TIMER_ON : 0);
    timer.handler(timer.arg);
}

void irq_dispatch(void)
{
    const unsigned intid = gic_acknowledge();
    const struct attached *to = NULL;
    if (intid == INTID_VIRTUAL_TIMER) {
        on_timer();
    } else if (intid >= INTID_LPI && intid - INTID_LPI < MESSAGES) {
        to = &messages[intid - INTID_LPI];
    } else if (intid >= INTID_GSI && intid - INTID_GSI < GSIS) {
        to = &lines[intid - INTID_GSI];
    } else {
        return; /* spurious */
    }
    if (to != NULL) {
        CHECK(to->handler != NULL);
        to->handler(to->arg);
    }
    gic_end(intid);
}

static void attach(unsigned gsi, bool level, irq_handler *handler, void *arg)
{
    CHECK(gsi < GSIS);
    gic_init();
    lines[gsi] = (struct attached){handler, arg};
    gic_enable(INTID_GSI + gsi, level);
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
    gic_disable(INTID_GSI + gsi);
}

bool irq_has_messages(void)
{
    return its_present() || fdt_compatible("arm,gic-v2m-frame", 0) != NULL;
}

/* On a GICv2 a message is a shared interrupt, which the data names. */
static struct irq_message v2m_message(unsigned n, irq_handler *handler, void *arg)
{
    fdt_node *node = fdt_compatible("arm,gic-v2m-frame", 0);
    CHECK(node != NULL);
    const uintptr_t frame = fdt_reg(node, 0);
    const unsigned intid = (mmio_read32(frame + V2M_TYPER) >> 16 & 0x3ff) + n;
    attach(intid - INTID_GSI, false, handler, arg);
    return (struct irq_message){frame + V2M_TRIGGER, intid};
}

struct irq_message irq_attach_message(unsigned requester, irq_handler *handler, void *arg)
{
    static unsigned next;
    const unsigned n = next++;
    CHECK(n < MESSAGES);
    gic_init();
    if (!its_present()) {
        return v2m_message(n, handler, arg);
    }
    messages[n] = (struct attached){handler, arg};
    return its_message(requester, n);
}

void timer_start(unsigned us, bool periodic, irq_handler *handler, void *arg)
{
    uint64_t hz;
    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    const uint64_t ticks = hz * us / 1000000;
    gic_init();
    timer = (struct attached){handler, arg};
    timer_period = periodic ? ticks : 0;
    gic_enable(INTID_VIRTUAL_TIMER, true);
    timer_set(ticks, TIMER_ON);
}

void timer_stop(void)
{
    timer_set(0, 0);
}
