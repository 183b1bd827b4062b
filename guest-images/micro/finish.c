/*
 * Ends in the way its command line names:
 *   poweroff            ACPI sleep register
 *   exit=N              debug-exit
 *   panic               pvpanic
 *   crash               triple fault
 *   hang                an endless loop in user mode
 *   halt                HLT with interrupts off
 *   reset-keyboard, reset-port, reset-acpi
 *                       resets; started for the third time, it powers off
 */
#include "guest.h"
#include "x86.h"

#define CMOS_COUNTER 0x70 /* battery-backed: a reset does not touch it */
#define STARTS       3

#define KEYBOARD_RESET 0xfe
#define PORT_RESET_NOW 0x06

static void count_starts(void)
{
    port_out8(PORT_CMOS_INDEX, CMOS_COUNTER);
    const uint8_t starts = (uint8_t)(port_in8(PORT_CMOS_DATA) + 1);
    port_out8(PORT_CMOS_DATA, starts);
    print("finish: start %u\n", starts);
    if (starts >= STARTS) {
        guest_poweroff();
    }
}

static void reset(void)
{
    count_starts();
    if (cmdline_has("reset-keyboard")) {
        port_out8(PORT_KEYBOARD, KEYBOARD_RESET);
    } else if (cmdline_has("reset-port")) {
        port_out8(PORT_RESET, PORT_RESET_NOW);
    } else {
        mmio_write8(ACPI_RESET_GPA, ACPI_RESET);
    }
    cpu_stop();
}

static void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt = {0, 0};
    __asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
}

static uint64_t loop_for_ever(uint64_t arg)
{
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
    return arg;
}

int guest_main(void)
{
    print("finish: %s\n", boot.cmdline);
    if (cmdline_has("panic")) {
        port_out8(PORT_PVPANIC, 1);
    } else if (cmdline_has("crash")) {
        triple_fault();
    } else if (cmdline_has("hang")) {
        user_call(loop_for_ever, 0);
    } else if (cmdline_has("halt")) {
        cpu_stop();
    } else if (cmdline_has("poweroff")) {
        guest_poweroff();
    } else if (cmdline_has("reset-keyboard") || cmdline_has("reset-port") ||
               cmdline_has("reset-acpi")) {
        reset();
    }
    guest_exit((unsigned)cmdline_number("exit", 1));
}
