/*
 * What the tests of libvmm on KVM share. Guests of the same name do the same on both architectures;
 * what else a test has to know of one is here, or the test is in a folder of its architecture.
 */
#ifndef MACHINES_H
#define MACHINES_H

#define VMM_INSIDE /* this repository's vmm.h, not the installed one */
#include "src/lib/vmmtest.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define MODE       VMM_LONG64
#define RAM        0x0
#define REG_PC     "rip"
#define REG_VALUE  "rax" /* what `chatter` writes, and `exit` */
#define REG_COUNT  "r15" /* of `count` */
#define EDU        "device=edu"
#define EDU_GPA    0xfe000000 /* bus=mmio */
#define DEBUG_EXIT "device=debug-exit,iobase=0xf4,iosize=4"
#define LINES      24
#define SECOND     "at pc-ports.delay" /* where `second` writes */
#else
#define MODE       VMM_EL1
#define RAM        0x40000000
#define REG_PC     "pc"
#define REG_VALUE  "x0"
#define REG_COUNT  "x15"
#define EDU        "device=edu,dma_mask=0x7fffffff" /* it reaches RAM */
#define EDU_GPA    0x0c100000                       /* behind pvpanic */
#define DEBUG_EXIT "device=debug-exit"
#define LINES      128
#define SECOND     "at pl011+0x28"
#endif
#define CODE (RAM + 0x10000)
#define DATA (RAM + 0x2000)

/* A guest of guests_ARCH.S. */
#define GUEST(name)             extern const uint8_t guest_##name[], guest_##name##_end[]
#define GUEST_SIZE(name)        ((size_t)(guest_##name##_end - guest_##name))
#define LOAD(m, mode, at, name) vmmtest_load(m, mode, at, guest_##name, GUEST_SIZE(name))

/* A machine of 1 MiB and nothing but the board's devices, with that guest. */
#define MACHINE(m, mode, at, name, ...)                                                            \
    struct vmm *m = vmmtest_machine("memory=1M", __VA_ARGS__);                                     \
    LOAD(m, mode, at, name)

/* A machine with that guest ends with this status. */
#define ENDS(status, mode, at, name, option)                                                       \
    do {                                                                                           \
        MACHINE(m, mode, at, name, option);                                                        \
        vmm_expect_status(m, status);                                                              \
        vmm_free(m);                                                                               \
    } while (0)

/* It crashes for this reason, and its transcript has this text beside the registers of then. Frees
 * it. */
void crashes(struct vmm *m, const char *reason, const char *shown);

/* The path of a micro-guest or other file of this build. Valid until the next call. */
const char *built(const char *name);

/* "kernel=" of a micro-guest; the same. */
const char *micro_guest(const char *name);

#endif
