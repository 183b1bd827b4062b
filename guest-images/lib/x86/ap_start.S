/*
 * Where INIT/SIPI starts the other CPUs: copied to AP_START_GPA, entered in
 * real mode. Each takes the next stack and joins start.S on the way to 64 bits.
 */
#include "start.h"

#define CR0_PE 1

    .data
    .code16
    .globl ap_start_code
ap_start_code:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl ap_gdt_pointer - ap_start_code
    mov %cr0, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $ap_protected
ap_gdt_pointer:
    .short 0x3f
    .long gdt
    .globl ap_start_code_end
ap_start_code_end:

    .text
    .code32
ap_protected:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $AP_STACK_SIZE, %esp
    lock xadd %esp, ap_next_stack
    jmp enter_long_mode

    .data
    .balign 4
ap_next_stack:
    .long AP_STACKS_GPA + AP_STACK_SIZE

    .section .note.GNU-stack, "", @progbits
