/*
 * What a micro-guest can use, the same on every architecture. A guest is one C
 * file with guest_main(); the library brings it to 64-bit mode with a stack,
 * an identity map of the first 4 GiB and a console, and ends the run with what
 * it returns. See docs/micro-guests.md.
 *
 * Kernel-mode code may run in KVM's instruction emulator, a thousand times
 * slower than user mode and without SSE, 16-byte atomics and breakpoints: keep
 * it short, and put anything that loops long into user_call().
 *
 * Locking: print() may be called on every CPU; the rest on the boot CPU.
 */
#ifndef GUEST_H
#define GUEST_H

#include "arch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* --- the run ------------------------------------------------------------- */

/* The guest itself. 0: power off, so vmm ends with status 0. n > 0: guest_exit(n). */
int guest_main(void);

/*
 * End with a value: through debug-exit if vmm was started with it (status
 * code << 1 | 1), else as a panic (status 127).
 */
_Noreturn void guest_exit(unsigned code);
_Noreturn void guest_panic(void);
_Noreturn void guest_poweroff(void);
_Noreturn void guest_reset(void);

/* How often the machine has been started, this time included: kept where a reset does not reach. To
 * be called once. */
unsigned count_starts(void);

/*
 * Say that the machine may be saved, to the snapshot-ready device, which must be there. What
 * follows may happen in several machines. Returns how often this one was restored.
 */
unsigned snapshot_point(void);

/* --- console and checks -------------------------------------------------- */

/* Formats: %c %s %u %x %lu %lx %%, with an optional width padded with zeros (%08x). */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A check that fails says where and what, and ends the guest with guest_exit(1). */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            check_failed(__FILE__, __LINE__, #cond);                                               \
        }                                                                                          \
    } while (0)

/* The same for two numbers, which it prints. */
#define CHECK_EQ(a, b) check_equal(__FILE__, __LINE__, #a " == " #b, (a), (b))

_Noreturn void check_failed(const char *file, unsigned line, const char *what);
void check_equal(const char *file, unsigned line, const char *what, uint64_t a, uint64_t b);

/* --- memory -------------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* A little-endian number at any address. */
static inline uint32_t get_le32(const void *p)
{
    uint32_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return value;
}

static inline uint64_t get_le64(const void *p)
{
    uint64_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return value;
}

/* One access of width bytes, 1, 2, 4 or 8, at gpa, which need not be aligned. */
uint64_t mmio_read(uintptr_t gpa, unsigned width);
void mmio_write(uintptr_t gpa, unsigned width, uint64_t value);

/* A pointer to guest-physical address gpa, which may lie anywhere; valid until the next call. */
void *phys_window(uint64_t gpa);

/* --- what the loader told ------------------------------------------------ */

enum {
    MEM_TYPE_RAM = 1,
    MEM_TYPE_RESERVED = 2,
    MEM_TYPE_ACPI = 3,
};

struct mem_area {
    uint64_t gpa;
    uint64_t size;
    unsigned type; /* MEM_TYPE_* */
};

struct boot_info {
    const char *protocol; /* "pvh", "multiboot", "linux64", "arm64" */
    const char *cmdline;  /* never NULL */
    uint64_t initrd;      /* gpa */
    uint64_t initrd_size; /* 0: none */
    uint64_t rsdp;        /* 0: not told */
    size_t areas;         /* entries of the memory map */
};

extern struct boot_info boot;

/* What describes the machine: "ACPI", "device tree" or "none". */
const char *boot_tables(void);

/* Entry i < boot.areas of the memory map. */
struct mem_area boot_area(size_t i);

/* Whether the command line has this word. */
bool cmdline_has(const char *word);
/* The decimal number of the command line's word "name=number", or fallback. */
uint64_t cmdline_number(const char *name, uint64_t fallback);

/* --- interrupts of devices ----------------------------------------------- */

/* With interrupts off. The end of the interrupt is signalled when it returns. */
typedef void irq_handler(void *arg);

/*
 * Call handler(arg) for each interrupt of level line gsi, on the boot CPU. One handler a line: it
 * makes the devices that share the line let go of it. It may be called once more than there is a
 * reason for. Attaching again replaces the handler.
 */
void irq_attach_line(unsigned gsi, irq_handler *handler, void *arg);
void irq_detach_line(unsigned gsi);
/* The same where each rising edge of the line is an interrupt. */
void irq_attach_edge(unsigned gsi, irq_handler *handler, void *arg);

/* What a device writes to memory to interrupt. */
struct irq_message {
    uint64_t address;
    uint32_t data;
};

/* Whether messages reach the machine's interrupt controller. */
bool irq_has_messages(void);
/*
 * A message of its own for one device (pci_requester()), upon which handler(arg) is called on the
 * boot CPU; about 20 in a run.
 */
struct irq_message irq_attach_message(unsigned requester, irq_handler *handler, void *arg);

/* Give interrupts that are on their way a moment to come: before a check that none did. */
void irq_settle(void);

/* --- the boot CPU's timer -------------------------------------------------- */

/* Call handler(arg) once in about so many microseconds, or over and over. */
void timer_start(unsigned us, bool periodic, irq_handler *handler, void *arg);
void timer_stop(void);

/* --- CPUs ---------------------------------------------------------------- */

/* Run fn(arg) in user mode, at native speed, and return its value. Not nested. */
uint64_t user_call(uint64_t (*fn)(uint64_t arg), uint64_t arg);
/* The same with interrupts on. */
uint64_t user_call_interruptible(uint64_t (*fn)(uint64_t arg), uint64_t arg);

/* CPUs the machine has: cpus=N of the command line, else what its tables list. */
unsigned cpu_count(void);
/* A number that no other CPU has, below 256. */
unsigned cpu_id(void);

/* Start all other CPUs and go on. Each calls fn once with its index, 1 and up, and stops. */
void cpus_start(void (*fn)(unsigned index));
/* Wait until so many of them are done. */
void cpus_wait(unsigned count);

#endif
