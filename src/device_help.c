/*
 * The registry and the texts made from it: what classes there are, and for
 * each its properties and registers. See device.h.
 */
#include "src/device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const struct device_class *device_class_find(const char *name, struct err *e)
{
    struct opt_guess guess;
    opt_guess_start(&guess, name);
    for (const struct device_class *const *c = device_classes; *c != NULL; c++) {
        if (strcmp((*c)->name, name) == 0) {
            return *c;
        }
        if (!(*c)->internal) {
            opt_guess_try(&guess, (*c)->name);
        }
    }
    err_set(e, ENOENT, "there is no device '%s'", name);
    err_status(e, EXIT_USAGE);
    if (guess.best != NULL) {
        err_hint(e, "did you mean '%s'?", guess.best);
    } else {
        err_hint(e, "--device help lists them");
    }
    return NULL;
}

void device_list_help(FILE *out)
{
    for (const struct device_class *const *c = device_classes; *c != NULL; c++) {
        if (!(*c)->internal) {
            fprintf(out, "%-16s %s\n", (*c)->name, (*c)->summary);
        }
    }
}

static const char *type_name(enum prop_type type)
{
    switch (type) {
    case PROP_BOOL:
        return "on|off";
    case PROP_U32:
    case PROP_U64:
        return "number";
    case PROP_SIZE:
        return "size";
    case PROP_STRING:
        return "text";
    }
    return "";
}

static void print_prop(const struct prop *p, FILE *out)
{
    fprintf(out, "  %s=<%s>", p->name, type_name(p->type));
    if (p->value != NULL) {
        fprintf(out, " (%s)", p->value);
    }
    fprintf(out, "  %s", p->meaning);
    if (p->min != 0 || p->max != 0) {
        fprintf(out, "; %" PRIu64 " to %" PRIu64, p->min, p->max);
    }
    fputc('\n', out);
}

static void print_reg(const struct reg *r, FILE *out)
{
    static const char *const access[] = {[REG_RO] = "ro", [REG_WO] = "wo", [REG_RW] = "rw"};
    char where[32];
    char widths[16] = "";
    if (r->length > 8) {
        snprintf(where, sizeof(where), "0x%" PRIx32 "-0x%" PRIx32, r->offset,
                 r->offset + r->length - 1);
    } else {
        snprintf(where, sizeof(where), "0x%" PRIx32, r->offset);
    }
    for (unsigned size = 1; size <= 8; size *= 2) {
        if ((r->widths & size) != 0) {
            size_t len = strlen(widths);
            snprintf(widths + len, sizeof(widths) - len, "%s%u", len > 0 ? "," : "", size);
        }
    }
    fprintf(out, "  %-12s %-7s %-6s 0x%-10" PRIx64 " %-20s %s\n", where, widths, access[r->access],
            r->reset, r->name, r->meaning);
}

void device_class_help(const struct device_class *cls, FILE *out)
{
    fprintf(out, "%s: %s\n", cls->name, cls->summary);
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(cls, i)) != NULL; i++) {
        if (i == 0) {
            fputs("properties (default):\n", out);
        }
        print_prop(p, out);
    }
    for (size_t i = 0; i < cls->block_count; i++) {
        const struct reg_block *b = &cls->blocks[i];
        fprintf(out, "registers of %s, 0x%" PRIx64 " bytes:\n", b->name, b->size);
        fprintf(out, "  %-12s %-7s %-6s %-12s %-20s %s\n", "offset", "widths", "access", "reset",
                "name", "meaning");
        for (size_t n = 0; n < b->count; n++) {
            print_reg(&b->regs[n], out);
        }
        if (b->repeats != 0) {
            fprintf(out, "  from 0x%" PRIx32 " on: %" PRIu32 " times, 0x%" PRIx32 " bytes apart\n",
                    b->repeat_from, b->repeats, b->stride);
        }
    }
}
