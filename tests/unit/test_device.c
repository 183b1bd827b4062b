/*
 * Devices: properties, the life of an instance, register blocks against a
 * brute-force oracle, help texts; and the tables of all registered classes.
 */
#include "src/device.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- a sample class --------------------------------------------------- */

struct sample {
    struct device dev;
    bool flag;
    uint32_t count;
    uint64_t address;
    uint64_t size;
    char *label;
    /* what the callbacks saw */
    unsigned reads, writes, resets;
    uint32_t offset;
    unsigned access_size;
    uint64_t value;
};

static const struct prop sample_props[] = {
    PROP(struct sample, flag, PROP_BOOL, NULL, 0, 0, "a switch"),
    PROP(struct sample, count, PROP_U32, "3", 1, 10, "how many"),
    PROP(struct sample, address, PROP_U64, "0x10", 0, 0, "where"),
    PROP(struct sample, size, PROP_SIZE, "4K", 4096, UINT64_MAX, "how large"),
    PROP(struct sample, label, PROP_STRING, "none", 0, 0, "what it is called"),
};

static const struct reg sample_regs[] = {
    {"id", 0x00, 4, 4, REG_RO, 0x1234, "identification"},
    {"control", 0x04, 4, 1 | 2 | 4, REG_RW, 0, "control, in parts too"},
    {"data_out", 0x08, 1, 1, REG_WO, 0, "what is sent"},
    {"data_in", 0x08, 1, 1, REG_RO, 0, "what came"},
    {"odd", 0x0b, 2, 2, REG_RW, 0, "at an odd offset"},
    {"wide", 0x10, 8, 4 | 8, REG_RW, 0, "64 bits, whole or in halves"},
    {"command", 0x18, 4, 4, REG_WO, 0, "write only"},
    {"buffer", 0x20, 16, 1 | 2 | 4 | 8, REG_RW, 0, "sixteen bytes"},
    {"words", 0x32, 6, 2, REG_RO, 0, "three words"},
    {"cut", 0x38, 6, 2 | 4, REG_RW, 0, "no multiple of its widest access"},
    {"low", 0x40, 8, 4 | 8 | REG_AT_START, REG_RW, 0, "64 bits, whole or the low half"},
    {"free", 0x49, 6, 1 | 4 | REG_ANYWHERE, REG_RW, 0, "six bytes, also four from an odd one on"},
};

static uint64_t sample_read(struct device *d, uint32_t offset, unsigned size)
{
    struct sample *s = DEVICE_STATE(struct sample, d);
    s->reads++;
    s->offset = offset;
    s->access_size = size;
    return 0x1122334455667788;
}

static void sample_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct sample *s = DEVICE_STATE(struct sample, d);
    s->writes++;
    s->offset = offset;
    s->access_size = size;
    s->value = value;
}

#define BLOCK_SIZE 0x50

static const struct reg_block sample_blocks[] = {
    {.name = "main",
     .size = BLOCK_SIZE,
     .regs = TABLE(sample_regs),
     .read = sample_read,
     .write = sample_write},
    {.name = "zero",
     .size = 16,
     .regs = sample_regs,
     .count = 1,
     .misfit_reads_zero = true,
     .read = sample_read},
};

static int sample_realize(struct device *d, struct err *e)
{
    struct sample *s = DEVICE_STATE(struct sample, d);
    int ret = device_map_block(d, 0, d->env->mem_root, 0x1000, NULL, e);
    if (ret == 0) {
        ret = device_map_block(d, 1, d->env->mem_root, 0x2000, NULL, e);
    }
    return ret == 0 && s->count == 7 ? err_set(e, EIO, "seven is refused") : ret;
}

static unsigned unrealized;

static void sample_unrealize(struct device *d)
{
    (void)d;
    unrealized++;
}

static void sample_reset(struct device *d)
{
    DEVICE_STATE(struct sample, d)->resets++;
}

