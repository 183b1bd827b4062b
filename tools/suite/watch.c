/*
 * Streams of a boot: see watch.h.
 */
#include "tools/suite/watch.h"

#include <stdlib.h>
#include <string.h>

void watch_init(struct watch *w, const struct expectation *wanted, uint64_t limit)
{
    *w = (struct watch){.wanted = wanted, .limit = limit};
}

void watch_free(struct watch *w)
{
    free(w->data);
    w->data = NULL;
}

/* A line as patterns take one: a guest could hide the rest of it behind a NUL byte. */
static const char *as_string(const char *line, size_t length)
{
    static char string[WATCH_LINE_MAX + 1];

    memcpy(string, line, length);
    string[length] = '\0';
    for (char *nul = string; (nul = memchr(nul, '\0', length - (size_t)(nul - string))) != NULL;) {
        *nul = '?';
    }
    return string;
}

/* A line, less its end, is compared; expected patterns are due one after the other. */
static void compare(struct watch *w, size_t at, size_t length)
{
    const struct list *expect = &w->wanted->expect;
    const struct list *forbid = &w->wanted->forbid;
    const char *line;

    while (length > 0 && w->data[at + length - 1] == '\r') {
        length--;
    }
    line = as_string(w->data + at, length);
    w->lines++;
    for (size_t i = 0; i < forbid->count; i++) {
        if (pattern_matches(list_at(forbid, i), line)) {
            w->forbidden = list_at(forbid, i);
            w->forbidden_line = w->lines;
            w->forbidden_at = at;
            w->forbidden_length = length;
            return;
        }
    }
    if (w->came < expect->count && pattern_matches(list_at(expect, w->came), line)) {
        w->came++;
    }
}

/* Append what the limit leaves room for. */
static void keep(struct watch *w, const char *bytes, size_t length)
{
    if (length > w->limit - w->length) {
        length = (size_t)(w->limit - w->length);
        w->over = true;
    }
    if (w->length + length > w->room) {
        w->room = 2 * (w->length + length);
        w->data = must_realloc(w->data, w->room);
    }
    if (length > 0) {
        memcpy(w->data + w->length, bytes, length);
    }
    w->length += length;
}

void watch_feed(struct watch *w, const char *bytes, size_t length)
{
    keep(w, bytes, length);
    while (w->forbidden == NULL && w->seen < w->length) {
        size_t most = WATCH_LINE_MAX - (w->seen - w->line_at);
        size_t here = w->length - w->seen < most ? w->length - w->seen : most;
        const char *end = memchr(w->data + w->seen, '\n', here);
        if (end == NULL && here < most) {
            w->seen = w->length;
            return;
        }
        size_t next = end != NULL ? (size_t)(end - w->data) : w->seen + here;
        compare(w, w->line_at, next - w->line_at);
        w->line_at = w->seen = next + (end != NULL);
    }
}

void watch_end(struct watch *w)
{
    if (w->forbidden == NULL && w->line_at < w->length) {
        compare(w, w->line_at, w->length - w->line_at);
        w->line_at = w->seen = w->length;
    }
}

size_t watch_tail(const struct watch *w, unsigned lines, size_t bytes)
{
    size_t least = w->length > bytes ? w->length - bytes : 0;
    size_t at = w->length;

    if (at > least && w->data[at - 1] == '\n') {
        at--;
    }
    while (at > least && (w->data[at - 1] != '\n' || --lines > 0)) {
        at--;
    }
    return at;
}
