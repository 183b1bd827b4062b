/*
 * The checks of vmmtest.h, and the text of one that fails.
 */
#define VMM_INSIDE
#define VMMTEST_NO_CRITERION
#include "src/lib/vmmtest.h"

#include "src/lib/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_SHOWN 16

/* "expected X, but Y", and the transcript. */
__attribute__((format(printf, 2, 3))) static const char *report(struct vmm *m, const char *fmt, ...)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    va_list ap;

    free(m->report);
    m->report = NULL;
    if (out == NULL) {
        return "expectation not met; out of memory for the transcript";
    }
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
    vmm_transcript(m, out);
    fclose(out);
    m->report = text;
    return text;
}

/* --- guest events --------------------------------------------------------- */

static const char *report_exit(struct vmm *m, const char *wanted, const struct vmm_exit *got)
{
    char text[160];

    vmm_exit_print(got, text, sizeof(text));
    return report(m, "expected: %s\n     got: %s", wanted, text);
}

/* Run to an event that matches; next: it must be the very next one. */
static const char *expect_one(struct vmm *m, const char *text, bool next)
{
    struct vmm_pattern p;
    struct vmm_stop stop;
    struct vmm_error e;

    if (vmm_pattern_parse(&p, text, &e) < 0) {
        return report(m, "%s\n%s", e.what, e.hint);
    }
    if (vmm_run_to_exit(m, next ? NULL : &p, NULL, &stop, &e) < 0) {
        return report(m, "expected: %s\n     got: %s", text, e.what);
    }
    if (stop.why != VMM_MATCHED) {
        return report(m, "expected: %s\n     got: %s", text, stop.text);
    }
    return vmm_pattern_matches(&p, &stop.exit) ? NULL : report_exit(m, text, &stop.exit);
}

const char *vmmtest_exits_report(struct vmm *m, const char *const *patterns)
{
    const char *bad = NULL;

    for (; *patterns != NULL && bad == NULL; patterns++) {
        bad = expect_one(m, *patterns, false);
    }
    return bad;
}

const char *vmmtest_next_exits_report(struct vmm *m, const char *const *patterns)
{
    const char *bad = NULL;

    for (; *patterns != NULL && bad == NULL; patterns++) {
        bad = expect_one(m, *patterns, true);
    }
    return bad;
}

/* --- the others ----------------------------------------------------------- */

const char *vmmtest_console_report(struct vmm *m, const char *regex)
{
    struct vmm_stop stop;
    struct vmm_error e;

    if (vmm_run_to_console(m, regex, NULL, &stop, &e) < 0) {
        return report(m, "expected a line on the console: %s\n     got: %s", regex, e.what);
    }
    return stop.why == VMM_MATCHED
               ? NULL
               : report(m, "expected a line on the console: %s\n     got: %s", regex, stop.text);
}

const char *vmmtest_status_report(struct vmm *m, int status)
{
    struct vmm_stop stop;
    struct vmm_error e;

    if (vmm_run(m, NULL, &stop, &e) < 0) {
        return report(m, "expected the end with status %d\n     got: %s", status, e.what);
    }
    if (stop.why != VMM_ENDED) {
        return report(m, "expected the end with status %d\n     got: %s", status, stop.text);
    }
    return stop.status == status ? NULL
                                 : report(m, "expected the end with status %d\n     got: %d (%s)",
                                          status, stop.status, stop.text);
}

const char *vmmtest_stop_report(struct vmm *m, enum vmm_why why)
{
    static const char *const names[] = {"MATCHED", "EVENTS", "SILENT", "IDLE",
                                        "DEAD",    "ENDED",  "STOPPED"};
    struct vmm_stop stop;
    struct vmm_error e;

    if (vmm_run(m, NULL, &stop, &e) < 0) {
        return report(m, "expected VMM_%s\n     got: %s", names[why], e.what);
    }
    return stop.why == why ? NULL
                           : report(m, "expected VMM_%s\n     got: VMM_%s: %s", names[why],
                                    names[stop.why], stop.text);
}

const char *vmmtest_reg_report(struct vmm *m, unsigned cpu, const char *name, uint64_t value)
{
    struct vmm_error e;
    uint64_t got;

    if (vmm_reg(m, cpu, name, &got, &e) < 0) {
        return report(m, "%s\n%s", e.what, e.hint);
    }
    return got == value ? NULL
                        : report(m, "expected: %s of vCPU %u = 0x%" PRIx64 "\n     got: 0x%" PRIx64,
                                 name, cpu, value, got);
}

/* Bytes from the first that differs on, as text. */
static void print_bytes(char *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && i < BYTES_SHOWN; i++) {
        sprintf(text + 3 * i, "%02x ", bytes[i]);
    }
}

const char *vmmtest_memory_report(struct vmm *m, uint64_t gpa, const void *bytes, size_t len)
{
    char wanted_text[3 * BYTES_SHOWN + 1] = "", got_text[3 * BYTES_SHOWN + 1] = "";
    const uint8_t *wanted = bytes;
    uint8_t *got = malloc(len + 1);
    struct vmm_error e = {0};
    size_t at = 0;

    if (got == NULL || vmm_read(m, gpa, got, len, &e) < 0) {
        free(got);
        return report(m, "%s", got == NULL ? "out of memory" : e.what);
    }
    while (at < len && wanted[at] == got[at]) {
        at++;
    }
    print_bytes(wanted_text, wanted + at, len - at);
    print_bytes(got_text, got + at, len - at);
    free(got);
    return at == len ? NULL
                     : report(m, "expected at 0x%" PRIx64 ": %s\n      got: %s", gpa + at,
                              wanted_text, got_text);
}
