/*
 * JUnit XML, in the form that CI servers agree on: testsuites, testsuite,
 * testcase with failure, skipped, system-out, system-err; flakyFailure as Maven
 * Surefire has it.
 *
 * A console may hold anything; XML 1.0 (2.2, Char) may not. What is no
 * character there, or no UTF-8 (RFC 3629), becomes U+FFFD.
 */
#include "tools/suite/result.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* --- characters --------------------------------------------------------------------- */

/* How many bytes a sequence has that begins so; 0: none does. */
static unsigned sequence_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first < 0xe0) {
        return 2;
    }
    if ((first & 0xf0) == 0xe0) {
        return 3;
    }
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The length of the character at text that XML can hold; 0 if there is none. */
static unsigned xml_char(const unsigned char *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned length = sequence_length(text[0]);
    uint32_t c = length > 1 ? text[0] & (0x7fU >> length) : text[0];

    if (length == 0 || length > left) {
        return 0;
    }
    for (unsigned i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (text[i] & 0x3fU);
    }
    bool control = c < ' ' && c != '\n' && c != '\t';
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return c < least[length] || control || surrogate || c == 0xfffe || c == 0xffff || c > 0x10ffff
               ? 0
               : length;
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

/* In text, and in an attribute. A carriage return is part of a serial line's end: left out. */
static void put(const char *text, size_t length, FILE *to)
{
    for (size_t i = 0; i < length;) {
        unsigned n = xml_char((const unsigned char *)text + i, length - i);
        const char *name = entity(text[i]);
        if (name != NULL) {
            fputs(name, to);
        } else if (n > 0) {
            fwrite(text + i, 1, n, to);
        } else if (text[i] != '\r') {
            fputs(REPLACEMENT, to);
        }
        i += n > 0 ? n : 1;
    }
}

static void put_string(const char *text, FILE *to)
{
    put(text, strlen(text), to);
}

/* --- elements ------------------------------------------------------------------------ */

static void put_failure(const char *element, const struct result *r, FILE *to)
{
    fprintf(to, "      <%s message=\"", element);
    put_string(r->reason, to);
    fputs("\">", to);
    put_string(r->reason, to);
    if (r->command != NULL) {
        fputs("\ncommand: ", to);
        put_string(r->command, to);
    }
    if (r->console.path != NULL) {
        fputs("\nconsole: ", to);
        put_string(r->console.path, to);
    }
    fprintf(to, "</%s>\n", element);
}

static void put_stream(const char *element, const struct tail *t, FILE *to)
{
    if (t->length > 0) {
        fprintf(to, "      <%s>", element);
        put(t->text, t->length, to);
        fprintf(to, "</%s>\n", element);
    }
}

static void put_case(const struct result *r, const char *class, FILE *to)
{
    fputs("    <testcase classname=\"", to);
    put_string(class, to);
    fputs("\" name=\"", to);
    put_string(r->boot->name, to);
    fprintf(to, "\" time=\"%.3f\" line=\"%u\" file=\"", r->seconds, r->boot->line);
    put_string(r->boot->file, to);
    fputs("\">\n", to);
    if (r->outcome == OUTCOME_FAILED) {
        put_failure("failure", r, to);
    } else if (r->flaky) {
        put_failure("flakyFailure", r, to);
    } else if (r->outcome != OUTCOME_PASSED) {
        fputs("      <skipped message=\"", to);
        put_string(r->reason != NULL ? r->reason : "not run: interrupted", to);
        fputs("\"/>\n", to);
    }
    put_stream("system-out", &r->console, to);
    put_stream("system-err", &r->messages, to);
    fputs("    </testcase>\n", to);
}

/* tests, failures, errors, skipped, time: of so many results. */
static void put_counts(const struct result *results, size_t count, FILE *to)
{
    struct counts c = count_results(results, count);
    double seconds = 0;

    for (size_t i = 0; i < count; i++) {
        seconds += results[i].seconds;
    }
    fprintf(to, " tests=\"%zu\" failures=\"%u\" errors=\"0\" skipped=\"%u\" time=\"%.3f\">\n",
            count, c.failed, c.skipped, seconds);
}

/* The file's name without folder and ending. */
static void put_suite(const struct result *results, size_t count, FILE *to)
{
    const char *file = results[0].boot->file;
    const char *slash = strrchr(file, '/');
    char name[256];

    snprintf(name, sizeof(name), "%s", slash != NULL ? slash + 1 : file);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        *dot = '\0';
    }
    fputs("  <testsuite name=\"", to);
    put_string(name, to);
    fputc('"', to);
    put_counts(results, count, to);
    for (size_t i = 0; i < count; i++) {
        put_case(&results[i], name, to);
    }
    fputs("  </testsuite>\n", to);
}

void report_junit(const struct result *results, size_t count, FILE *to)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"vmm-test\"", to);
    put_counts(results, count, to);
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        while (i + n < count && strcmp(results[i + n].boot->file, results[i].boot->file) == 0) {
            n++;
        }
        put_suite(&results[i], n, to);
        i += n;
    }
    fputs("</testsuites>\n", to);
}
