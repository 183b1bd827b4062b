/*
 * vmm-test's verdicts and reports: reasons, TAP, JUnit, files.
 */
#include "tools/suite/command.h"
#include "tools/suite/outfile.h"
#include "tools/suite/result.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pool pool;
static struct boot boot = {
    .name = "edu", .file = "a/b.suite", .line = 7, .time_limit_ns = 5 * NS_PER_SECOND};

static void end(void)
{
    pool_free(&pool);
}

TestSuite(suite_report, .fini = end);

/* --- verdicts --------------------------------------------------------------------------- */

struct streams {
    struct watch console;
    struct watch messages;
};

static void expect(struct list *to, const char *text)
{
    struct pattern *p = pool_alloc(&pool, sizeof(*p));
    cr_assert_eq(pattern_init(p, text, true, NULL), 0);
    list_add(&pool, to, p);
}

static struct streams streams(const char *console, const char *messages)
{
    struct streams s;
    watch_init(&s.console, &boot.console, 64);
    watch_init(&s.messages, &boot.messages, 64);
    watch_feed(&s.console, console, strlen(console));
    watch_feed(&s.messages, messages, strlen(messages));
    watch_end(&s.console);
    watch_end(&s.messages);
    return s;
}

static enum outcome judge(const struct streams *s, enum stop stop, int wait_status,
                          const char **reason)
{
    struct ending ending = {
        .stop = stop, .wait_status = wait_status, .console = &s->console, .messages = &s->messages};
    return verdict(&boot, &ending, &pool, reason);
}

static void fails(const char *console, const char *messages, enum stop stop, int wait_status,
                  const char *why)
{
    struct streams s = streams(console, messages);
    const char *reason;
    cr_expect_eq(judge(&s, stop, wait_status, &reason), OUTCOME_FAILED);
    cr_expect_str_eq(reason, why);
    watch_free(&s.console);
    watch_free(&s.messages);
}

#define EXITED(status) ((status) << 8)

Test(suite_report, reasons)
{
    expect(&boot.console.expect, "first");
    expect(&boot.console.expect, "second");
    expect(&boot.console.forbid, "BUG:");
    expect(&boot.messages.forbid, "hot");
    fails("first\nx\n", "", STOP_NOT, EXITED(0), "pattern 2 of 2 did not come: \"second\"");
    fails("first\nsecond\n", "", STOP_NOT, EXITED(3), "status 3, expected 0");
    fails("first\n", "", STOP_NOT, EXITED(127),
          "the guest's kernel panicked (status 127, expected 0); pattern 2 of 2 did not come: "
          "\"second\"");
    fails("first\nsecond", "", STOP_NOT, EXITED(126), "the guest crashed (status 126, expected 0)");
    fails("first\nsecond", "", STOP_NOT, EXITED(124),
          "vmm's --timeout ran out (status 124, expected 0)");
    fails("first\nsecond", "vmm: error: kernel x: empty\nvmm: hint: y\n", STOP_NOT, EXITED(125),
          "status 125, expected 0: kernel x: empty");
    fails("x\n\n BUG: \033[1m here\r\n", "", STOP_OUTPUT, EXITED(130),
          "forbidden pattern \"BUG:\" at console line 3:  BUG: ?[1m here");
    fails("first\nsecond", "so hot", STOP_NOT, EXITED(0),
          "forbidden pattern \"hot\" at message line 1: so hot");
    fails("first\n", "", STOP_TIME_LIMIT, EXITED(130),
          "time limit of 5 s ran out; pattern 2 of 2 did not come: \"second\"");
    fails("first\nsecond\n", "", STOP_TIME_LIMIT, SIGKILL, "time limit of 5 s ran out");
    fails("first\nsecond\n", "", STOP_NOT, SIGSEGV,
          "vmm was killed by signal 11 (Segmentation fault)");
    fails("first\nsecond\n", "", STOP_INTERRUPT, EXITED(130), "interrupted");
    fails("0123456789012345678901234567890123456789012345678901234567890123456789", "", STOP_OUTPUT,
          EXITED(130), "printed more than 1 KiB on its console (output-limit)");
}

Test(suite_report, passes_and_skips)
{
    const char *reason = "";
    struct streams s = streams("", "vmm: error: no /dev/kvm\n");
    cr_assert_eq(judge(&s, STOP_NOT, EXITED(0), &reason), OUTCOME_PASSED);
    cr_assert_null(reason);
    cr_assert_eq(judge(&s, STOP_NOT, EXITED(77), &reason), OUTCOME_SKIPPED);
    cr_assert_str_eq(reason, "no /dev/kvm");
    cr_assert_eq(judge(&s, STOP_TIME_LIMIT, EXITED(77), &reason), OUTCOME_FAILED);
    boot.status = 77;
    cr_assert_eq(judge(&s, STOP_NOT, EXITED(77), &reason), OUTCOME_PASSED);
    watch_free(&s.console);
    watch_free(&s.messages);
}

