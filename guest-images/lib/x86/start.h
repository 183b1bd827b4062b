/*
 * Numbers that assembly and C share.
 */
#ifndef GUEST_X86_START_H
#define GUEST_X86_START_H

#define SELECTOR_CODE      0x08
#define SELECTOR_DATA      0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS       0x28
#define SELECTOR_CODE32    0x38 /* until 64-bit mode is on */

/* Virtual address of phys_window(): behind the identity map. */
#define WINDOW_ADDRESS 0x100000000

/* Interrupt vectors in use, and the bytes between their entry points. */
#define VECTOR_COUNT   0x40
#define TRAP_STUB_SIZE 16

/* How the loader came in: decides what boot_data points to. */
#define BOOT_PVH       1
#define BOOT_MULTIBOOT 2
#define BOOT_LINUX64   3

/* Where the other CPUs begin, in real mode: a page below 1 MiB the loader leaves free. */
#define AP_START_GPA 0x70000

/* Their stacks, behind any image. */
#define AP_STACKS_GPA 0x1000000
#define AP_STACK_SIZE 2048
#define AP_MAX        255

#endif
