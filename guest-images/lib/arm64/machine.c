/*
 * The C side of start-up, the console (PL011, polled) and the ways a run ends:
 * PSCI, and the devices debug-exit and pvpanic where the device tree has them.
 * Sources: PrimeCell UART PL011 and RTC PL031 manuals, Arm DEN 0022 (PSCI).
 */
#include "internal.h"
#include "virt.h"

#define UART_DATA    (UART_GPA + 0x00)
#define UART_FLAGS   (UART_GPA + 0x18)
#define UART_TX_FULL 0x20

#define RTC_SECONDS (RTC_GPA + 0x00)
#define RTC_LOAD    (RTC_GPA + 0x08)
#define DAY         86400U
#define LONG_PAST   (1000 * DAY) /* before any machine's real time */

#define PVPANIC_PANICKED 0x01

void guest_start(const uint8_t *device_tree)
{
    fdt_init(device_tree);
    boot_info_init();
    int code = guest_main();
    if (code == 0) {
        guest_poweroff();
    }
    guest_exit((unsigned)code);
}

void console_putc(char c)
{
    while ((mmio_read32(UART_FLAGS) & UART_TX_FULL) != 0) {
        cpu_relax();
    }
    mmio_write32(UART_DATA, (uint8_t)c);
}

void trap_unexpected(uint64_t vector, uint64_t syndrome, uint64_t at, uint64_t address)
{
    print("unexpected exception: vector %lu, esr %lx, at %lx, far %lx\n", vector, syndrome, at,
          address);
    guest_exit(1);
}

uint64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

void guest_exit(unsigned code)
{
    fdt_node *debug_exit = fdt_compatible("vmm,debug-exit", 0);
    if (debug_exit != NULL) {
        mmio_write32(fdt_reg(debug_exit, 0), code);
    }
    guest_panic();
}

unsigned snapshot_point(void)
{
    const uintptr_t gpa = fdt_reg(fdt_compatible("vmm,snapshot-ready", 0), 0);
    mmio_write32(gpa, 1);
    return mmio_read32(gpa);
}

void guest_panic(void)
{
    fdt_node *pvpanic = fdt_compatible("qemu,pvpanic-mmio", 0);
    if (pvpanic != NULL) {
        mmio_write8(fdt_reg(pvpanic, 0), PVPANIC_PANICKED);
    }
    cpu_stop();
}

void guest_poweroff(void)
{
    psci(PSCI_SYSTEM_OFF, 0, 0, 0);
    cpu_stop();
}

void guest_reset(void)
{
    psci(PSCI_SYSTEM_RESET, 0, 0, 0);
    cpu_stop();
}

/* The clock goes on over a reset: it counts in days of 1970. */
unsigned count_starts(void)
{
    const uint32_t seconds = mmio_read32(RTC_SECONDS);
    const unsigned starts = (seconds < LONG_PAST ? seconds / DAY : 0) + 1;
    mmio_write32(RTC_LOAD, starts * DAY);
    return starts;
}

/* The identity map has all of it. */
void *phys_window(uint64_t gpa)
{
    return (void *)gpa;
}
