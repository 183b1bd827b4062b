/*
 * Ends as only a PC does, in the way its command line names:
 *   crash               triple fault
 *   keyboard, port      resets; started for the third time, it powers off
 */
#include "guest.h"
#include "x86.h"

#define STARTS 3

#define KEYBOARD_RESET 0xfe
#define PORT_RESET_NOW 0x06

static void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt = {0, 0};
    __asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
}

int guest_main(void)
{
    print("finish_pc: %s\n", boot.cmdline);
    if (cmdline_has("crash")) {
        triple_fault();
    }
    const unsigned starts = count_starts();
    print("finish_pc: start %u\n", starts);
    if (starts >= STARTS) {
        guest_poweroff();
    }
    if (cmdline_has("keyboard")) {
        port_out8(PORT_KEYBOARD, KEYBOARD_RESET);
    } else if (cmdline_has("port")) {
        port_out8(PORT_RESET, PORT_RESET_NOW);
    }
    cpu_stop();
}
