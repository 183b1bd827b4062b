/*
 * user_call(): down to user mode by iretq, back by an undefined instruction.
 * KVMs that emulate the kernel side lack software interrupts or SYSCALL; none
 * lacks exceptions. User code sees all memory, and all ports through the TSS.
 */
#include "start.h"

#define RFLAGS_USER       0x002 /* interrupts off */
#define RFLAGS_USER_IRQS  0x202 /* interrupts on */

    .text
    .globl user_call_interruptible
user_call_interruptible:
    mov $RFLAGS_USER_IRQS, %eax
    jmp enter_user
    .globl user_call
user_call:
    mov $RFLAGS_USER, %eax
enter_user:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, kernel_stack
    mov %rax, %r12
    mov %rdi, %rbx
    mov %rsi, %rbp
    mov %rsp, %rdi
    and $-16, %rdi /* where traps from user mode push */
    call tss_set_stack
    pushq $SELECTOR_USER_DATA
    pushq $user_stack_top
    push %r12
    pushq $SELECTOR_USER_CODE
    pushq $user_start
    iretq

/* In user mode: rbx = function, rbp = its argument. */
user_start:
    mov %rbp, %rdi
    call *%rbx
    .globl user_end
user_end:
    ud2

/* Back in kernel mode, on the stack of user_end's trap: user_call() returns rdi. */
    .globl user_return
user_return:
    mov %rdi, %rax
    mov kernel_stack, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .bss
    .balign 16
    .skip 8192
user_stack_top:
kernel_stack:
    .skip 8

    .section .note.GNU-stack, "", @progbits
