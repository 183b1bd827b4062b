/*
 * The ACPI power management timer where the FADT says it is: it has 24 bits and goes on while
 * the PIT ticks.
 */
#include "guest.h"
#include "x86.h"

#define FADT_PM_TMR_BLK 76
#define TIMER_MASK      0xffffffU
#define TIMER_HZ        3579545UL
#define PIT_HZ          100
#define TICKS           5 /* of the PIT: 50 ms */

static volatile unsigned ticks;

static void on_tick(struct trap_frame *frame)
{
    (void)frame;
    ticks++;
    lapic_eoi();
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int guest_main(void)
{
    const uint8_t *fadt = acpi_find("FACP");
    CHECK(fadt != NULL);
    const uint16_t port = (uint16_t)get32(fadt + FADT_PM_TMR_BLK);
    CHECK(port != 0);
    lapic_enable();
    trap_set(VECTOR_DEVICE, on_tick);
    ioapic_route(GSI_PIT, VECTOR_DEVICE, false);
    pit_start(PIT_HZ);
    wait_for_interrupt();
    const uint32_t start = port_in32(port);
    while (ticks <= TICKS) {
        wait_for_interrupt();
    }
    const uint32_t passed = (port_in32(port) - start) & TIMER_MASK;
    print("pm_timer: %u counts in %u ms\n", passed, TICKS * 1000 / PIT_HZ);
    /* A tick may be late, also the first: what is certain is the order of magnitude. */
    CHECK(passed > TIMER_HZ / PIT_HZ / 2);
    CHECK((port_in32(port) & ~TIMER_MASK) == 0);
    print("pm_timer: ok\n");
    return 0;
}
