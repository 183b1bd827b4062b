/*
 * All CPUs: how many there are comes from the machine's tables, or cpus=N on the command line.
 * Each counts, in kernel mode, against the others.
 */
#include "guest.h"

#define ROUNDS 100

static volatile uint32_t counter;
static volatile uint32_t seen[256 / 32]; /* CPU ids */

static void report(unsigned index)
{
    const unsigned id = cpu_id();
    const uint32_t bit = 1U << (id % 32);
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_add32(&counter, 1);
    }
    CHECK((atomic_add32(&seen[id / 32], bit) & bit) == 0);
    print("cpu %u: up\n", index);
}

int guest_main(void)
{
    const unsigned cpus = cpu_count();
    report(0);
    cpus_start(report);
    cpus_wait(cpus - 1);
    CHECK_EQ(counter, cpus * ROUNDS);
    print("smp: %u cpus\n", cpus);
    return 0;
}
