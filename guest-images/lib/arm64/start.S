/*
 * The header of an arm64 Image (Linux Documentation/arch/arm64/booting.rst), the
 * static page table every guest runs on, and the way from the loader's state (EL1,
 * MMU off, x0 = device tree) to C. With the MMU off memory is not written: it would
 * go past the caches.
 */
#define HEADER_FLAGS 0x2 /* little-endian, pages of 4 KiB, near the start of RAM */

/* Descriptors: normal memory, inner shareable, accessed, also by user mode. */
#define TABLE      0x0000000000000003
#define BLOCK      0x0060000000000741 /* not executable */
#define PAGE       0x0060000000000743
#define TEXT_PAGE  0x00000000000007c3 /* executable, read-only */

#define MAIR_NORMAL 0xff
/* 39 bits of address in pages of 4 KiB, cached walks, no upper half, 40 bits of output. */
#define TCR         0x0000000200803519
/* The bits that are ones; MMU, caches; WFI, WFE and cache sizes for user mode. */
#define SCTLR       0x30d5d805

    .section .head, "ax"
    .globl start
start:
    b entry
    .long 0
    .quad text_offset
    .quad image_size
    .quad HEADER_FLAGS
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

    .text
entry:
    mov x19, x0
    bl mmu_on
    ldr x0, =boot_stack_top
    mov sp, x0
    ldr x0, =bss_start
    ldr x1, =bss_end
clear:
    stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo clear
    mov x0, x19
    bl guest_start

/* Where PSCI starts the other CPUs: x0 is the CPU's stack. */
    .globl ap_start
ap_start:
    mov x19, x0
    bl mmu_on
    mov sp, x19
    bl ap_main

mmu_on:
    msr daifset, #15
    ldr x1, =vectors
    msr vbar_el1, x1
    mov x1, #MAIR_NORMAL
    msr mair_el1, x1
    ldr x1, =TCR
    msr tcr_el1, x1
    ldr x1, =gib_table
    msr ttbr0_el1, x1
    isb
    tlbi vmalle1
    ic iallu
    dsb nsh
    ldr x1, =SCTLR
    msr sctlr_el1, x1
    isb
    ret
    .ltorg

/*
 * Identity map of 512 GiB. Everything is normal memory, devices too: so guests can try unaligned
 * accesses on them. Each access of an emulated device is an exception of its own, so that nothing is
 * merged, reordered or speculated. What user mode can write the kernel cannot execute, therefore the
 * text is read-only.
 */
    .data
    .balign 4096
gib_table:
    .quad BLOCK
    .quad ram_table + TABLE
    .set gpa, 0x80000000
    .rept 510
    .quad BLOCK + gpa
    .set gpa, gpa + 0x40000000
    .endr
ram_table: /* the first GiB of RAM */
    .quad text_table + TABLE
    .set gpa, 0x40200000
    .rept 511
    .quad BLOCK + gpa
    .set gpa, gpa + 0x200000
    .endr
text_table: /* its first 2 MiB; guest.ld keeps the last 64 KiB for the text */
    .set gpa, 0x40000000
    .rept 496
    .quad PAGE + gpa
    .set gpa, gpa + 0x1000
    .endr
    .rept 16
    .quad TEXT_PAGE + gpa
    .set gpa, gpa + 0x1000
    .endr

    .bss
    .balign 16
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
