/*
 * What the library's own files share.
 */
#ifndef GUEST_X86_INTERNAL_H
#define GUEST_X86_INTERNAL_H

#include <stdint.h>

struct trap_frame;

/* start.S */
extern uint64_t boot_protocol;   /* BOOT_* */
extern const uint8_t *boot_data; /* the loader's information */
extern uint64_t gdt[];
extern uint64_t window_directory[512];
extern void (*cpu_main)(void); /* first C function of the next CPU to start */

/* trap.S, user.S */
extern const char trap_stubs[];
extern const char user_end[]; /* where user code stops */
_Noreturn void user_return(uint64_t value);

void guest_start(void);
void boot_info_init(void);
void traps_init(void);
void trap_dispatch(struct trap_frame *frame);
/* Where the boot CPU's stack is while it is in user mode. */
void tss_set_stack(uint64_t rsp0);

/* ap_start.S: copied to AP_START_GPA. */
extern const char ap_start_code[], ap_start_code_end[];
/* INIT, then SIPI with this page as the place to start, to all other CPUs. */
void lapic_start_others(uint32_t page);

#endif
