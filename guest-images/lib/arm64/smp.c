/*
 * Starting the other CPUs of the device tree with PSCI.
 */
#include "internal.h"
#include "virt.h"

#define AP_MAX         255
#define AP_STACK_SIZE  4096
#define MPIDR_AFFINITY 0xff00ffffffUL

static void (*ap_function)(unsigned index);
static volatile uint32_t started; /* took an index */
static volatile uint32_t done;    /* came back from ap_function */

static uint64_t affinity(void)
{
    uint64_t mpidr;
    __asm__("mrs %0, mpidr_el1" : "=r"(mpidr));
    return mpidr & MPIDR_AFFINITY;
}

/* KVM has 16 CPUs in a group of the lowest level. */
unsigned cpu_id(void)
{
    return (unsigned)((affinity() >> 8 & 0xf) << 4 | (affinity() & 0xf));
}

unsigned cpu_count(void)
{
    unsigned count = 0;
    while (fdt_find("device_type", "cpu", count) != NULL) {
        count++;
    }
    return (unsigned)cmdline_number("cpus", count);
}

void ap_main(void)
{
    ap_function(atomic_add32(&started, 1) + 1);
    atomic_add32(&done, 1);
    cpu_stop();
}

/* Its affinity has one cell or two. */
static uint64_t cpu_affinity(fdt_node *cpu)
{
    size_t length;
    const uint8_t *reg = fdt_property(cpu, "reg", &length);
    return length == 8 ? fdt_cells(reg) : fdt_cell(reg);
}

void cpus_start(void (*fn)(unsigned index))
{
    const uint64_t me = affinity();
    uintptr_t stack = (uintptr_t)ap_stacks;
    fdt_node *cpu;
    ap_function = fn;
    memory_barrier();
    for (unsigned n = 0; (cpu = fdt_find("device_type", "cpu", n)) != NULL; n++) {
        CHECK(n <= AP_MAX);
        if (cpu_affinity(cpu) != me) {
            stack += AP_STACK_SIZE;
            CHECK_EQ(psci(PSCI_CPU_ON, cpu_affinity(cpu), (uintptr_t)ap_start, stack), 0);
        }
    }
}

void cpus_wait(unsigned count)
{
    while (done < count) {
        cpu_relax();
    }
}
