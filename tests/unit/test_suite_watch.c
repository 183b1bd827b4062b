/*
 * vmm-test's patterns and watched streams.
 */
#include "tools/suite/watch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *text, bool literal, const char *line)
{
    struct pattern p;
    cr_assert_eq(pattern_init(&p, text, literal, NULL), 0, "%s", text);
    bool result = pattern_matches(&p, line);
    pattern_destroy(&p);
    return result;
}

Test(suite_watch, patterns_are_expressions_or_texts)
{
    cr_assert(matches("^a.*b$", false, "a\xff\x01 b"), "bytes, not characters");
    cr_assert(!matches("^a.*b$", false, "abc"));
    cr_assert(!matches("a{2}", false, "ab"));
    cr_assert(matches("a{2}|[[:digit:]]", false, "a7"));
    cr_assert(matches("a.b", true, "xa.b"));
    cr_assert(!matches("a.b", true, "axb"));
}

Test(suite_watch, large_patterns_are_refused_and_long_ones_are_not)
{
    static const char *const large[] = {
        "(a{255}){255}",
        "((((a{10}){10}){10}){10}){10}",
        "(a{1,32767}){9}",
        "((a|b){300}c){300}",
        "((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))",
    };
    static const char *const fine[] = {
        "[0-9a-f]{16} [0-9a-f]{16} [0-9a-f]{16}",
        "[]{}()]{3}",
        "[[:alpha:]{}]{3}",
        "\\{\\(",
        "(ab){100}(cd){100}",
        "[^]a]*",
        "((((a))))",
    };
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        struct pattern p;
        struct err e = ERR_INIT;
        cr_expect_lt(pattern_init(&p, large[i], false, &e), 0, "%s", large[i]);
        cr_expect_not_null(strstr(e.what, "too large"), "%s", e.what);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct pattern p;
        struct err e = ERR_INIT;
        cr_expect_eq(pattern_init(&p, fine[i], false, &e), 0, "%s: %s", fine[i], e.what);
        pattern_destroy(&p);
    }
}

/* --- streams -------------------------------------------------------------------------- */

struct patterns {
    struct pool pool;
    struct expectation wanted;
    struct pattern *all[8];
    size_t count;
};

static void add(struct patterns *p, bool forbidden, const char *text)
{
    struct pattern *new = pool_alloc(&p->pool, sizeof(*new));
    cr_assert_eq(pattern_init(new, text, false, NULL), 0);
    p->all[p->count++] = new;
    list_add(&p->pool, forbidden ? &p->wanted.forbid : &p->wanted.expect, new);
}

static void free_patterns(struct patterns *p)
{
    for (size_t i = 0; i < p->count; i++) {
        pattern_destroy(p->all[i]);
    }
    pool_free(&p->pool);
}

Test(suite_watch, expected_patterns_come_in_order_each_in_a_line)
{
    struct patterns p = {0};
    struct watch w;
    add(&p, false, "^a$");
    add(&p, false, "b");
    add(&p, false, "b");
    watch_init(&w, &p.wanted, 1000);
    watch_feed(&w, "b\nab", 4);
    cr_assert_eq(w.came, 0, "b before a, and a line that is not complete");
    watch_feed(&w, "\na\r\n", 4);
    cr_assert_eq(w.came, 1);
    watch_feed(&w, "bb\n", 3);
    cr_assert_eq(w.came, 2, "one line, one pattern");
    watch_feed(&w, "xb", 2);
    cr_assert_eq(w.came, 2);
    watch_end(&w);
    cr_assert_eq(w.came, 3, "the last line may have no end");
    cr_assert_eq(w.lines, 5);
    watch_free(&w);
    free_patterns(&p);
}

Test(suite_watch, the_first_forbidden_line_is_remembered)
{
    struct patterns p = {0};
    struct watch w;
    add(&p, true, "WARNING:");
    add(&p, true, "BUG:");
    watch_init(&w, &p.wanted, 1000);
    watch_feed(&w, "one\ntwo BUG: x\r\nWARNING: y\n", 27);
    cr_assert_str_eq(w.forbidden->text, "BUG:");
    cr_assert_eq(w.forbidden_line, 2);
    cr_assert_arr_eq(w.data + w.forbidden_at, "two BUG: x", w.forbidden_length);
    cr_assert_eq(w.length, 27, "all is kept");
    watch_end(&w);
    cr_assert_eq(w.lines, 2);
    watch_free(&w);
    free_patterns(&p);
}