Test(suite_report, forbidden_messages_do_not_hide_a_skip)
{
    const char *reason = "";
    expect(&boot.messages.forbid, "vmm:");
    struct streams s = streams("", "vmm: error: no /dev/kvm\n");
    cr_assert_eq(judge(&s, STOP_NOT, EXITED(77), &reason), OUTCOME_SKIPPED);
    watch_free(&s.console);
    watch_free(&s.messages);
}

/* --- reports --------------------------------------------------------------------------------- */

static const char *report(void (*to)(const struct result *, size_t, FILE *),
                          const struct result *results, size_t count)
{
    char *text;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    to(results, count, f);
    fclose(f);
    const char *copy = pool_copy(&pool, text, length);
    free(text);
    return copy;
}

static const struct boot other = {.name = "x&y", .file = "c.suite", .line = 1};

static void make_results(struct result *r)
{
    r[0] = (struct result){.boot = &boot, .outcome = OUTCOME_PASSED, .attempts = 1, .seconds = .25};
    r[1] = (struct result){.boot = &boot,
                           .outcome = OUTCOME_FAILED,
                           .reason = "pattern \"<x>\"",
                           .command = "vmm --kernel 'a b'",
                           .console = {.text = "one\r\ntwo\033[1m", .length = 12, .lines = 2}};
    r[2] = (struct result){.boot = &other, .outcome = OUTCOME_SKIPPED, .reason = "no KVM"};
    r[3] = (struct result){.boot = &other};
    r[4] = (struct result){.boot = &other,
                           .outcome = OUTCOME_PASSED,
                           .flaky = true,
                           .attempts = 2,
                           .reason = "before"};
}

Test(suite_report, tap)
{
    struct result r[5];
    make_results(r);
    cr_assert_str_eq(report(report_tap, r, 5), "TAP version 13\n"
                                               "1..5\n"
                                               "ok 1 - edu\n"
                                               "not ok 2 - edu\n"
                                               "# a/b.suite:7: pattern \"<x>\"\n"
                                               "# command: vmm --kernel 'a b'\n"
                                               "# console (2 lines): \n"
                                               "#   one\n"
                                               "#   two?[1m\n"
                                               "ok 3 - x&y # SKIP no KVM\n"
                                               "ok 4 - x&y # SKIP not run: interrupted\n"
                                               "ok 5 - x&y\n"
                                               "# flaky: attempt 2 passed, before: before\n");
}

Test(suite_report, junit)
{
    struct result r[5];
    make_results(r);
    const char *x = report(report_junit, r, 5);
    static const char *const parts[] = {
        "<testsuites name=\"vmm-test\" tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"2\"",
        "<testsuite name=\"b\" tests=\"2\" failures=\"1\"",
        "<testcase classname=\"b\" name=\"edu\" time=\"0.250\" line=\"7\" file=\"a/b.suite\">",
        "<failure message=\"pattern &quot;&lt;x&gt;&quot;\">",
        "command: vmm --kernel 'a b'</failure>",
        "<system-out>one\ntwo\xef\xbf\xbd[1m</system-out>",
        "<testsuite name=\"c\" tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"2\"",
        "name=\"x&amp;y\"",
        "<skipped message=\"no KVM\"/>",
        "<flakyFailure message=\"before\">",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        cr_expect_not_null(strstr(x, parts[i]), "no %s in\n%s", parts[i], x);
    }
}

