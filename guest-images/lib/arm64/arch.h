/*
 * arm64: the part of guest.h that is inline. MMIO goes through one load or store
 * of exactly the given width and the simplest form, the only one whose syndrome
 * tells a hypervisor what it was; it is ordered against memory.
 */
#ifndef GUEST_ARM64_ARCH_H
#define GUEST_ARM64_ARCH_H

#include <stdint.h>

/* Where RAM begins; the image is in its first 8 MiB. */
#define RAM_GPA 0x40000000UL

/* An access that begins in RAM and ends behind it: the hypervisor sees it as a whole. */
#define MMIO_SPLITS 0

#define DEFINE_MMIO(bits, suffix, reg)                                                             \
    static inline uint##bits##_t mmio_read##bits(uintptr_t gpa)                                    \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("ldr" suffix " %" reg "0, [%1]\n\tdmb sy"                                 \
                         : "=r"(value)                                                             \
                         : "r"(gpa)                                                                \
                         : "memory");                                                              \
        return value;                                                                              \
    }                                                                                              \
    static inline void mmio_write##bits(uintptr_t gpa, uint##bits##_t value)                       \
    {                                                                                              \
        __asm__ volatile("dmb sy\n\tstr" suffix " %" reg "0, [%1]" ::"r"(value), "r"(gpa)          \
                         : "memory");                                                              \
    }

DEFINE_MMIO(8, "b", "w")
DEFINE_MMIO(16, "h", "w")
DEFINE_MMIO(32, "", "w")
DEFINE_MMIO(64, "", "x")

/* Order all earlier memory accesses, as other CPUs and devices see them, before all later ones. */
static inline void memory_barrier(void)
{
    __asm__ volatile("dmb sy" ::: "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/* Turn interrupts on and sleep until one has been handled; off again. No interrupt is lost between:
 * WFI ends also for one that is masked. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("wfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::: "memory");
}

/* The end of this CPU's work. */
static inline _Noreturn void cpu_stop(void)
{
    for (;;) {
        __asm__ volatile("msr daifset, #15\n\twfi");
    }
}

/* Returns the value before. */
static inline uint32_t atomic_add32(volatile uint32_t *word, uint32_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}

struct spinlock {
    volatile uint32_t taken;
};

/* While another has it, sleep until it is written to: a hypervisor then lets others run. */
static inline void spin_lock(struct spinlock *l)
{
    uint32_t taken, failed;
    __asm__ volatile("1:\n\t"
                     "sevl\n"
                     "2:\n\t"
                     "wfe\n\t"
                     "ldaxr %w0, [%2]\n\t"
                     "cbnz %w0, 2b\n\t"
                     "stxr %w1, %w3, [%2]\n\t"
                     "cbnz %w1, 1b"
                     : "=&r"(taken), "=&r"(failed)
                     : "r"(&l->taken), "r"(1)
                     : "memory");
}

static inline void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

/* One byte to the console, waiting while it is busy. */
void console_putc(char c);

#endif
