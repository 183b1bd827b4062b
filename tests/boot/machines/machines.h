/*
 * What the tests of libvmm on KVM share.
 */
#ifndef MACHINES_H
#define MACHINES_H

#define VMM_INSIDE /* this repository's vmm.h, not the installed one */
#include "src/lib/vmmtest.h"

#include <stdint.h>
#include <string.h>

/* A guest of guests_x86.S. */
#define GUEST(name)             extern const uint8_t guest_##name[], guest_##name##_end[]
#define GUEST_SIZE(name)        ((size_t)(guest_##name##_end - guest_##name))
#define LOAD(m, mode, at, name) vmmtest_load(m, mode, at, guest_##name, GUEST_SIZE(name))

/* A machine of 1 MiB and nothing but the board's devices, with that guest. */
#define MACHINE(m, mode, at, name, ...)                                                            \
    struct vmm *m = vmmtest_machine("memory=1M", __VA_ARGS__);                                     \
    LOAD(m, mode, at, name)

/* The path of a micro-guest or other file of this build. Valid until the next call. */
const char *built(const char *name);

/* "kernel=" of a micro-guest; the same. */
const char *micro_guest(const char *name);

#endif
