/*
 * vmm-test's suite files: what a boot becomes, and where mistakes are.
 */
#include "tests/unit/suite_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct suite_fixture f;

static void start(void)
{
    memset(&f, 0, sizeof(f));
    unsetenv("NOT_SET");
    setenv("FROM_ENV", "two words", 1);
}

static void end(void)
{
    suite_fixture_end(&f);
}

TestSuite(suite_parse, .init = start, .fini = end);

static void parse(const char *text)
{
    suite_fixture_parse(&f, text, strlen(text));
}

static const char *option(const struct boot *b, size_t i)
{
    cr_assert_lt(i, b->options.count);
    return list_at(&b->options, i);
}

static const char *pattern(const struct list *l, size_t i)
{
    cr_assert_lt(i, l->count);
    const struct pattern *p = list_at(l, i);
    return p->text;
}

Test(suite_parse, a_boot_has_all_that_was_said_of_it)
{
    parse("# a comment\n"
          "boot edu-1\r\n"
          "    kernel guests/edu   \n"
          "\toptions --device edu --append \"x y\"\n"
          "    options --cpus 2\n"
          "    expect ^edu: ok$\n"
          "    expect-text a.b\n"
          "    forbid BUG:\n"
          "    forbid-text (x\n"
          "    expect-message error\n"
          "    forbid-message .\n"
          "    status 3\n"
          "    timeout 0.5\n"
          "    output-limit 2K\n"
          "    input text \"a\\x00b\\n\"\n"
          "    disk scratch 1M\n"
          "    disk copy /disks/a ro,serial=x");
    cr_assert_eq(f.result, 0, "%s", f.mistakes);
    const struct boot *b = suite_fixture_boot(&f, 0);
    cr_assert_str_eq(b->name, "edu-1");
    cr_assert_eq(b->line, 2);
    cr_assert_str_eq(b->kernel, "/f/guests/edu");
    cr_assert_eq(b->options.count, 6);
    cr_assert_str_eq(option(b, 3), "x y");
    cr_assert_str_eq(option(b, 5), "2");
    cr_assert_str_eq(pattern(&b->console.expect, 0), "^edu: ok$");
    cr_assert_str_eq(pattern(&b->console.expect, 1), "a.b");
    cr_assert_str_eq(pattern(&b->console.forbid, 1), "(x");
    cr_assert_str_eq(pattern(&b->messages.expect, 0), "error");
    cr_assert_str_eq(pattern(&b->messages.forbid, 0), ".");
    cr_assert_eq(b->status, 3);
    cr_assert_eq(b->time_limit_ns, NS_PER_SECOND / 2);
    cr_assert_eq(b->output_limit, 2048);
    cr_assert_eq(b->input, INPUT_TEXT);
    cr_assert_eq(b->input_length, 4);
    cr_assert_arr_eq(b->input_text, "a\0b\n", 4);
    const struct disk *d = list_at(&b->disks, 0);
    cr_assert_eq(d->size, 1 << 20);
    d = list_at(&b->disks, 1);
    cr_assert_str_eq(d->copy_of, "/disks/a");
    cr_assert_str_eq(d->properties, ",ro,serial=x");
}

Test(suite_parse, defaults_are_of_the_boots_that_follow)
{
    parse("boot before\n kernel k\n"
          "default timeout 1\n"
          "default kernel d\n"
          "default forbid BUG:\n"
          "default options --memory 64M\n"
          "boot a\n options --cpus 2\n forbid X\n"
          "boot b\n kernel none\n options --cpus 3\n timeout 2\n"
          "default timeout 3\n"
          "boot c\n");
    cr_assert_eq(f.result, 0, "%s", f.mistakes);
    const struct boot *before = suite_fixture_boot(&f, 0);
    const struct boot *a = suite_fixture_boot(&f, 1);
    const struct boot *b = suite_fixture_boot(&f, 2);
    const struct boot *c = suite_fixture_boot(&f, 3);
    cr_assert_eq(before->time_limit_ns, 10 * NS_PER_SECOND);
    cr_assert_eq(before->console.forbid.count, 0);
    cr_assert_eq(a->time_limit_ns, NS_PER_SECOND);
    cr_assert_str_eq(a->kernel, "/f/d");
    cr_assert_eq(a->options.count, 4);
    cr_assert_eq(a->console.forbid.count, 2);
    cr_assert_eq(b->time_limit_ns, 2 * NS_PER_SECOND);
    cr_assert_null(b->kernel);
    cr_assert_eq(b->options.count, 4, "what one boot adds is not in the next");
    cr_assert_str_eq(option(a, 3), "2");
    cr_assert_str_eq(option(b, 3), "3");
    cr_assert_eq(b->console.forbid.count, 1);
    cr_assert_eq(c->time_limit_ns, 3 * NS_PER_SECOND);
}

