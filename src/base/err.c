/*
 * Errors: see err.h.
 */
#include "src/base/err.h"

#include "src/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e == NULL) {
        return -code;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->what, sizeof(e->what), fmt, ap);
    va_end(ap);
    e->hint[0] = '\0';
    if (e->status == EXIT_OK) { /* a zeroed struct: no error may look like success */
        e->status = EXIT_HOST;
    }
    return -code;
}

void err_hint(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
}

void err_status(struct err *e, enum exit_status status)
{
    if (e != NULL) {
        e->status = status;
    }
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return;
    }
    char prefix[sizeof(e->what) / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix) - strlen(": "), fmt, ap);
    va_end(ap);
    size_t shift = strlen(prefix);
    prefix[shift++] = ':';
    prefix[shift++] = ' ';

    size_t keep = strlen(e->what);
    if (keep > sizeof(e->what) - 1 - shift) {
        keep = sizeof(e->what) - 1 - shift;
    }
    memmove(e->what + shift, e->what, keep);
    memcpy(e->what, prefix, shift);
    e->what[shift + keep] = '\0';
}

void err_print(const struct err *e)
{
    log_message("error: ", "%s", e->what);
    if (e->hint[0] != '\0') {
        log_message("hint: ", "%s", e->hint);
    }
}