static const struct device_class sample_class = {
    .name = "sample",
    .summary = "a device for tests",
    .state_size = sizeof(struct sample),
    .props = TABLE(sample_props),
    .blocks = TABLE(sample_blocks),
    .realize = sample_realize,
    .unrealize = sample_unrealize,
    .reset = sample_reset,
};

static struct fake_machine m;

static void setup(void)
{
    fake_machine_init(&m, 0);
}

static void teardown(void)
{
    fake_machine_free(&m);
}

TestSuite(device, .init = setup, .fini = teardown);

/* --- properties ------------------------------------------------------- */

static struct sample *new_sample(void)
{
    struct err e = ERR_INIT;
    struct device *d = device_new(&sample_class, "s0", &m.env, &e);
    cr_assert_not_null(d, "%s", e.what);
    return DEVICE_STATE(struct sample, d);
}

Test(device, properties_start_at_their_defaults)
{
    struct sample *s = new_sample();
    cr_assert_not(s->flag);
    cr_assert_eq(s->count, 3);
    cr_assert_eq(s->address, 0x10);
    cr_assert_eq(s->size, 4096);
    cr_assert_str_eq(s->label, "none");
    cr_assert_str_eq(s->dev.id, "s0");
    device_free(&s->dev);
}

Test(device, properties_are_parsed_by_type)
{
    struct sample *s = new_sample();
    cr_assert_eq(device_set(&s->dev, "flag", NULL, NULL), 0);
    cr_assert(s->flag);
    cr_assert_eq(device_set(&s->dev, "flag", "off", NULL), 0);
    cr_assert_not(s->flag);
    cr_assert_eq(device_set(&s->dev, "count", "10", NULL), 0);
    cr_assert_eq(s->count, 10);
    cr_assert_eq(device_set(&s->dev, "address", "0xffffffffffffffff", NULL), 0);
    cr_assert_eq(s->address, UINT64_MAX);
    cr_assert_eq(device_set(&s->dev, "size", "2M", NULL), 0);
    cr_assert_eq(s->size, 2 << 20);
    cr_assert_eq(device_set(&s->dev, "label", "a", NULL), 0);
    cr_assert_eq(device_set(&s->dev, "label", "b", NULL), 0);
    cr_assert_str_eq(s->label, "b");
    device_free(&s->dev);
}

static void refuses(struct sample *s, const char *prop, const char *value, int want,
                    const char *text)
{
    struct err e = ERR_INIT;
    cr_assert_eq(device_set(&s->dev, prop, value, &e), want, "%s=%s", prop, value);
    cr_assert_not_null(strstr(e.what, text), "%s", e.what);
}

Test(device, a_refused_value_names_device_property_and_reason)
{
    struct sample *s = new_sample();
    refuses(s, "count", "11", -ERANGE, "'sample', property 'count': '11' is out of range");
    refuses(s, "count", "0", -ERANGE, "1 to 10");
    refuses(s, "count", "x", -EINVAL, "'x' is not a number");
    refuses(s, "count", NULL, -EINVAL, "needs a value");
    refuses(s, "label", NULL, -EINVAL, "needs a value");
    refuses(s, "size", "4095", -ERANGE, "too small");
    refuses(s, "size", "4KB", -EINVAL, "not a size");
    refuses(s, "flag", "maybe", -EINVAL, "neither on nor off");
    cr_assert_eq(s->count, 3, "as it was");
    device_free(&s->dev);
}

Test(device, a_u32_without_limits_still_has_32_bits)
{
    static const struct prop props[] = {PROP(struct sample, count, PROP_U32, NULL, 0, 0, "x")};
    struct device_class cls = sample_class;
    cls.props = props;
    cls.prop_count = 1;
    struct device *d = device_new(&cls, "s", &m.env, NULL);
    cr_assert_eq(device_set(d, "count", "4294967295", NULL), 0);
    cr_assert_eq(device_set(d, "count", "4294967296", NULL), -ERANGE);
    device_free(d);
}

