/*
 * CPUID: what the guest is told about its processors. The host's features as
 * far as KVM can give them, less what the user took away, with the guest's own
 * topology: one package of `cpus` cores of one thread each; a vCPU's APIC id is
 * its index.
 *
 * Source: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E; Linux
 * Documentation/virt/kvm/x86/cpuid.rst.
 * Locking: none; set-up runs on one thread.
 */
#ifndef ARCH_X86_CPUID_H
#define ARCH_X86_CPUID_H

#include "src/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_cpuid2;

enum cpuid_reg {
    CPUID_EAX,
    CPUID_EBX,
    CPUID_ECX,
    CPUID_EDX,
};

/* One register of feature bits; names as in the flags line of Linux's /proc/cpuinfo. */
struct feature_word {
    uint32_t leaf;
    uint32_t subleaf;
    enum cpuid_reg reg;
    const char *names[32]; /* by bit; NULL: no name */
};

extern const struct feature_word feature_words[];
extern const size_t feature_word_count;

/* Entries cpuid_prepare() and cpuid_fill() may add: the room c needs beyond c->nent. */
#define CPUID_ADDED_MAX (6 + CPUID_HOST_LAST - CPUID_HOST_FIRST + 1)

/* The processor's name, and its L1 caches and TLBs: KVM leaves these to its users. */
#define CPUID_HOST_FIRST 0x80000002U
#define CPUID_HOST_LAST  0x80000006U

/* Give leaf the values regs (eax, ebx, ecx, edx) if c says nothing about it. */
void cpuid_fill(struct kvm_cpuid2 *c, uint32_t leaf, const uint32_t regs[4]);

/*
 * Turn KVM's supported leaves into the guest's, for all vCPUs alike.
 * tsc_deadline: the in-kernel local APIC has that timer mode.
 */
void cpuid_prepare(struct kvm_cpuid2 *c, unsigned cpus, bool tsc_deadline);

/* Set what differs from one vCPU to the next. May be repeated for another index. */
void cpuid_set_index(struct kvm_cpuid2 *c, unsigned index);

/*
 * Apply "host[,-feature][,+feature]...". NULL is "host". -EINVAL, status
 * EXIT_USAGE: no such model or feature (the hint names the nearest), or a
 * +feature that is not among c's.
 */
int cpuid_apply_spec(struct kvm_cpuid2 *c, const char *spec, struct err *e);

/* --- snapshots (cpuid_compare.c) --- */

struct pack;
struct unpack;

void cpuid_save(const struct kvm_cpuid2 *c, struct pack *out);
/* Free with free(). NULL: in failed, or out of memory. */
struct kvm_cpuid2 *cpuid_load(struct unpack *in);
/* -ENOTSUP: a guest of `saved` would see a difference; e names the features, or the leaf. */
int cpuid_compare(const struct kvm_cpuid2 *saved, const struct kvm_cpuid2 *here, struct err *e);

/* Bits an APIC id needs for so many CPUs. */
unsigned cpuid_id_bits(unsigned cpus);

#endif
