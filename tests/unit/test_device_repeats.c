/*
 * Registers that are there several times, at a stride.
 */
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define AT       0x1000
#define SIZE     0x80
#define READ(at) (0x80000000 | (at))

struct repeater {
    struct device dev;
    uint32_t written[SIZE]; /* by offset */
};

static uint64_t repeater_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)d, (void)size;
    return READ(offset);
}

static void repeater_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    DEVICE_STATE(struct repeater, d)->written[offset] = (uint32_t)value;
}

static const struct reg regs[] = {
    {"global", 0x00, 4, 4, REG_RW, 0, "there once"},
    {"channel", 0x14, 4, 4, REG_RW, 0, "there three times"},
};

static const struct reg_block blocks[] = {
    {.name = "regs",
     .size = SIZE,
     .regs = TABLE(regs),
     .repeat_from = 0x10,
     .stride = 0x20,
     .repeats = 3,
     .read = repeater_read,
     .write = repeater_write},
};

static int repeater_realize(struct device *d, struct err *e)
{
    return device_map_block(d, 0, d->env->mem_root, AT, NULL, e);
}

static const struct device_class repeater_class = {
    .name = "repeater",
    .summary = "for tests",
    .state_size = sizeof(struct repeater),
    .blocks = TABLE(blocks),
    .realize = repeater_realize,
};

Test(device_repeats, each_is_where_the_stride_says_and_nowhere_else)
{
    struct fake_machine m;
    fake_machine_init(&m, 0);
    struct device *d = fake_device_of(&m, &repeater_class, NULL);
    uint64_t errors = 0;
    for (uint32_t at = 0; at < SIZE; at += 4) {
        bool exists = at == 0 || at == 0x14 || at == 0x34 || at == 0x54;
        errors += exists ? 0 : 2;
        cr_assert_eq(fake_read(m.mem, AT + at, 4), exists ? READ(at) : UINT32_MAX, "0x%x", at);
        fake_write(m.mem, AT + at, at + 1, 4);
        cr_assert_eq(DEVICE_STATE(struct repeater, d)->written[at], exists ? at + 1 : 0, "0x%x",
                     at);
        cr_assert_eq(guest_error_count(&d->guest_errors), errors);
    }
    cr_assert(device_access_fits(&d->regions[0], 0x54, 4, false));
    cr_assert_not(device_access_fits(&d->regions[0], UINT64_MAX, 1, false));
    device_free(d);
    fake_machine_free(&m);
}

Test(device_repeats, help_says_so)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    device_class_help(&repeater_class, out);
    fclose(out);
    cr_assert_not_null(strstr(text, "from 0x10 on: 3 times, 0x20 bytes apart"), "%s", text);
    free(text);
}
