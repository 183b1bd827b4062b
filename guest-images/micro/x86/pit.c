/*
 * Sleeping until the PIT interrupts, through the IOAPIC.
 */
#include "guest.h"
#include "x86.h"

#define WAKE_UPS    5
#define PIT_RATE_HZ 2000

static volatile unsigned count;

static void on_pit(void *arg)
{
    (void)arg;
    count++;
}

int guest_main(void)
{
    irq_attach_edge(GSI_PIT, on_pit, NULL);
    pit_start(PIT_RATE_HZ);
    while (count < WAKE_UPS) {
        wait_for_interrupt();
    }
    irq_detach_line(GSI_PIT);
    print("pit: ok\n");
    return 0;
}
