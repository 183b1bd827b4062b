/*
 * x86-64: the part of guest.h that is inline. MMIO goes through one move of
 * exactly the given width, whatever the compiler would rather do.
 */
#ifndef GUEST_X86_ARCH_H
#define GUEST_X86_ARCH_H

#include <stdint.h>

/* Where RAM begins; the image is in its first 8 MiB. */
#define RAM_GPA 0UL

/* An access that begins in RAM and ends behind it: the CPU makes two of it. */
#define MMIO_SPLITS 1

#define DEFINE_MMIO(bits, suffix)                                                                  \
    static inline uint##bits##_t mmio_read##bits(uintptr_t gpa)                                    \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("mov" suffix " (%1), %0" : "=r"(value) : "r"(gpa) : "memory");            \
        return value;                                                                              \
    }                                                                                              \
    static inline void mmio_write##bits(uintptr_t gpa, uint##bits##_t value)                       \
    {                                                                                              \
        __asm__ volatile("mov" suffix " %0, (%1)" ::"r"(value), "r"(gpa) : "memory");              \
    }

DEFINE_MMIO(8, "b")
DEFINE_MMIO(16, "w")
DEFINE_MMIO(32, "l")
DEFINE_MMIO(64, "q")

/* Order all earlier memory accesses, as other CPUs and devices see them, before all later ones. */
static inline void memory_barrier(void)
{
    __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* Turn interrupts on and sleep until one has been handled; off again. No interrupt is lost between.
 */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* The end of this CPU's work. */
static inline _Noreturn void cpu_stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static inline uint32_t atomic_exchange32(volatile uint32_t *word, uint32_t value)
{
    __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*word)::"memory");
    return value;
}

/* Returns the value before. */
static inline uint32_t atomic_add32(volatile uint32_t *word, uint32_t value)
{
    __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*word)::"memory", "cc");
    return value;
}

struct spinlock {
    volatile uint32_t taken;
};

static inline void spin_lock(struct spinlock *l)
{
    while (atomic_exchange32(&l->taken, 1) != 0) {
        cpu_relax();
    }
}

static inline void spin_unlock(struct spinlock *l)
{
    atomic_exchange32(&l->taken, 0);
}

/* One byte to the console, waiting while it is busy. */
void console_putc(char c);

#endif
