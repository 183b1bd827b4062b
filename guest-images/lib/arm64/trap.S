/*
 * Exception vectors, and user mode: user_call() goes down by ERET and comes back
 * by SVC. Source: Arm ARM D1.10 (vectors), D1.11 (ERET).
 */
#define SPSR_USER      0x3c0 /* EL0, everything masked */
#define SPSR_USER_IRQS 0x340 /* the same with interrupts on */

#define EC_SHIFT 26
#define EC_SVC   0x15

#define FRAME_SIZE 176

/* A vector that nothing should come to. */
    .macro unexpected number
    .balign 0x80
    mov x0, #\number
    b unexpected_trap
    .endm

    .macro vector to
    .balign 0x80
    b \to
    .endm

    .text
    .balign 0x800
    .globl vectors
vectors:
    unexpected 0 /* from EL1 with EL0's stack: synchronous, IRQ, FIQ, SError */
    unexpected 1
    unexpected 2
    unexpected 3
    unexpected 4 /* from EL1 */
    vector interrupt
    unexpected 6
    unexpected 7
    vector from_user /* from EL0 */
    vector interrupt
    unexpected 10
    unexpected 11
    unexpected 12 /* from EL0 in 32 bits */
    unexpected 13
    unexpected 14
    unexpected 15

unexpected_trap:
    mrs x1, esr_el1
    mrs x2, elr_el1
    mrs x3, far_el1
    b trap_unexpected

/* All registers that C may change. */
interrupt:
    sub sp, sp, #FRAME_SIZE
    stp x0, x1, [sp]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [sp, #160]
    bl irq_dispatch
    ldp x0, x1, [sp, #160]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x30, [sp, #144]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME_SIZE
    eret

    .globl user_call_interruptible
user_call_interruptible:
    mov x3, #SPSR_USER_IRQS
    b enter_user
    .globl user_call
user_call:
    mov x3, #SPSR_USER
enter_user:
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    msr spsr_el1, x3
    adr x3, user_start
    msr elr_el1, x3
    ldr x3, =user_stack_top
    msr sp_el0, x3
    mov x2, x0
    mov x0, x1
    eret

/* In user mode: x2 = function, x0 = its argument. */
user_start:
    blr x2
    svc #0

/* On the stack as enter_user left it: user_call() returns x0. */
from_user:
    mrs x1, esr_el1
    lsr x1, x1, #EC_SHIFT
    cmp x1, #EC_SVC
    b.ne user_fault
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret
user_fault:
    mov x0, #8
    b unexpected_trap
    .ltorg

    .bss
    .balign 16
    .skip 8192
user_stack_top:

    .section .note.GNU-stack, "", @progbits
