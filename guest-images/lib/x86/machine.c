/*
 * The C side of start-up, the console (COM1, polled) and the ways a run ends.
 */
#include "guest.h"
#include "internal.h"
#include "start.h"
#include "x86.h"

#define COM1_LINE_STATUS (PORT_COM1 + 5)
#define COM1_THR_EMPTY   0x20

#define ACPI_SLEEP_S5    0x34 /* type 5, sleep enable */
#define PVPANIC_PANICKED 0x01
#define CMOS_COUNTER     0x70

#define PTE_LARGE_RW    0x83 /* present, writable, 2 MiB */
#define LARGE_PAGE_MASK 0x1fffffUL

void guest_start(void)
{
    boot_info_init();
    traps_init();
    int code = guest_main();
    if (code == 0) {
        guest_poweroff();
    }
    guest_exit((unsigned)code);
}

void console_putc(char c)
{
    while ((port_in8(COM1_LINE_STATUS) & COM1_THR_EMPTY) == 0) {
        cpu_relax();
    }
    port_out8(PORT_COM1, (uint8_t)c);
}

void guest_exit(unsigned code)
{
    port_out32(PORT_DEBUG_EXIT, code);
    guest_panic();
}

unsigned snapshot_point(void)
{
    port_out32(PORT_SNAPSHOT_READY, 1);
    return port_in32(PORT_SNAPSHOT_READY);
}

void guest_panic(void)
{
    port_out8(PORT_PVPANIC, PVPANIC_PANICKED);
    cpu_stop();
}

void guest_poweroff(void)
{
    mmio_write8(ACPI_SLEEP_GPA, ACPI_SLEEP_S5);
    cpu_stop();
}

void guest_reset(void)
{
    mmio_write8(ACPI_RESET_GPA, ACPI_RESET);
    cpu_stop();
}

/* In the RTC's memory, which a battery keeps. */
unsigned count_starts(void)
{
    port_out8(PORT_CMOS_INDEX, CMOS_COUNTER);
    const uint8_t starts = (uint8_t)(port_in8(PORT_CMOS_DATA) + 1);
    port_out8(PORT_CMOS_DATA, starts);
    return starts;
}

void *phys_window(uint64_t gpa)
{
    char *window = (char *)WINDOW_ADDRESS;
    window_directory[0] = (gpa & ~LARGE_PAGE_MASK) | PTE_LARGE_RW;
    __asm__ volatile("invlpg (%0)" ::"r"(window) : "memory");
    return window + (gpa & LARGE_PAGE_MASK);
}
