/*
 * Option lists, numbers, sizes, switches and suggestions.
 */
#include "src/base/opts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(opts, list_splits_names_keys_and_flags)
{
    struct opt_list l;
    cr_assert_eq(opt_list_parse(&l, "disk.img,ro,serial=a=b,empty=", NULL), 0);
    cr_assert_str_eq(l.name, "disk.img");
    cr_assert_eq(l.count, 3);
    cr_assert_str_eq(l.opts[0].key, "ro");
    cr_assert_null(l.opts[0].value);
    cr_assert_str_eq(l.opts[1].key, "serial");
    cr_assert_str_eq(l.opts[1].value, "a=b");
    cr_assert_str_eq(l.opts[2].value, "");
    opt_list_free(&l);
}

Test(opts, doubled_commas_are_commas)
{
    struct opt_list l;
    cr_assert_eq(opt_list_parse(&l, "a,,b=1,key=x,,y,,,z", NULL), 0);
    cr_assert_str_eq(l.name, "a,b=1", "the first word is the name even if it holds '='");
    cr_assert_eq(l.count, 2);
    cr_assert_str_eq(l.opts[0].value, "x,y,");
    cr_assert_str_eq(l.opts[1].key, "z");
    opt_list_free(&l);
    cr_assert_eq(opt_list_parse(&l, ",,", NULL), 0);
    cr_assert_str_eq(l.name, ",");
    opt_list_free(&l);
}

Test(opts, empty_names_are_refused)
{
    static const char *const bad[] = {"", ",", ",a", "a,", "a,=v", "a,b,", "a,,,"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct opt_list l;
        struct err e = ERR_INIT;
        cr_assert_eq(opt_list_parse(&l, bad[i], &e), -EINVAL, "'%s'", bad[i]);
        cr_assert_not_null(strstr(e.what, bad[i]));
        opt_list_free(&l); /* harmless */
    }
}

Test(opts, numbers)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},      {"00", 0},
                {"010", 10},   {"0x1F", 31},
                {"0Xff", 255}, {"18446744073709551615", UINT64_MAX},
                {"7", 7},      {"0xffffffffffffffff", UINT64_MAX}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t v = 99;
        cr_assert_eq(opt_u64(good[i].text, 0, UINT64_MAX, &v, NULL), 0, "'%s'", good[i].text);
        cr_assert_eq(v, good[i].value, "'%s'", good[i].text);
    }
}

Test(opts, things_that_are_no_numbers)
{
    static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x", "x1", "1f", "1.5", "1K"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t v = 99;
        cr_assert_eq(opt_u64(bad[i], 0, UINT64_MAX, &v, NULL), -EINVAL, "'%s'", bad[i]);
        cr_assert_eq(v, 99, "a failure leaves the value alone");
    }
}

Test(opts, numbers_out_of_range_name_the_limits)
{
    struct err e = ERR_INIT;
    uint64_t v = 99;
    cr_assert_eq(opt_u64("300", 1, 255, &v, &e), -ERANGE);
    cr_assert_str_eq(e.what, "'300' is out of range, it can be 1 to 255");
    cr_assert_eq(opt_u64("0", 1, 255, &v, &e), -ERANGE);
    cr_assert_eq(opt_u64("0", 1, UINT64_MAX, &v, &e), -ERANGE);
    cr_assert_str_eq(e.what, "'0' is too small, the least is 1");
    cr_assert_eq(opt_u64("18446744073709551616", 0, UINT64_MAX, &v, &e), -ERANGE);
    cr_assert_eq(opt_u64("0x10000000000000000", 0, UINT64_MAX, &v, &e), -ERANGE);
    cr_assert_eq(v, 99);
    cr_assert_eq(opt_u64("1", 1, 255, &v, &e), 0);
    cr_assert_eq(opt_u64("255", 1, 255, &v, &e), 0);
}

Test(opts, sizes)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"512", 512},         {"1k", 1024},       {"256M", 256ULL << 20},
                {"0x10K", 16 * 1024}, {"6G", 6ULL << 30}, {"3t", 3ULL << 40}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t v = 99;
        cr_assert_eq(opt_size(good[i].text, 0, UINT64_MAX, &v, NULL), 0, "'%s'", good[i].text);
        cr_assert_eq(v, good[i].value, "'%s'", good[i].text);
    }
    static const char *const bad[] = {"", "M", "1KiB", "1MB", "1.5G", "1 M", "-1M", "1P", "1MM"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t v = 99;
        cr_assert_eq(opt_size(bad[i], 0, UINT64_MAX, &v, NULL), -EINVAL, "'%s'", bad[i]);
        cr_assert_eq(v, 99);
    }
}

Test(opts, sizes_do_not_wrap)
{
    uint64_t v = 99;
    cr_assert_eq(opt_size("16777215T", 0, UINT64_MAX, &v, NULL), 0);
    cr_assert_eq(v, 16777215ULL << 40);
    cr_assert_eq(opt_size("16777216T", 0, UINT64_MAX, &v, NULL), -ERANGE);
    cr_assert_eq(opt_size("18446744073709551616K", 0, UINT64_MAX, &v, NULL), -ERANGE);
}

Test(opts, switches)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < 8; i++) {
        bool v = i % 2 == 0;
        cr_assert_eq(opt_bool(words[i], &v, NULL), 0);
        cr_assert_eq(v, i % 2 == 1, "'%s'", words[i]);
    }
    bool v = true;
    struct err e = ERR_INIT;
    cr_assert_eq(opt_bool("On", &v, &e), -EINVAL);
    cr_assert_eq(opt_bool("", &v, &e), -EINVAL);
    cr_assert(v);
    cr_assert_str_not_empty(e.hint);
}

static const char *nearest(const char *word)
{
    static const char *const names[] = {"stdio", "null", "file", "pty", "unix", "memory"};
    return opt_nearest(word, names, sizeof(names) / sizeof(names[0]));
}

Test(opts, nearest_finds_typing_mistakes)
{
    cr_assert_str_eq(nearest("stdoi"), "stdio", "a swap is one slip");
    cr_assert_str_eq(nearest("sdtio"), "stdio");
    cr_assert_str_eq(nearest("nul"), "null");
    cr_assert_str_eq(nearest("nulll"), "null");
    cr_assert_str_eq(nearest("memroy"), "memory");
    cr_assert_str_eq(nearest("mmeroy"), "memory", "two slips in six letters");
    cr_assert_str_eq(nearest("PTY"), "pty");
}

Test(opts, nearest_does_not_guess_wildly)
{
    cr_assert_null(nearest("network"));
    cr_assert_null(nearest(""));
    cr_assert_null(nearest("fool"), "two of four letters differ from 'file'");
    cr_assert_null(nearest("a-word-that-is-longer-than-any-name-that-is-known-here"));
    cr_assert_null(opt_nearest("x", NULL, 0));
}

Test(opts, nearest_prefers_the_nearest_then_the_first)
{
    static const char *const names[] = {"disk10", "disk1", "disk2"};
    cr_assert_str_eq(opt_nearest("disk2", names, 3), "disk2");
    cr_assert_str_eq(opt_nearest("disk", names, 3), "disk1");
}