Test(suite_watch, nothing_hides_behind_a_nul_byte)
{
    struct patterns p = {0};
    struct watch w;
    add(&p, true, "BUG:");
    add(&p, false, "^a.*b$");
    watch_init(&w, &p.wanted, 1000);
    watch_feed(&w, "a\0\0b\r\n\0BUG:\n", 12);
    cr_assert_eq(w.came, 1);
    cr_assert_eq(w.forbidden_line, 2);
    watch_free(&w);
    free_patterns(&p);
}

Test(suite_watch, a_line_without_end_is_compared_in_pieces)
{
    static char text[3 * WATCH_LINE_MAX];
    struct patterns p = {0};
    struct watch w;
    add(&p, true, "BUG:");
    watch_init(&w, &p.wanted, sizeof(text));
    memset(text, 'x', sizeof(text));
    memcpy(text + 2 * WATCH_LINE_MAX + 5, "BUG:", 4);
    watch_feed(&w, text, sizeof(text) - 1);
    cr_assert_eq(w.lines, 2);
    watch_feed(&w, "y", 1);
    cr_assert_eq(w.forbidden_line, 3);
    cr_assert(!w.over);
    watch_feed(&w, "z", 1);
    cr_assert(w.over);
    cr_assert_eq(w.length, sizeof(text));
    watch_free(&w);
    free_patterns(&p);
}

Test(suite_watch, tails)
{
    struct expectation nothing = {0};
    struct watch w;
    watch_init(&w, &nothing, 1000);
    cr_assert_eq(watch_tail(&w, 3, 100), 0);
    watch_feed(&w, "1\n2\n3\n4\n", 8);
    cr_assert_eq(watch_tail(&w, 2, 100), 4);
    cr_assert_eq(watch_tail(&w, 4, 100), 0);
    cr_assert_eq(watch_tail(&w, 9, 100), 0);
    cr_assert_eq(watch_tail(&w, 9, 3), 5);
    watch_feed(&w, "5", 1);
    cr_assert_eq(watch_tail(&w, 2, 100), 6);
    watch_free(&w);
}

/* --- against an oracle ------------------------------------------------------------------ */

/* How many of the letters in `expect` come in this order, each in a line of its own. */
static size_t oracle_came(const char *text, const char *expect)
{
    size_t came = 0;
    while (*text != '\0' && expect[came] != '\0') {
        size_t n = strcspn(text, "\n");
        came += memchr(text, expect[came], n) != NULL;
        text += n + (text[n] == '\n');
    }
    return came;
}

static unsigned long oracle_forbidden(const char *text)
{
    unsigned long line = 1;
    for (; *text != '\0' && *text != 'z'; text++) {
        line += *text == '\n';
    }
    return *text == 'z' ? line : 0;
}

/* However the bytes are cut, the result is the same as of the whole text. */
Test(suite_watch, any_text_in_any_pieces)
{
    unsigned short seed[3] = {4, 5, 6};
    struct patterns p = {0};
    add(&p, false, "a");
    add(&p, false, "b");
    add(&p, false, "a");
    add(&p, false, "c");
    add(&p, true, "z");
    for (int round = 0; round < 3000; round++) {
        char text[64];
        size_t length = (size_t)nrand48(seed) % (sizeof(text) - 1);
        for (size_t i = 0; i < length; i++) {
            text[i] = "aabbccx\n\n\nz"[nrand48(seed) % (round % 2 ? 11 : 10)];
        }
        text[length] = '\0';
        struct watch w;
        watch_init(&w, &p.wanted, 1000);
        for (size_t at = 0; at < length;) {
            size_t n = 1 + (size_t)nrand48(seed) % 9;
            n = n > length - at ? length - at : n;
            watch_feed(&w, text + at, n);
            at += n;
        }
        watch_end(&w);
        unsigned long bad = oracle_forbidden(text);
        cr_assert_eq(w.forbidden != NULL, bad != 0);
        cr_assert_eq(w.forbidden_line, bad);
        if (bad == 0) {
            cr_assert_eq(w.came, oracle_came(text, "abac"), "%s", text);
        }
        watch_free(&w);
    }
    free_patterns(&p);
}