Test(device, an_unknown_property_suggests_the_nearest)
{
    struct sample *s = new_sample();
    struct err e = ERR_INIT;
    cr_assert_eq(device_set(&s->dev, "lable", "x", &e), -ENOENT);
    cr_assert_str_eq(e.hint, "did you mean 'label'?");
    cr_assert_eq(device_set(&s->dev, "quux", "x", &e), -ENOENT);
    cr_assert_str_eq(e.hint, "--device sample,help lists its properties");
    device_free(&s->dev);
}

Test(device, a_bad_default_is_an_error_not_a_crash)
{
    static const struct prop props[] = {PROP(struct sample, count, PROP_U32, "99", 1, 10, "x")};
    struct device_class cls = sample_class;
    cls.props = props;
    cls.prop_count = 1;
    struct err e = ERR_INIT;
    cr_assert_null(device_new(&cls, "s", &m.env, &e));
    cr_assert_not_null(strstr(e.what, "out of range"));
}

/* --- life ------------------------------------------------------------- */

Test(device, realize_resets_and_free_takes_the_regions_out)
{
    struct device *d = fake_device_of(&m, &sample_class, "count=4");
    struct sample *s = DEVICE_STATE(struct sample, d);
    cr_assert_eq(s->count, 4);
    cr_assert_eq(s->resets, 1);
    device_reset(d);
    cr_assert_eq(s->resets, 2);
    cr_assert_str_eq(d->regions[0].region.name, "sample.main");
    uint32_t value;
    cr_assert_eq(aspace_read(m.mem, 0x1000, &value, 4), ACCESS_OK);
    device_free(d);
    cr_assert_eq(unrealized, 1);
    cr_assert_eq(aspace_read(m.mem, 0x1000, &value, 4), ACCESS_UNASSIGNED);
    device_free(NULL);
}

Test(device, a_failed_realize_leaves_nothing_behind)
{
    struct sample *s = new_sample();
    struct err e = ERR_INIT;
    cr_assert_eq(device_set(&s->dev, "count", "7", NULL), 0);
    cr_assert_eq(device_realize(&s->dev, &e), -EIO);
    cr_assert_eq(s->resets, 0);
    device_free(&s->dev);
    cr_assert_eq(unrealized, 0);
    uint32_t value;
    cr_assert_eq(aspace_read(m.mem, 0x1000, &value, 4), ACCESS_UNASSIGNED);
}

Test(device, a_long_id_is_cut)
{
    struct device *d = device_new(
        &sample_class, "a-name-that-is-much-longer-than-an-identifier-can-be", &m.env, NULL);
    cr_assert_eq(strlen(d->id), DEVICE_ID_MAX - 1);
    device_free(d);
}

/* --- register blocks -------------------------------------------------- */

/* What the header promises, without the index. */
static bool oracle(uint32_t offset, unsigned size, bool write)
{
    for (size_t i = 0; i < sizeof(sample_regs) / sizeof(sample_regs[0]); i++) {
        const struct reg *r = &sample_regs[i];
        if ((r->access & (write ? REG_WO : REG_RO)) == 0 || (r->widths & size) == 0) {
            continue;
        }
        const uint32_t step = (r->widths & REG_ANYWHERE) != 0 ? 1 : size;
        for (uint32_t at = r->offset; at + size <= r->offset + r->length; at += step) {
            if (at == offset) {
                return at == r->offset || (r->widths & REG_AT_START) == 0;
            }
        }
    }
    return false;
}

static void check_read(struct sample *s, uint32_t offset, unsigned size)
{
    uint64_t mask = size < 8 ? (1ULL << 8 * size) - 1 : UINT64_MAX;
    unsigned reads = s->reads;
    uint64_t errors = guest_error_count(&s->dev.guest_errors);
    uint64_t value = fake_read(m.mem, 0x1000 + offset, size);
    if (oracle(offset, size, false)) {
        cr_assert_eq(s->reads, reads + 1, "read %u at %x", size, offset);
        cr_assert(s->offset == offset && s->access_size == size);
        cr_assert_eq(value, 0x1122334455667788 & mask);
        cr_assert_eq(guest_error_count(&s->dev.guest_errors), errors);
    } else {
        cr_assert_eq(s->reads, reads, "read %u at %x", size, offset);
        cr_assert_eq(value, mask);
        cr_assert_eq(guest_error_count(&s->dev.guest_errors), errors + 1);
    }
}

