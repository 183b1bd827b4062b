/*
 * What is kept and printed of a vCPU that crashed.
 *
 * Locking: none; taken on the vCPU's thread, printed after that.
 */
#ifndef ARCH_X86_DUMP_H
#define ARCH_X86_DUMP_H

#include "src/arch/arch.h"

#include <linux/kvm.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DUMP_CODE_MAX 16

struct cpu_dump {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    bool have_regs;              /* else KVM would not give them */
    uint8_t code[DUMP_CODE_MAX]; /* from the instruction pointer on */
    unsigned code_len;           /* 0: not readable */
};

/* Size of addresses and operands at the instruction pointer: 16, 32 or 64. */
unsigned dump_code_bits(const struct kvm_sregs *s);

/* The linear address of the instruction pointer. */
uint64_t dump_linear_ip(const struct cpu_dump *d);

#endif
