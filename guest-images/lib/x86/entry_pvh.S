/*
 * ELF with a PVH note: 32-bit protected mode, EBX = start_info.
 */
#include "start.h"

    .section .note.pvh, "a", @note
    .balign 4
    .long 4  /* name size */
    .long 4  /* descriptor size */
    .long 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .section .head, "ax"
    .code32
    .globl start
start:
    mov $BOOT_PVH, %eax
    jmp start32

    .section .note.GNU-stack, "", @progbits
