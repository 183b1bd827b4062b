/*
 * Linux's 64-bit entry, RSI = boot_params: an ELF without a note begins here,
 * a bzImage 0x200 bytes into its protected-mode part. Source: Linux
 * Documentation/arch/x86/boot.rst.
 */
#include "start.h"

    .section .head, "ax"
    .code64
    .org 0x200
    .globl start
start:
    mov $BOOT_LINUX64, %edi
    jmp start64

    .section .note.GNU-stack, "", @progbits
