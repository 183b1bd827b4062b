/*
 * Sleeping with HLT until a timer interrupts: local APIC, once and periodic,
 * and the PIT through the IOAPIC.
 */
#include "guest.h"
#include "x86.h"

#define VECTOR_LAPIC VECTOR_DEVICE
#define VECTOR_PIT   (VECTOR_DEVICE + 1)
#define WAKE_UPS     5
#define TICKS        100000
#define PIT_RATE_HZ  2000

static volatile unsigned lapic_count, pit_count;

static void on_lapic(struct trap_frame *frame)
{
    (void)frame;
    lapic_count++;
    lapic_eoi();
}

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    pit_count++;
    lapic_eoi();
}

int guest_main(void)
{
    lapic_enable();
    trap_set(VECTOR_LAPIC, on_lapic);
    trap_set(VECTOR_PIT, on_pit);

    for (unsigned i = 1; i <= WAKE_UPS; i++) {
        lapic_timer_start(VECTOR_LAPIC, TICKS, false);
        wait_for_interrupt();
        CHECK_EQ(lapic_count, i);
    }
    print("timer: woken %u times, once each\n", lapic_count);

    lapic_timer_start(VECTOR_LAPIC, TICKS, true);
    while (lapic_count < 2 * WAKE_UPS) {
        wait_for_interrupt();
    }
    lapic_timer_stop();
    print("timer: woken periodically\n");

    ioapic_route(GSI_PIT, VECTOR_PIT, false);
    pit_start(PIT_RATE_HZ);
    while (pit_count < WAKE_UPS) {
        wait_for_interrupt();
    }
    ioapic_mask(GSI_PIT);
    print("timer: woken by the PIT\n");
    return 0;
}
