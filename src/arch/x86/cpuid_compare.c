/*
 * CPUID in snapshots: what two sets of leaves would make a guest miss, by name.
 *
 * Locking: none.
 */
#include "src/arch/x86/cpuid.h"

#include "src/base/pack.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES_MAX 4096

void cpuid_save(const struct kvm_cpuid2 *c, struct pack *out)
{
    pack_u32(out, c->nent);
    for (uint32_t i = 0; i < c->nent; i++) {
        const struct kvm_cpuid_entry2 *l = &c->entries[i];
        const uint32_t words[] = {l->function, l->index, l->eax, l->ebx, l->ecx, l->edx};
        for (size_t n = 0; n < sizeof(words) / sizeof(words[0]); n++) {
            pack_u32(out, words[n]);
        }
    }
}

struct kvm_cpuid2 *cpuid_load(struct unpack *in)
{
    const uint32_t count = unpack_u32(in);

    if (in->failed || count > LEAVES_MAX) {
        in->failed = true;
        return NULL;
    }
    struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + count * sizeof(c->entries[0]));
    for (uint32_t i = 0; c != NULL && i < count; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        l->function = unpack_u32(in);
        l->index = unpack_u32(in);
        l->eax = unpack_u32(in);
        l->ebx = unpack_u32(in);
        l->ecx = unpack_u32(in);
        l->edx = unpack_u32(in);
        c->nent = i + 1;
    }
    return c;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *c, uint32_t leaf,
                                           uint32_t subleaf)
{
    for (uint32_t i = 0; i < c->nent; i++) {
        if (c->entries[i].function == leaf && c->entries[i].index == subleaf) {
            return &c->entries[i];
        }
    }
    return NULL;
}

static uint32_t word_of(const struct kvm_cpuid2 *c, const struct feature_word *w)
{
    const struct kvm_cpuid_entry2 *l = find(c, w->leaf, w->subleaf);
    const uint32_t regs[4] = {l != NULL ? l->eax : 0, l != NULL ? l->ebx : 0,
                              l != NULL ? l->ecx : 0, l != NULL ? l->edx : 0};

    return regs[w->reg];
}

/* Append the names of features in a that are not in b. */
static void name_missing(const struct kvm_cpuid2 *a, const struct kvm_cpuid2 *b, char *text,
                         size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < feature_word_count; i++) {
        const struct feature_word *w = &feature_words[i];
        const uint32_t bits = word_of(a, w) & ~word_of(b, w);
        for (unsigned n = 0; n < 32; n++) {
            const size_t used = strlen(text);
            if ((bits >> n & 1) != 0 && w->names[n] != NULL) {
                snprintf(text + used, size - used, "%s%s", used != 0 ? ", " : "", w->names[n]);
            }
        }
    }
}

/* A leaf of a that is another in b; NULL: there is none. */
static const struct kvm_cpuid_entry2 *other_leaf(const struct kvm_cpuid2 *a,
                                                 const struct kvm_cpuid2 *b)
{
    for (uint32_t i = 0; i < a->nent; i++) {
        const struct kvm_cpuid_entry2 *x = &a->entries[i];
        const struct kvm_cpuid_entry2 *y = find(b, x->function, x->index);
        const bool empty = (x->eax | x->ebx | x->ecx | x->edx) == 0;
        if (y == NULL
                ? !empty
                : x->eax != y->eax || x->ebx != y->ebx || x->ecx != y->ecx || x->edx != y->edx) {
            return x;
        }
    }
    return NULL;
}

int cpuid_compare(const struct kvm_cpuid2 *saved, const struct kvm_cpuid2 *here, struct err *e)
{
    char lacks[200], more[200];
    const struct kvm_cpuid_entry2 *other = other_leaf(saved, here);

    other = other != NULL ? other : other_leaf(here, saved);
    if (other == NULL) {
        return 0;
    }
    name_missing(saved, here, lacks, sizeof(lacks));
    name_missing(here, saved, more, sizeof(more));
    if (lacks[0] != '\0' || more[0] != '\0') {
        err_set(e, ENOTSUP, "the CPU is another: this host's %s%s%s%s%s",
                lacks[0] != '\0' ? "lacks " : "", lacks,
                lacks[0] != '\0' && more[0] != '\0' ? " and " : "",
                more[0] != '\0' ? "has also " : "", more);
    } else {
        err_set(e, ENOTSUP, "the CPU is another: it differs in CPUID leaf 0x%x", other->function);
    }
    err_hint(e, "make the snapshot with --cpu host,-FEATURE,... if it is to run on both hosts");
    return -ENOTSUP;
}