Test(suite_parse, repetitions_are_boots_with_numbers)
{
    parse("boot a\n kernel k\n repeat 3\nboot b\n kernel k\n repeat 1\nboot c\n kernel k\n");
    cr_assert_eq(f.result, 0, "%s", f.mistakes);
    cr_assert_eq(f.suite.boots.count, 5);
    cr_assert_str_eq(suite_fixture_boot(&f, 0)->name, "a.1");
    cr_assert_str_eq(suite_fixture_boot(&f, 2)->name, "a.3");
    cr_assert_str_eq(suite_fixture_boot(&f, 3)->name, "b.1");
    cr_assert_str_eq(suite_fixture_boot(&f, 4)->name, "c");
}

Test(suite_parse, states_are_found_by_name)
{
    parse("default kernel k\ndefault disk scratch 1K\nboot x\n from ready\nprepare ready\n"
          " ready a b\n");
    cr_assert_eq(f.result, 0, "%s", f.mistakes);
    cr_assert_str_eq(suite_fixture_boot(&f, 0)->from, "ready");
    cr_assert_eq(suite_state(&f.suite, "ready"), suite_fixture_boot(&f, 1));
    cr_assert_str_eq(suite_fixture_boot(&f, 1)->ready, "a b");
    cr_assert_null(suite_state(&f.suite, "x"), "a boot is no state");
}

Test(suite_parse, variables_and_quotes)
{
    cr_assert_eq(suite_define(&f.suite, "V=first", NULL), 0);
    cr_assert_eq(suite_define(&f.suite, "V=a b", NULL), 0, "the last counts");
    parse("boot a\n"
          " kernel ${V}/k\n"
          " options ${FROM_ENV} '${V}' \"${V}\" x${V}y $V $${V} a\\ b \"\\\"\\$\\\\\\x41\" ''\n"
          " expect-text ^${V}$ $${x}\n"
          " options ${SUITE_DIR}\n");
    cr_assert_eq(f.result, 0, "%s", f.mistakes);
    static const char *const words[] = {"two words", "${V}", "a b",    "xa by", "$V",
                                        "${V}",      "a b",  "\"$\\A", "",      "/f"};
    const struct boot *b = suite_fixture_boot(&f, 0);
    cr_assert_str_eq(b->kernel, "/f/a b/k");
    cr_assert_eq(b->options.count, 10);
    for (size_t i = 0; i < 10; i++) {
        cr_assert_str_eq(option(b, i), words[i]);
    }
    cr_assert_str_eq(pattern(&b->console.expect, 0), "^a b$ ${x}");
}

/* --- mistakes ------------------------------------------------------------------------- */

#define BOOT "boot a\n kernel k\n"

