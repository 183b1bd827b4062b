/*
 * Sleeping until the CPU's own timer interrupts, once and periodically.
 */
#include "guest.h"

#define WAKE_UPS 5
#define US       100

static volatile unsigned count;

static void on_timer(void *arg)
{
    (void)arg;
    count++;
}

int guest_main(void)
{
    for (unsigned i = 1; i <= WAKE_UPS; i++) {
        timer_start(US, false, on_timer, NULL);
        wait_for_interrupt();
        CHECK_EQ(count, i);
    }
    print("timer: woken %u times, once each\n", count);

    timer_start(US, true, on_timer, NULL);
    while (count < 2 * WAKE_UPS) {
        wait_for_interrupt();
    }
    timer_stop();
    print("timer: woken periodically\n");
    return 0;
}
