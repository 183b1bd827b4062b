/*
 * Interrupt delivery and timers: local APIC, IOAPIC and the PIT's channel 0.
 * Sources: Intel SDM volume 3, chapter 10; 82093AA and 8254 data sheets.
 */
#include "guest.h"
#include "internal.h"
#include "x86.h"

#define LAPIC_ID            0x020
#define LAPIC_EOI           0x0b0
#define LAPIC_SPURIOUS      0x0f0
#define LAPIC_ICR_LOW       0x300
#define LAPIC_TIMER         0x320
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_DIVIDE  0x3e0

#define SPURIOUS_ENABLE 0x100
#define LVT_MASKED      0x10000
#define LVT_PERIODIC    0x20000
#define DIVIDE_BY_1     0xb

#define ICR_INIT       0x00000500
#define ICR_START_UP   0x00000600
#define ICR_ASSERT     0x00004000
#define ICR_ALL_BUT_ME 0x000c0000

#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_ENTRY  0x10 /* register of the first entry's low half */
#define ENTRY_MASKED  0x10000
#define ENTRY_LEVEL   0x08000

#define PIT_HZ            1193182
#define PIT_CHANNEL0_RATE 0x34 /* low then high byte, mode 2 */

static void lapic_write(unsigned reg, uint32_t value)
{
    mmio_write32(LAPIC_GPA + reg, value);
}

/* The 8259s are off: out of reset they would answer with exception vectors. */
void lapic_enable(void)
{
    port_out8(PORT_PIC_MASTER_MASK, 0xff);
    port_out8(PORT_PIC_SLAVE_MASK, 0xff);
    lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

unsigned cpu_id(void)
{
    return mmio_read32(LAPIC_GPA + LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void lapic_timer_start(unsigned vector, uint32_t ticks, bool periodic)
{
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_TIMER, vector | (periodic ? LVT_PERIODIC : 0));
    lapic_write(LAPIC_TIMER_INITIAL, ticks);
}

void lapic_timer_stop(void)
{
    lapic_write(LAPIC_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
}

void lapic_start_others(uint32_t page)
{
    lapic_write(LAPIC_ICR_LOW, ICR_ALL_BUT_ME | ICR_ASSERT | ICR_INIT);
    lapic_write(LAPIC_ICR_LOW, ICR_ALL_BUT_ME | ICR_ASSERT | ICR_START_UP | page >> 12);
}

static void ioapic_write(unsigned reg, uint32_t value)
{
    mmio_write32(IOAPIC_GPA + IOAPIC_SELECT, reg);
    mmio_write32(IOAPIC_GPA + IOAPIC_WINDOW, value);
}

void ioapic_route(unsigned gsi, unsigned vector, bool level)
{
    ioapic_write(IOAPIC_ENTRY + 2 * gsi + 1, cpu_id() << 24);
    ioapic_write(IOAPIC_ENTRY + 2 * gsi, vector | (level ? ENTRY_LEVEL : 0));
}

/* The rest of the entry stays: a level line that goes high meanwhile is to be noticed. */
void ioapic_mask(unsigned gsi)
{
    mmio_write32(IOAPIC_GPA + IOAPIC_SELECT, IOAPIC_ENTRY + 2 * gsi);
    mmio_write32(IOAPIC_GPA + IOAPIC_WINDOW,
                 mmio_read32(IOAPIC_GPA + IOAPIC_WINDOW) | ENTRY_MASKED);
}

void pit_start(unsigned hz)
{
    const unsigned divisor = PIT_HZ / hz;
    port_out8(PORT_PIT_COMMAND, PIT_CHANNEL0_RATE);
    port_out8(PORT_PIT_CHANNEL0, (uint8_t)divisor);
    port_out8(PORT_PIT_CHANNEL0, (uint8_t)(divisor >> 8));
}
