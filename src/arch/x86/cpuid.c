/*
 * CPUID leaves: topology and what the hypervisor adds or takes away.
 *
 * Source: see cpuid.h; for the topology leaves Intel SDM volume 2A (4, 0xb,
 * 0x1f) and AMD APM volume 3, E.4 (0x80000008, 0x8000001d, 0x8000001e).
 * Locking: none.
 */
#include "src/arch/x86/cpuid.h"

#include <linux/kvm.h>
#include <string.h>

#define BIT(n) (1U << (n))

#define LEAF1_ECX_MONITOR      BIT(3)
#define LEAF1_ECX_X2APIC       BIT(21)
#define LEAF1_ECX_TSC_DEADLINE BIT(24)
#define LEAF1_ECX_HYPERVISOR   BIT(31)
#define LEAF1_EDX_HTT          BIT(28)
#define AMD_ECX_CMP_LEGACY     BIT(1) /* 0x80000001: more than one core in the package */

#define TOPOLOGY_TYPE_SMT  (1U << 8)
#define TOPOLOGY_TYPE_CORE (2U << 8)

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, uint32_t leaf)
{
    for (uint32_t i = 0; i < c->nent; i++) {
        if (c->entries[i].function == leaf) {
            return &c->entries[i];
        }
    }
    return NULL;
}

static void remove_leaf(struct kvm_cpuid2 *c, uint32_t leaf)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->nent; i++) {
        if (c->entries[i].function != leaf) {
            c->entries[kept++] = c->entries[i];
        }
    }
    c->nent = kept;
}

/* Replace value's bits high..low. */
static uint32_t with_bits(uint32_t value, unsigned high, unsigned low, uint32_t bits)
{
    uint32_t mask = (uint32_t)(((1ULL << (high - low + 1)) - 1) << low);
    return (value & ~mask) | ((bits << low) & mask);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

unsigned cpuid_id_bits(unsigned cpus)
{
    unsigned bits = 0;
    while ((1U << bits) < cpus) {
        bits++;
    }
    return bits;
}

static bool is_amd(struct kvm_cpuid2 *c)
{
    const struct kvm_cpuid_entry2 *id = find(c, 0);
    return id != NULL && (id->ebx == 0x68747541 || id->ebx == 0x6f677948); /* "Auth", "Hygo" */
}

void cpuid_fill(struct kvm_cpuid2 *c, uint32_t leaf, const uint32_t regs[4])
{
    struct kvm_cpuid_entry2 *l = find(c, leaf);
    if (l == NULL) {
        l = &c->entries[c->nent++];
        *l = (struct kvm_cpuid_entry2){.function = leaf};
    }
    if ((l->eax | l->ebx | l->ecx | l->edx) == 0) {
        l->eax = regs[0];
        l->ebx = regs[1];
        l->ecx = regs[2];
        l->edx = regs[3];
    }
}

/* --- the same for all vCPUs ------------------------------------------- */

static void prepare_leaf1(struct kvm_cpuid_entry2 *l, unsigned cpus, bool tsc_deadline)
{
    uint32_t ids = BIT(cpuid_id_bits(cpus));
    l->ebx = with_bits(l->ebx, 23, 16, at_most(ids, 255));
    l->edx = (l->edx & ~LEAF1_EDX_HTT) | (cpus > 1 ? LEAF1_EDX_HTT : 0);
    l->ecx &= ~(LEAF1_ECX_MONITOR | LEAF1_ECX_TSC_DEADLINE);
    l->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
    l->ecx |= tsc_deadline ? LEAF1_ECX_TSC_DEADLINE : 0;
}

/*
 * A cache's sharers: nobody, but for the last level, which is the package's.
 * Only Intel's leaf 4 also tells the number of cores there.
 */
static void prepare_cache(struct kvm_cpuid_entry2 *l, unsigned cpus)
{
    uint32_t ids = BIT(cpuid_id_bits(cpus));
    unsigned type = l->eax & 0x1f;
    unsigned level = (l->eax >> 5) & 7;
    if (type == 0) { /* no more caches */
        return;
    }
    l->eax = with_bits(l->eax, 25, 14, level >= 3 ? at_most(ids, 4096) - 1 : 0);
    if (l->function == 4) {
        l->eax = with_bits(l->eax, 31, 26, at_most(ids, 64) - 1);
    }
}

/* Leaf 0xb or 0x1f: threads of a core, cores of the package, end. EDX is set for each vCPU. */
static void add_topology(struct kvm_cpuid2 *c, uint32_t leaf, unsigned cpus)
{
    const struct kvm_cpuid_entry2 levels[] = {
        {.index = 0, .eax = 0, .ebx = 1, .ecx = 0 | TOPOLOGY_TYPE_SMT},
        {.index = 1, .eax = cpuid_id_bits(cpus), .ebx = cpus, .ecx = 1 | TOPOLOGY_TYPE_CORE},
        {.index = 2, .ecx = 2},
    };
    const struct kvm_cpuid_entry2 *base = find(c, 0);
    remove_leaf(c, leaf);
    if (base == NULL || base->eax < leaf) {
        return;
    }
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[c->nent++];
        *l = levels[i];
        l->function = leaf;
        l->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    }
}

static void prepare_amd(struct kvm_cpuid_entry2 *l, unsigned cpus)
{
    if (l->function == 0x80000001) {
        l->ecx = (l->ecx & ~AMD_ECX_CMP_LEGACY) | (cpus > 1 ? AMD_ECX_CMP_LEGACY : 0);
    } else if (l->function == 0x80000008) {
        l->ecx = with_bits(l->ecx, 7, 0, at_most(cpus, 256) - 1);
        l->ecx = with_bits(l->ecx, 15, 12, cpuid_id_bits(cpus));
    } else if (l->function == 0x8000001e) {
        l->ecx = 0; /* one node */
    }
}

void cpuid_prepare(struct kvm_cpuid2 *c, unsigned cpus, bool tsc_deadline)
{
    bool amd = is_amd(c);
    for (uint32_t i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        switch (l->function) {
        case 1:
            prepare_leaf1(l, cpus, tsc_deadline);
            break;
        case 4:
        case 0x8000001d:
            prepare_cache(l, cpus);
            break;
        case 0xa: /* no performance counters: the guest would see some CPU's of the host */
            l->eax = l->ebx = l->ecx = l->edx = 0;
            break;
        default:
            if (amd) {
                prepare_amd(l, cpus);
            }
        }
    }
    add_topology(c, 0xb, cpus);
    add_topology(c, 0x1f, cpus);
}

/* --- different for each vCPU ------------------------------------------ */

void cpuid_set_index(struct kvm_cpuid2 *c, unsigned index)
{
    for (uint32_t i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        switch (l->function) {
        case 1:
            l->ebx = with_bits(l->ebx, 31, 24, index & 0xff);
            break;
        case 0xb:
        case 0x1f:
            l->edx = index;
            break;
        case 0x8000001e:
            l->eax = index;
            l->ebx = index & 0xff; /* core id; threads of a core - 1 in 15:8 */
            break;
        default:
            break;
        }
    }
}