static void check_write(struct sample *s, uint32_t offset, unsigned size)
{
    uint64_t mask = size < 8 ? (1ULL << 8 * size) - 1 : UINT64_MAX;
    unsigned writes = s->writes;
    uint64_t errors = guest_error_count(&s->dev.guest_errors);
    uint64_t value = 0x8877665544332211 & mask;
    fake_write(m.mem, 0x1000 + offset, value, size);
    if (oracle(offset, size, true)) {
        cr_assert_eq(s->writes, writes + 1, "write %u at %x", size, offset);
        cr_assert(s->offset == offset && s->access_size == size && s->value == value);
        cr_assert_eq(guest_error_count(&s->dev.guest_errors), errors);
    } else {
        cr_assert_eq(s->writes, writes, "write %u at %x", size, offset);
        cr_assert_eq(guest_error_count(&s->dev.guest_errors), errors + 1);
    }
}

Test(device, every_offset_width_and_direction_agrees_with_the_oracle)
{
    struct device *d = fake_device_of(&m, &sample_class, NULL);
    struct sample *s = DEVICE_STATE(struct sample, d);
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (uint32_t offset = 0; offset + size <= BLOCK_SIZE; offset++) {
            check_read(s, offset, size);
            check_write(s, offset, size);
        }
    }
    cr_assert(s->reads > 20 && s->writes > 20, "%u %u", s->reads, s->writes);
    device_free(d);
}

Test(device, the_table_knows_what_fits)
{
    struct device *d = fake_device_of(&m, &sample_class, NULL);
    const struct device_region *r = &d->regions[0];
    cr_assert(device_access_fits(r, 8, 1, true));
    cr_assert(device_access_fits(r, 8, 1, false));
    cr_assert(device_access_fits(r, 0x2c, 4, false));
    cr_assert_not(device_access_fits(r, 0x3c, 4, false), "half of it is past the end");
    cr_assert(device_access_fits(r, 0x40, 4, false));
    cr_assert_not(device_access_fits(r, 0x44, 4, false), "not at its start");
    cr_assert_not(device_access_fits(r, 0x48, 1, false), "after the last register");
    cr_assert_not(device_access_fits(r, UINT64_MAX, 1, false));
    device_free(d);
}

Test(device, a_block_may_answer_misfits_with_zero)
{
    struct device *d = fake_device_of(&m, &sample_class, NULL);
    cr_assert_eq(fake_read(m.mem, 0x2000, 4), 0x55667788);
    cr_assert_eq(fake_read(m.mem, 0x2000, 2), 0);
    cr_assert_eq(fake_read(m.mem, 0x200f, 1), 0);
    fake_write(m.mem, 0x2000, 1, 4);
    cr_assert_eq(guest_error_count(&d->guest_errors), 3);
    device_free(d);
}

/* --- help and registry ------------------------------------------------ */

static char *help_text(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    cr_assert_not_null(f);
    print(f);
    fclose(f);
    return text;
}

static void print_sample(FILE *out)
{
    device_class_help(&sample_class, out);
}

Test(device, help_shows_properties_and_registers)
{
    static const char *const want[] = {
        "sample: a device for tests\n",  "count=<number> (3)  how many; 1 to 10",
        "flag=<on|off>  a switch",       "size=<size> (4K)",
        "registers of main, 0x50 bytes", "0x20-0x2f    1,2,4,8 rw ",
        "0x8          1       wo",       "identification",
    };
    char *text = help_text(print_sample);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        cr_assert_not_null(strstr(text, want[i]), "'%s' in:\n%s", want[i], text);
    }
    free(text);
}

