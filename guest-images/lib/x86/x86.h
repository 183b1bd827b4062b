/*
 * What only x86-64 guests have: I/O ports, interrupt vectors, local APIC,
 * IOAPIC, timers, and where the `pc` machine has its devices.
 */
#ifndef GUEST_X86_X86_H
#define GUEST_X86_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the machine --------------------------------------------------------- */

#define PORT_PIC_MASTER_MASK 0x21
#define PORT_PIT_CHANNEL0    0x40
#define PORT_PIT_COMMAND     0x43
#define PORT_KEYBOARD        0x64
#define PORT_CMOS_INDEX      0x70
#define PORT_CMOS_DATA       0x71
#define PORT_PIC_SLAVE_MASK  0xa1
#define PORT_DEBUG_EXIT      0xf4
#define PORT_SNAPSHOT_READY  0x508
#define PORT_COM1            0x3f8
#define PORT_PVPANIC         0x505
#define PORT_PCI_ADDRESS     0xcf8
#define PORT_RESET           0xcf9
#define PORT_PCI_DATA        0xcfc

#define ECAM_GPA       0xe0000000UL
#define PLATFORM_GPA   0xfe000000UL
#define VIRTIO_GPA     0xfeb00000UL
#define ACPI_SLEEP_GPA 0xfea00200UL
#define ACPI_RESET_GPA 0xfea00202UL
#define ACPI_RESET     0x42 /* the value that resets */
#define IOAPIC_GPA     0xfec00000UL
#define LAPIC_GPA      0xfee00000UL

#define GSI_PIT    0
#define GSI_COM1   4
#define GSI_VIRTIO 16

/* --- ports --------------------------------------------------------------- */

#define DEFINE_PORT(bits, suffix)                                                                  \
    static inline uint##bits##_t port_in##bits(uint16_t port)                                      \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");             \
        return value;                                                                              \
    }                                                                                              \
    static inline void port_out##bits(uint16_t port, uint##bits##_t value)                         \
    {                                                                                              \
        __asm__ volatile("out" suffix " %0, %1" ::"a"(value), "Nd"(port) : "memory");              \
    }                                                                                              \
    /* rep ins, rep outs: count items upwards from buf. */                                         \
    static inline void port_in_string##bits(uint16_t port, void *buf, size_t count)                \
    {                                                                                              \
        __asm__ volatile("rep ins" suffix : "+D"(buf), "+c"(count) : "d"(port) : "memory");        \
    }                                                                                              \
    static inline void port_out_string##bits(uint16_t port, const void *buf, size_t count)         \
    {                                                                                              \
        __asm__ volatile("rep outs" suffix : "+S"(buf), "+c"(count) : "d"(port) : "memory");       \
    }

DEFINE_PORT(8, "b")
DEFINE_PORT(16, "w")
DEFINE_PORT(32, "l")

/* --- interrupts and exceptions ------------------------------------------- */

/* Vectors 0 to 31 are the CPU's exceptions; the rest are free for devices. */
#define VECTOR_DEVICE   0x20 /* for trap_set() */
#define VECTOR_ATTACHED 0x28 /* for irq_attach_line() and irq_attach_message() */
#define VECTOR_SPURIOUS 0x3f /* the last */

/* Registers of the interrupted code, as trap.S pushes them. */
struct trap_frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void trap_handler(struct trap_frame *frame);

/* Call handler for vector, with interrupts off. Without one an exception ends the guest. */
void trap_set(unsigned vector, trap_handler *handler);

/* Enable this CPU's local APIC. Before anything below, once on each CPU. */
void lapic_enable(void);
/* End of interrupt: at the end of each device handler. */
void lapic_eoi(void);

/* Count ticks down, then interrupt; periodic: over and over. */
void lapic_timer_start(unsigned vector, uint32_t ticks, bool periodic);
void lapic_timer_stop(void);

/* Deliver a GSI to the boot CPU as vector. */
void ioapic_route(unsigned gsi, unsigned vector, bool level);
void ioapic_mask(unsigned gsi);

/* Channel 0 at hz interrupts a second, 19 and up. */
void pit_start(unsigned hz);

/* --- ACPI ---------------------------------------------------------------- */

/* The table with this signature, or NULL. */
const uint8_t *acpi_find(const char signature[4]);

#endif
