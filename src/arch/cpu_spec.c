/*
 * See cpu_spec.h.
 */
#include "src/arch/cpu_spec.h"

#include "src/base/opts.h"

#include <errno.h>
#include <string.h>

static int refuse(struct err *e, const char *what, const char *name)
{
    err_set(e, EINVAL, "--cpu: %s '%s'", what, name);
    err_status(e, EXIT_USAGE);
    return -EINVAL;
}

/* The feature's number, or count: there is none of that name; the hint names the nearest. */
static size_t find(const struct cpu_features *f, const char *name, struct err *e)
{
    struct opt_guess guess;
    opt_guess_start(&guess, name);
    const size_t count = f->count();
    for (size_t n = 0; n < count; n++) {
        const char *known = f->name(n);
        if (known != NULL && strcmp(known, name) == 0) {
            return n;
        }
        if (known != NULL) {
            opt_guess_try(&guess, known);
        }
    }
    refuse(e, "there is no feature", name);
    if (guess.best != NULL) {
        err_hint(e, "did you mean '%s'?", guess.best);
    } else {
        err_hint(e, "--cpu help lists them; they are called as in /proc/cpuinfo");
    }
    return count;
}

/* word: "-name" or "+name". */
static int apply_feature(const struct cpu_features *f, void *cpu, const char *word, struct err *e)
{
    if (word[0] != '-' && word[0] != '+') {
        refuse(e, "neither -feature nor +feature:", word);
        err_hint(e, "for instance --cpu host,-%s", f->example != NULL ? f->example : f->name(0));
        return -EINVAL;
    }
    const size_t n = find(f, word + 1, e);
    if (n == f->count()) {
        return -EINVAL;
    }
    if (word[0] == '+') {
        return f->has(cpu, n) ? 0 : refuse(e, "this host cannot give a guest", word + 1);
    }
    f->remove(cpu, n);
    return 0;
}

/* o has a value. */
static int check_switch(const struct cpu_features *f, const struct opt *o, struct err *e)
{
    for (size_t i = 0; f->switches != NULL && f->switches[i] != NULL; i++) {
        bool on;
        if (strcmp(f->switches[i], o->key) == 0) {
            return opt_bool(o->value, &on, NULL) == 0 ? 0
                                                      : refuse(e, "neither on nor off", o->value);
        }
    }
    return refuse(e, "a feature takes no value:", o->key);
}

int cpu_spec_apply(const struct cpu_features *f, void *cpu, const char *spec, struct err *e)
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
        r = o->value == NULL ? apply_feature(f, cpu, o->key, e) : check_switch(f, o, e);
    }
    opt_list_free(&list);
    return r;
}

bool cpu_spec_switch(const char *spec, const char *name)
{
    struct opt_list list;
    bool on = false;

    if (spec == NULL || opt_list_parse(&list, spec, NULL) < 0) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct opt *o = &list.opts[i];
        if (o->value != NULL && strcmp(o->key, name) == 0) {
            (void)opt_bool(o->value, &on, NULL); /* cpu_spec_apply() judges it */
        }
    }
    opt_list_free(&list);
    return on;
}

void cpu_spec_help(const struct cpu_features *f, FILE *out)
{
    for (size_t n = 0; n < f->count(); n++) {
        if (f->name(n) != NULL) {
            fprintf(out, "%s\n", f->name(n));
        }
    }
    for (size_t i = 0; f->switches != NULL && f->switches[i] != NULL; i++) {
        fprintf(out, "%s=on\n", f->switches[i]);
    }
}
