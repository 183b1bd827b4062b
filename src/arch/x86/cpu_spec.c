/*
 * `--cpu host,-feature,+feature`: taking features away from the guest's CPUID,
 * and asking for some to be there.
 *
 * Locking: none.
 */
#include "src/arch/x86/cpuid.h"
#include "src/base/opts.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define NAMES_MAX 512

struct feature {
    const struct feature_word *word;
    unsigned bit;
};

static bool find_feature(const char *name, struct feature *out)
{
    for (size_t w = 0; w < feature_word_count; w++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            const char *known = feature_words[w].names[bit];
            if (known != NULL && strcmp(known, name) == 0) {
                *out = (struct feature){.word = &feature_words[w], .bit = bit};
                return true;
            }
        }
    }
    return false;
}

static const char *nearest_feature(const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t w = 0; w < feature_word_count; w++) {
        for (unsigned bit = 0; bit < 32 && count < NAMES_MAX; bit++) {
            if (feature_words[w].names[bit] != NULL) {
                names[count++] = feature_words[w].names[bit];
            }
        }
    }
    return opt_nearest(name, names, count);
}

static uint32_t *feature_reg(struct kvm_cpuid2 *c, const struct feature_word *word)
{
    for (uint32_t i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *l = &c->entries[i];
        if (l->function == word->leaf && l->index == word->subleaf) {
            uint32_t *const regs[] = {&l->eax, &l->ebx, &l->ecx, &l->edx};
            return regs[word->reg];
        }
    }
    return NULL;
}

static int refuse(struct err *e, const char *what, const char *name)
{
    err_set(e, EINVAL, "--cpu: %s '%s'", what, name);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

static int refuse_unknown(struct err *e, const char *name)
{
    refuse(e, "there is no feature", name);
    const char *near = nearest_feature(name);
    if (near != NULL) {
        err_hint(e, "did you mean '%s'?", near);
    } else {
        err_hint(e, "features are called as in /proc/cpuinfo");
    }
    return -EINVAL;
}

/* word: "-name" or "+name". */
static int apply_feature(struct kvm_cpuid2 *c, const char *word, struct err *e)
{
    struct feature f;
    if (word[0] != '-' && word[0] != '+') {
        refuse(e, "neither -feature nor +feature:", word);
        err_hint(e, "for instance --cpu host,-avx512f");
        return -EINVAL;
    }
    if (!find_feature(word + 1, &f)) {
        return refuse_unknown(e, word + 1);
    }
    uint32_t *reg = feature_reg(c, f.word);
    uint32_t mask = 1U << f.bit;
    bool present = reg != NULL && (*reg & mask) != 0;
    if (word[0] == '+') {
        return present ? 0 : refuse(e, "this host cannot give a guest", word + 1);
    }
    if (present) {
        *reg &= ~mask;
    }
    return 0;
}

int cpuid_apply_spec(struct kvm_cpuid2 *c, const char *spec, struct err *e)
{
    struct opt_list list;
    if (spec == NULL) {
        return 0;
    }
    int r = opt_list_parse(&list, spec, e);
    if (r < 0) {
        err_prefix(e, "--cpu");
        err_status(e, EXIT_USAGE);
        return r;
    }
    if (strcmp(list.name, "host") != 0) {
        r = refuse(e, "there is no CPU model", list.name);
        err_hint(e, "the one model is host: --cpu host[,-feature][,+feature]");
    }
    for (size_t i = 0; i < list.count && r == 0; i++) {
        const struct opt *o = &list.opts[i];
        r = o->value == NULL ? apply_feature(c, o->key, e)
                             : refuse(e, "a feature takes no value:", o->key);
    }
    opt_list_free(&list);
    return r;
}
