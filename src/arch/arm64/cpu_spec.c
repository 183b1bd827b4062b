/*
 * See cpu_spec.h.
 */
#include "src/arch/arm64/cpu_spec.h"

#include "src/base/opts.h"

#include <errno.h>
#include <string.h>

const char *const cpu_feature_names[CPU_FEATURES] = {
    [CPU_PMU] = "pmu",
    [CPU_SVE] = "sve",
    [CPU_PAUTH] = "pauth",
};

static int refuse(struct err *e, const char *what, const char *name)
{
    err_set(e, EINVAL, "--cpu: %s '%s'", what, name);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

static int refuse_unknown(struct err *e, const char *name)
{
    const char *near = opt_nearest(name, cpu_feature_names, CPU_FEATURES);
    refuse(e, "there is no feature", name);
    if (near != NULL) {
        err_hint(e, "did you mean '%s'?", near);
    } else {
        err_hint(e, "--cpu help lists them");
    }
    return -EINVAL;
}

/* word: "-name" or "+name". */
static int apply_feature(const char *word, unsigned *features, struct err *e)
{
    unsigned n = 0;
    if (word[0] != '-' && word[0] != '+') {
        refuse(e, "neither -feature nor +feature:", word);
        err_hint(e, "for instance --cpu host,-pmu");
        return -EINVAL;
    }
    while (n < CPU_FEATURES && strcmp(word + 1, cpu_feature_names[n]) != 0) {
        n++;
    }
    if (n == CPU_FEATURES) {
        return refuse_unknown(e, word + 1);
    }
    if (word[0] == '+') {
        const bool present = (*features & 1U << n) != 0;
        return present ? 0 : refuse(e, "this host cannot give a guest", word + 1);
    }
    *features &= ~(1U << n);
    return 0;
}

int cpu_spec_apply(const char *spec, unsigned *features, struct err *e)
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
        r = o->value == NULL ? apply_feature(o->key, features, e)
                             : refuse(e, "a feature takes no value:", o->key);
    }
    opt_list_free(&list);
    return r;
}
