/*
 * A watched console: the text is found wherever it is in a line, in whatever pieces it comes.
 */
#include "src/console/watch.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <string.h>

static unsigned seen;

static void note(void *opaque)
{
    (*(unsigned *)opaque)++;
}

/* How often text is seen in output, written byte by byte or at once. */
static unsigned times(const char *text, const char *output, bool at_once)
{
    struct fake_chardev inner;
    struct err e = ERR_INIT;
    seen = 0;
    fake_chardev_init(&inner);
    struct chardev *c = chardev_watch(&inner.chardev, text, note, &seen, &e);
    cr_assert_not_null(c);
    const size_t step = at_once ? strlen(output) : 1;
    for (size_t i = 0; i < strlen(output); i += step) {
        cr_assert_eq(chardev_write(c, (const uint8_t *)output + i, step), step);
    }
    cr_expect_eq(inner.out_len, strlen(output));
    cr_expect_arr_eq(inner.out, output, strlen(output));
    chardev_free(c);
    return seen;
}

/* The plain way: at each end of a prefix of a line. */
static unsigned oracle(const char *text, const char *output)
{
    const size_t len = strlen(text);
    unsigned n = 0;
    for (size_t end = len; end <= strlen(output); end++) {
        n += strncmp(output + end - len, text, len) == 0;
    }
    return n;
}

Test(console_watch, texts_in_lines)
{
    cr_expect_eq(times("login: ", "host login: ", false), 1);
    cr_expect_eq(times("login: ", "login:", true), 0);
    cr_expect_eq(times("ab", "a\nb\nab\nxaby\n", true), 2);
    cr_expect_eq(times("aab", "aaaaab aab", true), 2);
    cr_expect_eq(times("aa", "aaaa", true), 3);
}

Test(console_watch, random_outputs_as_a_plain_search_finds_them)
{
    uint64_t x = 88172645463325252;
    for (unsigned round = 0; round < 2000; round++) {
        char text[6] = {0}, output[60] = {0};
        for (size_t i = 0; i < 1 + round % 5; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            text[i] = (char)('a' + x % 2);
        }
        for (size_t i = 0; i < sizeof(output) - 1; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            output[i] = x % 16 == 0 ? '\n' : (char)('a' + x / 16 % 2);
        }
        cr_assert_eq(times(text, output, round % 2 == 0), oracle(text, output), "'%s' in '%s'",
                     text, output);
    }
}

/* What the inner console did not take comes again, and counts once. */
Test(console_watch, what_is_not_taken_is_not_seen)
{
    struct fake_chardev inner;
    struct err e = ERR_INIT;
    seen = 0;
    fake_chardev_init(&inner);
    inner.room = 2;
    struct chardev *c = chardev_watch(&inner.chardev, "abc", note, &seen, &e);
    cr_expect_eq(chardev_write(c, (const uint8_t *)"abc", 3), 2);
    cr_expect_eq(seen, 0);
    inner.room = SIZE_MAX;
    cr_expect_eq(chardev_write(c, (const uint8_t *)"c", 1), 1);
    cr_expect_eq(seen, 1);
    chardev_free(c);
}
