/*
 * What is the same about interrupts on every architecture.
 */
#include "guest.h"

#define SPINS 100000 /* a few milliseconds */

static uint64_t spin(uint64_t count)
{
    while (count-- > 0) {
        cpu_relax();
    }
    return 0;
}

/* In user mode: where kernel mode is emulated, it may only take an interrupt while it sleeps. */
void irq_settle(void)
{
    user_call_interruptible(spin, SPINS);
}
