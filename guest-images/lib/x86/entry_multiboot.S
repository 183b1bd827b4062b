/*
 * Multiboot 1: 32-bit protected mode, EBX = information. The header has the
 * address fields, which count for the flat form and are ignored by a loader
 * that sees an ELF.
 */
#include "start.h"

#define MAGIC 0x1badb002
#define FLAGS 0x00010003 /* modules on pages, memory map, address fields */

    .section .head, "ax"
    .balign 4
header:
    .long MAGIC
    .long FLAGS
    .long -(MAGIC + FLAGS)
    .long header
    .long image_start
    .long image_file_end
    .long image_end
    .long start

    .code32
    .globl start
start:
    mov $BOOT_MULTIBOOT, %eax
    jmp start32

    .section .note.GNU-stack, "", @progbits
