/*
 * Patterns: see pattern.h.
 */
#include "tools/suite/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- how large an expression is ------------------------------------------ */

#define GROUPS_MAX 32

/*
 * regcomp() writes out "(a{255}){255}" as 65025 states, and a line of such may
 * take all memory. So they are counted first, by a reader that knows groups,
 * brackets, escapes and intervals, and takes the rest for one state a character.
 */
struct size_reader {
    const char *at;
    uint64_t total[GROUPS_MAX]; /* of the groups that are open */
    uint64_t last[GROUPS_MAX];  /* of their last atom, which an interval repeats */
    unsigned depth;
};

static void add_atom(struct size_reader *r, uint64_t size)
{
    r->last[r->depth] = size;
    r->total[r->depth] += size;
}

static const char *skip_bracket(const char *at)
{
    at += at[1] == '^' ? 2 : 1;
    if (*at == ']') {
        at++;
    }
    while (*at != '\0' && *at != ']') {
        if (at[0] == '[' && at[1] != '\0' && strchr(":.=", at[1]) != NULL) { /* [:alpha:] */
            const char end[] = {at[1], ']', '\0'};
            const char *behind = strstr(at + 2, end);
            at = behind != NULL ? behind + 1 : at;
        }
        at++;
    }
    return *at == '\0' ? at : at + 1;
}

/* "{3}", "{3,}", "{3,5}": at the brace. Anything else is left to regcomp(). */
static void read_interval(struct size_reader *r)
{
    char *end;
    uint64_t least = strtoul(r->at + 1, &end, 10);
    uint64_t most = *end == ',' ? strtoul(end + 1, &end, 10) : 0;
    uint64_t times = most > least ? most : least;

    r->total[r->depth] -= r->last[r->depth];
    times = times < 1 ? 1 : times;
    if (times > PATTERN_MAX_STATES) {
        times = PATTERN_MAX_STATES;
    }
    add_atom(r, r->last[r->depth] * times);
    r->at = *end == '}' ? end + 1 : r->at + 1;
}

static void read_atom(struct size_reader *r)
{
    uint64_t size = 1;

    switch (*r->at) {
    case '(':
        r->at++;
        r->depth++;
        if (r->depth < GROUPS_MAX) {
            r->total[r->depth] = r->last[r->depth] = 0;
        }
        return;
    case ')':
        r->at++;
        if (r->depth > 0) {
            size = r->total[r->depth--];
        }
        break;
    case '{':
        read_interval(r);
        return;
    case '[':
        r->at = skip_bracket(r->at);
        break;
    case '\\':
        r->at += r->at[1] != '\0' ? 2 : 1;
        break;
    default:
        r->at++;
        break;
    }
    add_atom(r, size);
}

static bool too_large(const char *text)
{
    struct size_reader r = {.at = text};

    while (*r.at != '\0') {
        read_atom(&r);
        if (r.depth >= GROUPS_MAX || r.total[r.depth] > PATTERN_MAX_STATES) {
            return true;
        }
    }
    return false;
}

/* --- patterns -------------------------------------------------------------- */

static int compile(struct pattern *p, struct err *e)
{
    if (too_large(p->text)) {
        int ret = err_set(e, EINVAL, "the pattern is too large: its repetitions or groups");
        err_hint(e, "at most %d states and %d groups in each other", PATTERN_MAX_STATES,
                 GROUPS_MAX - 1);
        return ret;
    }
    int code = regcomp(&p->regex, p->text, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char why[128];
        regerror(code, &p->regex, why, sizeof(why));
        int ret = err_set(e, EINVAL, "no regular expression: %s", why);
        err_hint(e, "a \\ before one of .[]*+?(){}|^$\\ takes it as it is; expect-text and "
                    "forbid-text take a text");
        return ret;
    }
    return 0;
}

int pattern_init(struct pattern *p, const char *text, bool literal, struct err *e)
{
    *p = (struct pattern){.text = text, .literal = literal};
    if (text[0] == '\0') {
        return err_set(e, EINVAL, "the pattern is missing");
    }
    if (strlen(text) > PATTERN_MAX_BYTES) {
        return err_set(e, EINVAL, "the pattern is longer than %d bytes", PATTERN_MAX_BYTES);
    }
    return literal ? 0 : compile(p, e);
}

void pattern_destroy(struct pattern *p)
{
    if (!p->literal) {
        regfree(&p->regex);
    }
}

bool pattern_matches(const struct pattern *p, const char *line)
{
    if (p->literal) {
        return strstr(line, p->text) != NULL;
    }
    return regexec(&p->regex, line, 0, NULL, 0) == 0;
}
