/*
 * CPUID's feature bits for `--cpu`. Number n is bit n % 32 of feature_words[n / 32].
 *
 * Locking: none.
 */
#include "src/arch/cpu_spec.h"

#include "src/arch/x86/cpuid.h"

#include <linux/kvm.h>

static const char *feature_name(size_t n)
{
    return feature_words[n / 32].names[n % 32];
}

/* The register of c that has the feature's bit; NULL: there is no such leaf. */
static uint32_t *find_register(struct kvm_cpuid2 *c, size_t n)
{
    const struct feature_word *word = &feature_words[n / 32];
    for (uint32_t i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        if (l->function == word->leaf && l->index == word->subleaf) {
            uint32_t *const regs[] = {&l->eax, &l->ebx, &l->ecx, &l->edx};
            return regs[word->reg];
        }
    }
    return NULL;
}

static uint32_t mask(size_t n)
{
    return 1U << n % 32;
}

static bool has_feature(void *cpuid, size_t n)
{
    const uint32_t *reg = find_register(cpuid, n);
    return reg != NULL && (*reg & mask(n)) != 0;
}

static void remove_feature(void *cpuid, size_t n)
{
    uint32_t *reg = find_register(cpuid, n);
    if (reg != NULL) {
        *reg &= ~mask(n);
    }
}

static size_t feature_count(void)
{
    return feature_word_count * 32;
}

static const char *const switches[] = {"hyperv", NULL};

const struct cpu_features arch_cpu_features = {
    .name = feature_name,
    .count = feature_count,
    .has = has_feature,
    .remove = remove_feature,
    .example = "avx512f",
    .switches = switches,
};

int cpuid_apply_spec(struct kvm_cpuid2 *c, const char *spec, struct err *e)
{
    return cpu_spec_apply(&arch_cpu_features, c, spec, e);
}
