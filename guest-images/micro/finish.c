/*
 * Ends in the way its command line names:
 *   poweroff            as the machine powers off
 *   exit=N              debug-exit
 *   panic               pvpanic
 *   hang                an endless loop in user mode
 *   halt                sleep with interrupts off
 *   reset               resets; started for the third time, it powers off
 */
#include "guest.h"

#define STARTS 3

static _Noreturn void reset(void)
{
    const unsigned starts = count_starts();
    print("finish: start %u\n", starts);
    if (starts >= STARTS) {
        guest_poweroff();
    }
    guest_reset();
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
        guest_panic();
    } else if (cmdline_has("hang")) {
        user_call(loop_for_ever, 0);
    } else if (cmdline_has("halt")) {
        cpu_stop();
    } else if (cmdline_has("poweroff")) {
        guest_poweroff();
    } else if (cmdline_has("reset")) {
        reset();
    }
    guest_exit((unsigned)cmdline_number("exit", 1));
}
