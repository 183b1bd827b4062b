/*
 * Exception and interrupt entry: a stub a vector, and the common path that
 * saves what C may change, calls trap_dispatch() and returns.
 */
#include "start.h"

/* Vectors for which the CPU itself pushes an error code. */
#define HAS_ERROR_CODE 0x60227d00 /* 8, 10 to 14, 17, 21, 29, 30 */

    .text
    .balign TRAP_STUB_SIZE
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept VECTOR_COUNT
    .balign TRAP_STUB_SIZE
    .if (vector >= 32) || !((HAS_ERROR_CODE >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp common
    .set vector, vector + 1
    .endr

common:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    mov %rsp, %rdi
    call trap_dispatch
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