static const struct {
    const char *text;
    const char *said;
} mistakes[] = {
    {"", "t:0: error: no boots"},
    {"\n# nothing\n", "t:2: error: no boots"},
    {"boot\n kernel k\n", "t:1: error: the name is missing"},
    {"boot a b\n kernel k\n", "t:1: error: the name is one word"},
    {"boot a/b\n kernel k\n", "t:1: error: 'a/b' is no name for a boot"},
    {"boot ..\n kernel k\n", "t:1: error: '..' is no name"},
    {"boot -x\n kernel k\n", "t:1: error: '-x' is no name"},
    {"\nboot a\n\n", "t:2: error: 'a' has no kernel"},
    {"boot a\nboot b\n kernel k\n", "t:1: error: 'a' has no kernel"},
    {BOOT BOOT, "t:3: error: there is a boot 'a' already, at t:1"},
    {BOOT " repeat 2\nboot a.2\n kernel k\n", "already, at t:"},
    {"kernel k\n", "t:1: error: kernel is said of no boot"},
    {BOOT "default timeout 1\n options x\n", "t:4: error: options is said of no boot"},
    {BOOT " kernle k\n", "t:3: error: there is no 'kernle'\nt:3: hint: did you mean 'kernel'?"},
    {"bot a\n", "t:1: error: there is no 'bot'\nt:1: hint: did you mean 'boot'?"},
    {BOOT " xyzzy\n", "t:3: error: there is no 'xyzzy'\nt:3: hint: boot NAME begins"},
    {BOOT " kernel k\n", "t:3: error: kernel is said twice of 'a'"},
    {BOOT " status 1\n status 1\n", "t:4: error: status is said twice"},
    {BOOT " status 256\n", "t:3: error: '256' is out of range"},
    {BOOT " status\n", "t:3: error: the exit status is missing"},
    {BOOT " status x\n", "t:3: error: 'x' is not a number"},
    {BOOT " timeout 0\n", "t:3: error: '0' is no time limit"},
    {BOOT " timeout -1\n", "t:3: error: '-1' is no time limit"},
    {BOOT " timeout nan\n", "t:3: error: 'nan' is no time limit"},
    {BOOT " timeout 1e9\n", "t:3: error: '1e9' is no time limit"},
    {BOOT " timeout 1s\n", "t:3: error: '1s' is no time limit"},
    {BOOT " output-limit 0\n", "t:3: error: '0' is out of range"},
    {BOOT " output-limit x\n", "t:3: error: 'x' is not a size"},
    {BOOT " repeat 0\n", "t:3: error: '0' is out of range"},
    {BOOT " repeat 10001\n", "t:3: error: '10001' is out of range"},
    {"default repeat 2\n" BOOT, "t:1: error: repeat is said of a boot, it cannot be a default"},
    {"default from x\n" BOOT, "t:1: error: from is said of a boot"},
    {"default\n" BOOT, "t:1: error: there is no ''"},
    {BOOT " options\n", "t:3: error: the options are missing\nt:3: hint: options WORD..."},
    {BOOT " options 'a\n", "t:3: error: a quote (') is not closed"},
    {BOOT " options \"a\n", "t:3: error: a quote (\") is not closed"},
    {BOOT " options \"\\q\"\n", "t:3: error: a backslash that means nothing"},
    {BOOT " options \"\\x4\"\n", "t:3: error: a backslash that means nothing"},
    {BOOT " options \"\\x00\"\n", "t:3: error: only an input text can hold a NUL byte"},
    {BOOT " status \"0\\x00x\"\n", "t:3: error: only an input text can hold a NUL byte"},
    {BOOT " input file \"a\\x00x\"\n", "t:3: error: only an input text can hold a NUL byte"},
    {BOOT " disk copy \"a\\x00x\"\n", "t:3: error: only an input text can hold a NUL byte"},
    {"boot \"a\\x00x\"\n kernel k\n", "t:1: error: only an input text can hold a NUL byte"},
    {"boot a.again1\n kernel k\n", "t:1: error: 'a.again1' is no name for a boot"},
    {BOOT " options ${NOT_SET}\n",
     "t:3: error: the variable NOT_SET is not set\nt:3: hint: vmm-test -D NAME=VALUE"},
    {BOOT " options ${1}\n", "t:3: error: '${' begins no variable"},
    {BOOT " options ${A\n", "t:3: error: '${' begins no variable"},
    {BOOT " expect ${}\n", "t:3: error: '${' begins no variable"},
    {BOOT " expect\n", "t:3: error: the pattern is missing\nt:3: hint: expect PATTERN"},
    {BOOT " expect (a\n", "t:3: error: no regular expression: "},
    {BOOT " forbid [a\n", "t:3: error: no regular expression: "},
    {BOOT " forbid ((a{200}){200}){200}\n", "t:3: error: the pattern is too large"},
    {BOOT " forbid-text\n", "t:3: error: the pattern is missing"},
    {BOOT " input\n", "t:3: error: the input is neither a text nor a file\nt:3: hint: input text"},
    {BOOT " input text a b\n", "t:3: error: the input is neither"},
    {BOOT " disk scratch\n", "t:3: error: the disk is neither scratch nor a copy\nt:3: hint: disk"},
    {BOOT " disk scratch 1\n", "t:3: error: '1' is out of range"},
    {BOOT " disk scratch x\n", "t:3: error: 'x' is not a size"},
    {BOOT " disk move a\n", "t:3: error: the disk is neither"},
    {BOOT " from\n", "t:3: error: the state's name is missing"},
    {"boot a\n from b\n", "t:1: error: 'a' is from 'b', which is not prepared"},
    {"boot a\n from a\n", "t:1: error: 'a' is from 'a', which is not prepared"},
    {"prepare p\n kernel k\nboot a\n from p\n kernel l\n",
     "t:3: error: 'a' is from 'p' and cannot have a kernel"},
    {"prepare p\n kernel k\nboot a\n from p\n disk scratch 1K\n",
     "t:3: error: 'a' is from 'p' and has the disks of that"},
    {BOOT " ready x\n", "t:1: error: 'a' is no state that could be ready"},
    {"prepare p\n kernel k\n ready\n", "t:3: error: the text is missing"},
    {"prepare p\n kernel k\n from p\n", "t:1: error: a prepared state cannot be from another"},
};

Test(suite_parse, mistakes_are_told_with_their_line)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct suite_fixture g = {0};
        suite_fixture_parse(&g, mistakes[i].text, strlen(mistakes[i].text));
        cr_expect_lt(g.result, 0, "%s", mistakes[i].text);
        cr_expect_not_null(strstr(g.mistakes, mistakes[i].said), "of\n%s\nit said\n%s",
                           mistakes[i].text, g.mistakes);
        suite_fixture_end(&g);
    }
}

