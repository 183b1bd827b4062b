/*
 * device_docs: a device's tables as Markdown, for tools/gen-device-docs.
 *
 * usage: device_docs          the names of all device classes, one a line
 *        device_docs NAME     title, properties, registers, saved state of one
 */
#include "src/device.h"

#include <inttypes.h>
#include <string.h>

static const char *prop_type(enum prop_type type)
{
    static const char *const names[] = {
        [PROP_BOOL] = "on/off", [PROP_U32] = "number",  [PROP_U64] = "number",
        [PROP_SIZE] = "size",   [PROP_STRING] = "text",
    };
    return names[type];
}

/* Ends a table row with a text that may hold bars. */
static void print_last_cell(const char *text)
{
    fputs(" | ", stdout);
    for (; *text != '\0'; text++) {
        printf(*text == '|' ? "\\%c" : "%c", *text);
    }
    puts(" |");
}

static void print_props(const struct device_class *cls)
{
    const struct prop *p;
    for (size_t i = 0; (p = device_prop(cls, i)) != NULL; i++) {
        if (i == 0) {
            puts("\n## Properties\n\n| name | type | default | limits | meaning |");
            puts("| --- | --- | --- | --- | --- |");
        }
        printf("| `%s` | %s | %s | ", p->name, prop_type(p->type), p->value ? p->value : "");
        if (p->min != 0 || p->max != 0) {
            printf("%" PRIu64 " to %" PRIu64, p->min, p->max);
        }
        print_last_cell(p->meaning);
    }
}

static void print_reg(const struct reg *r)
{
    static const char *const access[] = {[REG_RO] = "ro", [REG_WO] = "wo", [REG_RW] = "rw"};
    printf("| 0x%02" PRIx32, r->offset);
    if (r->length > 8) {
        printf("-0x%" PRIx32, r->offset + r->length - 1);
    }
    printf(" | ");
    for (unsigned size = 1; size <= 8; size *= 2) {
        if ((r->widths & size) != 0) {
            printf("%s%u", (r->widths & (size - 1)) != 0 ? ", " : "", size);
        }
    }
    printf(" | %s | 0x%" PRIx64 " | `%s`", access[r->access], r->reset, r->name);
    print_last_cell(r->meaning);
}

static void print_blocks(const struct device_class *cls)
{
    for (size_t i = 0; i < cls->block_count; i++) {
        const struct reg_block *b = &cls->blocks[i];
        printf("\n## Registers: %s, %" PRIu64 " byte%s\n\n", b->name, b->size,
               b->size == 1 ? "" : "s");
        puts("| offset | widths | access | reset | name | meaning |");
        puts("| --- | --- | --- | --- | --- | --- |");
        for (size_t n = 0; n < b->count; n++) {
            print_reg(&b->regs[n]);
        }
        if (b->repeats != 0) {
            printf("\nThe registers from 0x%" PRIx32 " on are there %" PRIu32 " times, 0x%" PRIx32
                   " bytes apart.\n",
                   b->repeat_from, b->repeats, b->stride);
        }
        printf("\nAny other access is counted; a read gives %s, a write has no effect.\n",
               b->misfit_reads_zero ? "0" : "all ones");
    }
}

static void print_fields(const struct device_class *cls)
{
    if (cls->field_count == 0) {
        return;
    }
    printf("\n## Saved state, version %" PRIu32 "\n\n", cls->version);
    for (size_t i = 0; i < cls->field_count; i++) {
        const struct field *f = &cls->fields[i];
        printf("%s`%s`", i > 0 ? ", " : "", f->name);
        if (f->count > 1) {
            printf(" (%" PRIu32 " x %" PRIu32 " bytes)", f->count, f->size);
        }
    }
    puts(".");
}

int main(int argc, char **argv)
{
    for (const struct device_class *const *c = device_classes; *c != NULL; c++) {
        if (argc < 2) {
            puts((*c)->name);
        } else if (strcmp((*c)->name, argv[1]) == 0) {
            print_props(*c);
            print_blocks(*c);
            print_fields(*c);
            return 0;
        }
    }
    return argc < 2 ? 0 : 1;
}
