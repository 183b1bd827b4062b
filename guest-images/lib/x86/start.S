/*
 * From a loader's state to 64-bit mode: the static tables every guest runs on
 * (page tables, GDT, stack) and the switch. The entry_*.S stubs come here with
 *   32-bit: eax = BOOT_*, ebx = the loader's information
 *   64-bit: the same in edi and rsi
 * The tables are data, not code that fills them, as kernel-mode code may be emulated.
 */
#include "start.h"

#define PAGE_TABLE   0x07 /* present, writable, user */
#define LARGE_PAGE   0x87 /* the same, 2 MiB */
#define CR0_PE_WP_PG 0x80010001
#define CR4_PAE      0x20
#define MSR_EFER     0xc0000080
#define EFER_LME     0x100

    .text

    .code32
    .globl start32
start32:
    mov %eax, boot_protocol
    mov %ebx, boot_data
    mov $boot_stack_top, %esp

/* Also the way of the other CPUs; esp is the CPU's stack. */
    .globl enter_long_mode
enter_long_mode:
    mov $pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PE_WP_PG, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $in_long_mode

    .code64
    .globl start64
start64:
    mov %edi, boot_protocol
    mov %rsi, boot_data
    mov $pml4, %eax
    mov %rax, %cr3
    lgdt gdt_pointer
    mov $boot_stack_top, %esp
    pushq $SELECTOR_CODE
    pushq $in_long_mode
    lretq

in_long_mode:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %esp, %esp /* clears the upper half, which the switch leaves undefined */
    xor %ebp, %ebp
    mov cpu_main, %eax
    call *%rax
    ud2

    .data
/* What a CPU runs once it is in 64-bit mode. */
    .globl cpu_main
cpu_main:
    .quad guest_start
    .globl boot_protocol
boot_protocol:
    .quad 0
    .globl boot_data
boot_data:
    .quad 0

    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff /* 0x10: data */
    .quad 0x00cff3000000ffff /* 0x18: user data */
    .quad 0x00affb000000ffff /* 0x20: user code */
    .quad 0, 0               /* 0x28: TSS, filled by traps_init() */
    .quad 0x00cf9b000000ffff /* 0x38: 32-bit code */
gdt_end:

    .globl gdt_pointer
gdt_pointer:
    .short gdt_end - gdt - 1
    .quad gdt

/* Identity map of 4 GiB in 2 MiB pages, then phys_window(). */
    .balign 4096
pml4:
    .quad pdpt + PAGE_TABLE
    .fill 511, 8, 0
pdpt:
    .quad page_directories + PAGE_TABLE
    .quad page_directories + 0x1000 + PAGE_TABLE
    .quad page_directories + 0x2000 + PAGE_TABLE
    .quad page_directories + 0x3000 + PAGE_TABLE
    .quad window_directory + PAGE_TABLE
    .fill 507, 8, 0
page_directories:
    .set gpa, 0
    .rept 4 * 512
    .quad gpa + LARGE_PAGE
    .set gpa, gpa + 0x200000
    .endr

    .bss
    .balign 4096
    .globl window_directory
window_directory:
    .skip 4096
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
