/*
 * Options that say how a guest is run: how long, and what is recorded.
 */
#include "src/config_rows.h"

#include "src/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_S (365.0 * 24 * 3600)

static int set_trace(struct config *c, const char *value, struct err *e)
{
    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_TRACE;
        return 0;
    }
    return config_set_once(&c->trace, value, "trace", e);
}

static int set_trace_file(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->trace_file, value, "trace-file", e);
}

static int set_timeout(struct config *c, const char *value, struct err *e)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(seconds) || seconds <= 0 ||
        seconds > TIMEOUT_MAX_S) {
        err_set(e, EINVAL, "'%s' is not a number of seconds greater than 0", value);
        err_hint(e, "for instance --timeout 30 or --timeout 0.5");
        return -EINVAL;
    }
    c->timeout_ns = (uint64_t)(seconds * (double)NS_PER_SEC);
    c->timeout_ns += c->timeout_ns == 0;
    return 0;
}

static int set_no_reboot(struct config *c, const char *value, struct err *e)
{
    (void)value;
    (void)e;
    c->no_reboot = true;
    return 0;
}

static int check(const struct config *c, struct err *e)
{
    if (c->trace_file != NULL && c->trace == NULL) {
        err_set(e, EINVAL, "--trace-file without --trace records nothing");
        err_hint(e, "add --trace '*', or a pattern from --trace help");
        return -EINVAL;
    }
    return 0;
}

static const struct option_row rows[] = {
    {"trace", "PATTERN[,...]", "print events whose names match; 'help' lists", set_trace},
    {"trace-file", "PATH", "events to a file; .json for Perfetto", set_trace_file},
    {"timeout", "SECONDS", "stop with status 124 after that time", set_timeout},
    {"no-reboot", NULL, "a guest reboot ends vmm with status 0", set_no_reboot},
};

const struct option_table config_run_options = {TABLE_ROWS(rows), check};