Test(suite_parse, all_mistakes_are_told_up_to_twenty)
{
    parse(BOOT " x\n y\n");
    cr_assert_not_null(strstr(f.mistakes, "t:3: error"));
    cr_assert_not_null(strstr(f.mistakes, "t:4: error"));
    suite_fixture_end(&f);

    char many[200] = "boot a\n kernel k\n";
    for (int i = 0; i < 30; i++) {
        strcat(many, "x\n");
    }
    start();
    parse(many);
    cr_assert_not_null(strstr(f.mistakes, "t:22: error"));
    cr_assert_null(strstr(f.mistakes, "t:23: error"));
    cr_assert_not_null(strstr(f.mistakes, "t: error: and more"));
}

/* Names that are none are not the same, and a file has no mistakes of others. */
Test(suite_parse, a_mistake_is_told_once)
{
    static const char one[] = "boot a/b\n kernel k\nboot c/d\n kernel k\n";
    static const char twice[] = "boot a\n kernel k\nboot a\n kernel k\n";
    static const char again[] = "boot x.again\n kernel k\nboot x.again.again\n kernel k\n";
    char *more = NULL;
    size_t length;

    parse(one);
    cr_assert_null(strstr(f.mistakes, "already"), "%s", f.mistakes);
    suite_fixture_end(&f);

    start();
    parse(twice);
    cr_assert_not_null(strstr(f.mistakes, "t:3: error: there is a boot 'a' already, at t:1"));
    FILE *to = open_memstream(&more, &length);
    int result = suite_parse(&f.suite, "u", "/f", again, strlen(again), to);
    fclose(to);
    cr_assert(result == 0 && length == 0, "%s", more);
    free(more);
}

Test(suite_parse, odd_bytes_and_long_lines)
{
    static const char nul[] = "boot a\n kernel k\n options a\0b\n";
    suite_fixture_parse(&f, nul, sizeof(nul) - 1);
    cr_assert_not_null(strstr(f.mistakes, "t:3: error: a NUL byte"));
    suite_fixture_end(&f);

    start();
    parse("boot \033[31m\n");
    cr_assert_not_null(strstr(f.mistakes, "t:1: error: '?[31m' is no name"), "%s", f.mistakes);
    suite_fixture_end(&f);

    static char line[100000];
    start();
    memset(line, 'x', sizeof(line) - 1);
    parse(line);
    cr_assert_not_null(strstr(f.mistakes, "t:1: error: the line is longer than 65536 bytes"));
    suite_fixture_end(&f);

    start();
    setenv("FROM_ENV", line, 1);
    size_t n = 0;
    while (n < 1000) {
        n += (size_t)snprintf(line + n, sizeof(line) - n, "%s", n == 0 ? "expect " : "${FROM_ENV}");
    }
    parse(line);
    cr_assert_not_null(strstr(f.mistakes, "longer than 1048576 bytes with its variables"), "%s",
                       f.mistakes);
}

Test(suite_parse, too_many_boots)
{
    parse(BOOT " repeat 10000\nboot b\n kernel k\n repeat 10000\nboot c\n kernel k\n");
    cr_assert_not_null(strstr(f.mistakes, "t:7: error: more than 20000 boots"), "%s", f.mistakes);
}

Test(suite_parse, definitions_are_checked)
{
    static const char *const bad[] = {"", "=x", "1=x", "a", "a b=c", "a-b=c"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = ERR_INIT;
        cr_expect_lt(suite_define(&f.suite, bad[i], &e), 0, "%s", bad[i]);
        cr_expect_str_not_empty(e.hint);
    }
}

/* --- arbitrary files -------------------------------------------------------------------- */

/* Pieces that files are made of, so that random ones get far. */
static const char *const pieces[] = {
    "boot ", "prepare ", "default ", "kernel ", "options ", "expect ", "forbid ",  "expect-text ",
    "from ", "repeat ",  "timeout ", "status ", "input ",   "disk ",   "scratch ", "copy ",
    "text ", "a",        "b",        "1",       "9",        "'",       "\"",       "\\",
    "${",    "}",        "V",        "[",       "(",        ")",       "{",        "^",
    "$",     "\n",       "\n",       " ",       "\t",       "#",       "\r",       "\xff",
};

Test(suite_parse, any_text_is_read_or_refused)
{
    unsigned short seed[3] = {1, 2, 3};
    for (int round = 0; round < 4000; round++) {
        char text[1024];
        size_t n = 0;
        size_t length = (size_t)nrand48(seed) % 800;
        while (n < length) {
            const char *p = pieces[(size_t)nrand48(seed) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        if (n > 0 && round % 3 == 0) {
            text[(size_t)nrand48(seed) % n] = (char)nrand48(seed);
        }
        struct suite_fixture g = {0};
        suite_fixture_parse(&g, text, n);
        cr_assert_eq(g.result<0, g.mistakes_length> 0, "a refusal says why");
        suite_fixture_end(&g);
    }
}