/* Whether it is UTF-8 of XML's characters alone, by the table of RFC 3629. */
static bool is_xml_text(const unsigned char *t)
{
    while (*t != '\0') {
        if (*t < 0x80) {
            if (*t < ' ' && *t != '\n' && *t != '\t') {
                return false;
            }
            t++;
            continue;
        }
        unsigned n = *t >= 0xf0 ? 4 : *t >= 0xe0 ? 3 : 2;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (*t < 0xc2 || *t > 0xf4) {
            return false;
        }
        low = *t == 0xe0 ? 0xa0 : *t == 0xf0 ? 0x90 : low;
        high = *t == 0xed ? 0x9f : *t == 0xf4 ? 0x8f : high;
        if (t[1] < low || t[1] > high || (t[0] == 0xef && t[1] == 0xbf && t[2] >= 0xbe)) {
            return false;
        }
        for (unsigned i = 2; i < n; i++) {
            if ((t[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        t += n;
    }
    return true;
}

Test(suite_report, any_console_makes_xml)
{
    static const char *const odd[] = {"\x80",     "\xc0\x80",     "\xe0\x80\x80", "\xed\xa0\x80",
                                      "\xff\xfe", "\xf4\x90\x80", "\xef\xbf\xbf", "\xe2\x82"};
    unsigned short seed[3] = {7, 8, 9};
    struct result r = {.boot = &boot, .outcome = OUTCOME_FAILED, .reason = "x"};
    for (int round = 0; round < 3000; round++) {
        char text[64];
        size_t n = 0;
        while (n < 40) {
            if (nrand48(seed) % 3 == 0) {
                const char *o = odd[nrand48(seed) % 8];
                memcpy(text + n, o, strlen(o));
                n += strlen(o);
            } else {
                text[n++] = (char)nrand48(seed);
            }
        }
        r.console = (struct tail){.text = text, .length = n, .lines = 1};
        const char *x = report(report_junit, &r, 1);
        cr_assert(is_xml_text((const unsigned char *)x));
        const char *out = strstr(x, "<system-out>") + strlen("<system-out>");
        cr_assert_eq(out + strcspn(out, "<>"), strstr(x, "</system-out>"), "markup is escaped");
    }
    r.console = (struct tail){.text = "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", .length = 11};
    cr_assert_not_null(
        strstr(report(report_junit, &r, 1), ">\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7<"),
        "good UTF-8 stays");
}

Test(suite_report, counts)
{
    struct result r[5];
    make_results(r);
    struct counts c = count_results(r, 5);
    char *text;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    print_counts(&c, f);
    c.flaky = 0;
    print_counts(&c, f);
    fclose(f);
    cr_assert_str_eq(text, "2 passed, 1 failed, 2 skipped, 1 flaky\n"
                           "2 passed, 1 failed, 2 skipped\n");
    free(text);
}

/* --- command lines -----------------------------------------------------------------------------
 */

Test(suite_report, commands)
{
    struct boot b = {.name = "a", .kernel = "/k"};
    struct disk copy = {.properties = ",ro"};
    list_add(&pool, &b.options, "--append");
    list_add(&pool, &b.options, "it's x");
    list_add(&pool, &b.options, "");
    list_add(&pool, &b.disks, &copy);
    char **argv = command_build(&b, "vmm", NULL, &pool);
    cr_assert_str_eq(command_text(argv, &pool),
                     "vmm --kernel /k --append 'it'\\''s x' '' --disk disk0,ro");
    list_add(&pool, &b.options, "a\nnot ok\033'\\");
    argv = command_build(&b, "vmm", NULL, &pool);
    cr_assert_not_null(strstr(command_text(argv, &pool), " $'a\\012not ok\\033\\'\\\\' "), "%s",
                       command_text(argv, &pool));
    b.prepares = true;
    b.ready = "a,b";
    argv = command_build(&b, "vmm", "/t,/s", &pool);
    cr_assert_not_null(
        strstr(command_text(argv, &pool), " --snapshot-save /t,,/s,when=console:a,,b"));
    b = (struct boot){.name = "a", .from = "s", .kernel = "/k"};
    argv = command_build(&b, "vmm", "/s", &pool);
    cr_assert_str_eq(command_text(argv, &pool), "vmm --snapshot-load /s");
}

/* --- files -------------------------------------------------------------------------------------
 */

static char folder[] = "/tmp/vmm-outfile.XXXXXX";

static const char *in_folder(const char *name)
{
    return pool_printf(&pool, "%s/%s", folder, name);
}

Test(suite_report, a_file_replaces_another)
{
    struct err e = ERR_INIT;
    char text[8] = "";
    cr_assert_not_null(mkdtemp(folder));
    const char *path = in_folder("x");
    cr_assert_eq(outfile_write(path, "first", 5, &e), 0);
    cr_assert_eq(outfile_write(path, "2nd", 3, &e), 0);
    FILE *f = fopen(path, "r");
    cr_assert_eq(fread(text, 1, sizeof(text), f), 3);
    cr_assert_str_eq(text, "2nd");
    fclose(f);
    unlink(path);
    cr_assert_eq(rmdir(folder), 0, "nothing else is left");
}

/* A file that cannot be completed leaves what was there before. */
Test(suite_report, a_file_that_is_too_large_does_not_appear)
{
    static const struct rlimit small = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    static const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    static char data[100000];
    struct err e = ERR_INIT;
    struct stat st;
    cr_assert_not_null(mkdtemp(folder));
    const char *path = in_folder("x");
    cr_assert_eq(outfile_write(path, "old", 3, &e), 0);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int ret = outfile_write(path, data, sizeof(data), &e);
    setrlimit(RLIMIT_FSIZE, &none); /* a report of the sanitizers may be longer */
    cr_assert_eq(ret, -EFBIG);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 3);
    unlink(path);
    cr_assert_eq(rmdir(folder), 0, "nothing half-written is left");
}

Test(suite_report, what_is_no_file_is_written_as_it_is)
{
    static char data[100000];
    struct err e = ERR_INIT;
    struct stat st;
    cr_assert_eq(outfile_write("/dev/full", data, sizeof(data), &e), -ENOSPC);
    cr_assert_not_null(strstr(e.what, "/dev/full"));
    cr_assert_eq(outfile_write("/dev/null", data, sizeof(data), &e), 0);
    cr_assert_eq(stat("/dev/null", &st), 0);
    cr_assert(S_ISCHR(st.st_mode), "a device is not replaced");
    cr_assert_eq(outfile_write("/no/such/folder/x", data, 1, &e), -ENOENT);
}