Test(device, the_list_leaves_internal_classes_out)
{
    char *text = help_text(device_list_help);
    for (const struct device_class *const *c = device_classes; *c != NULL; c++) {
        char line[200];
        snprintf(line, sizeof(line), "%-16s %s\n", (*c)->name, (*c)->summary);
        cr_assert_eq(strstr(text, line) == NULL, (*c)->internal, "%s", (*c)->name);
    }
    free(text);
}

Test(device, find_suggests_the_nearest)
{
    struct err e = ERR_INIT;
    cr_assert_str_eq(device_class_find("debug-exit", NULL)->name, "debug-exit");
    cr_assert_null(device_class_find("debug-exti", &e));
    cr_assert_str_eq(e.hint, "did you mean 'debug-exit'?");
    cr_assert_eq(e.status, EXIT_USAGE);
    cr_assert_null(device_class_find("quux", &e));
    cr_assert_not_null(strstr(e.hint, "help"));
}

/* --- every registered class ------------------------------------------- */

static void check_block(const struct device_class *cls, const struct reg_block *b)
{
    cr_assert(b->name != NULL);
    cr_assert(b->repeats == 0 || b->repeat_from + (uint64_t)b->stride * b->repeats <= b->size, "%s",
              cls->name);
    for (size_t i = 0; i < b->count; i++) {
        const struct reg *r = &b->regs[i];
        cr_assert(r->name != NULL && r->meaning != NULL, "%s %zu", cls->name, i);
        cr_assert(r->length > 0 && r->offset + (uint64_t)r->length <= b->size, "%s.%s", cls->name,
                  r->name);
        cr_assert((r->widths & 15) != 0 && (r->widths & ~(15 | REG_AT_START | REG_ANYWHERE)) == 0,
                  "%s.%s", cls->name, r->name);
        cr_assert(r->access >= REG_RO && r->access <= REG_RW, "%s.%s", cls->name, r->name);
        cr_assert((r->access & REG_RO) == 0 || b->read != NULL, "%s.%s", cls->name, r->name);
        cr_assert((r->access & REG_WO) == 0 || b->write != NULL, "%s.%s", cls->name, r->name);
        for (size_t j = 0; j < i; j++) {
            const struct reg *o = &b->regs[j];
            bool apart = o->offset + o->length <= r->offset || r->offset + r->length <= o->offset;
            cr_assert(apart || (o->access & r->access) == 0, "%s: %s and %s overlap", cls->name,
                      o->name, r->name);
        }
    }
}

Test(device, tables_of_all_classes_are_sound)
{
    for (const struct device_class *const *c = device_classes; *c != NULL; c++) {
        const struct device_class *cls = *c;
        cr_assert(cls->state_size >= sizeof(struct device) && cls->summary != NULL, "%s",
                  cls->name);
        for (const struct device_class *const *o = device_classes; o != c; o++) {
            cr_assert_str_neq((*o)->name, cls->name);
        }
        for (size_t i = 0; i < cls->prop_count; i++) {
            cr_assert(cls->props[i].offset >= sizeof(struct device), "%s", cls->props[i].name);
            cr_assert(cls->props[i].offset < cls->state_size, "%s", cls->props[i].name);
            cr_assert_not_null(cls->props[i].meaning);
        }
        for (size_t i = 0; i < cls->block_count; i++) {
            check_block(cls, &cls->blocks[i]);
        }
        for (size_t i = 0; i < cls->field_count; i++) {
            const struct field *f = &cls->fields[i];
            cr_assert(f->offset + f->stride * (f->count - 1) + f->size <= cls->state_size, "%s.%s",
                      cls->name, f->name);
            cr_assert(f->since >= 1 && f->since <= cls->version, "%s.%s", cls->name, f->name);
        }
        struct err e = ERR_INIT;
        struct device *d = device_new(cls, cls->name, &m.env, &e);
        cr_assert_not_null(d, "%s: a default is wrong: %s", cls->name, e.what);
        device_free(d);
    }
}
