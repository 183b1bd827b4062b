/*
 * Variables and quoting: see words.h.
 */
#include "tools/suite/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A text that grows. */
struct buffer {
    char *data;
    size_t length;
    size_t room;
};

static int buffer_put(struct buffer *b, const char *text, size_t length, struct err *e)
{
    if (length > WORDS_MAX_BYTES - b->length) {
        return err_set(e, EINVAL, "the line is longer than %d bytes with its variables",
                       WORDS_MAX_BYTES);
    }
    if (b->length + length > b->room) {
        b->room = 2 * (b->length + length);
        b->data = must_realloc(b->data, b->room);
    }
    if (length > 0) {
        memcpy(b->data + b->length, text, length);
    }
    b->length += length;
    return 0;
}

/* --- variables --------------------------------------------------------------- */

/* How many bytes at text can be a variable's name. */
static size_t name_length(const char *text)
{
    size_t n = 0;
    while (isalpha((unsigned char)text[n]) || text[n] == '_' ||
           (n > 0 && isdigit((unsigned char)text[n]))) {
        n++;
    }
    return n;
}

int suite_define(struct suite *s, const char *assignment, struct err *e)
{
    size_t n = name_length(assignment);
    if (n == 0 || assignment[n] != '=') {
        int ret = err_set(e, EINVAL, "'%s' defines no variable", assignment);
        err_hint(e, "write -D NAME=VALUE");
        return ret;
    }
    list_add(&s->pool, &s->variables, assignment);
    return 0;
}

/* The last definition counts. */
const char *suite_variable(const struct suite *s, const char *name, size_t length)
{
    for (size_t i = s->variables.count; i-- > 0;) {
        const char *v = list_at(&s->variables, i);
        if (strncmp(v, name, length) == 0 && v[length] == '=') {
            return v + length + 1;
        }
    }
    char key[256];
    if (length >= sizeof(key)) {
        return NULL;
    }
    memcpy(key, name, length);
    key[length] = '\0';
    return getenv(key);
}

/* At "${": append the value, and move *at behind the brace. */
static int expand_variable(const struct scope *scope, const char **at, struct buffer *to,
                           struct err *e)
{
    const char *name = *at + 2;
    size_t n = name_length(name);
    const char *value;

    if (n == 0 || name[n] != '}') {
        int ret = err_set(e, EINVAL, "'${' begins no variable");
        err_hint(e, "write ${NAME}, or $${ for these two characters");
        return ret;
    }
    if (n == strlen("SUITE_DIR") && strncmp(name, "SUITE_DIR", n) == 0) {
        value = scope->folder;
    } else {
        value = suite_variable(scope->suite, name, n);
    }
    if (value == NULL) {
        int ret =
            err_set(e, EINVAL, "the variable %.*s is not set", (int)(n < 200 ? n : 200), name);
        err_hint(e, "vmm-test -D NAME=VALUE sets it, or the environment");
        return ret;
    }
    *at = name + n + 1;
    return buffer_put(to, value, strlen(value), e);
}

/* One character or variable that no quote or backslash changes. */
static int expand_next(const struct scope *scope, const char **at, struct buffer *to, struct err *e)
{
    if (strncmp(*at, "${", 2) == 0) {
        return expand_variable(scope, at, to, e);
    }
    if (strncmp(*at, "$${", 3) == 0) {
        *at += 3;
        return buffer_put(to, "${", 2, e);
    }
    *at += 1;
    return buffer_put(to, *at - 1, 1, e);
}

char *words_expand(const struct scope *scope, const char *text, struct err *e)
{
    struct buffer b = {0};
    char *result = NULL;
    int ret = 0;

    while (*text != '\0' && ret == 0) {
        ret = expand_next(scope, &text, &b, e);
    }
    if (ret == 0) {
        result = pool_copy(&scope->suite->pool, b.length > 0 ? b.data : "", b.length);
    }
    free(b.data);
    return result;
}

/* --- quoting ----------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* At a backslash inside "...". */
static int read_escape(const char **at, struct buffer *to, struct err *e)
{
    static const char names[] = "ntr\\\"$";
    static const char values[] = "\n\t\r\\\"$";
    char c = (*at)[1];
    const char *known = c != '\0' ? strchr(names, c) : NULL;

    if (known != NULL) {
        *at += 2;
        return buffer_put(to, &values[known - names], 1, e);
    }
    if (c == 'x' && hex_digit((*at)[2]) >= 0 && hex_digit((*at)[3]) >= 0) {
        char byte = (char)(hex_digit((*at)[2]) * 16 + hex_digit((*at)[3]));
        *at += 4;
        return buffer_put(to, &byte, 1, e);
    }
    int ret = err_set(e, EINVAL, "a backslash that means nothing in \"...\"");
    err_hint(e, "there are \\n \\t \\r \\\\ \\\" \\$ and \\xHH; in '...' all stay as they are");
    return ret;
}

/* At an opening quote: up to the closing one. */
static int read_quoted(const struct scope *scope, const char **at, struct buffer *to, struct err *e)
{
    const char quote = **at;
    int ret = 0;

    *at += 1;
    while (**at != '\0' && **at != quote && ret == 0) {
        if (quote == '\'') {
            ret = buffer_put(to, (*at)++, 1, e);
        } else if (**at == '\\') {
            ret = read_escape(at, to, e);
        } else {
            ret = expand_next(scope, at, to, e);
        }
    }
    if (ret == 0 && **at == '\0') {
        return err_set(e, EINVAL, "a quote (%c) is not closed", quote);
    }
    *at += ret == 0;
    return ret;
}

static int read_word(const struct scope *scope, const char **at, struct buffer *to, struct err *e)
{
    int ret = 0;

    while (**at != '\0' && !is_blank(**at) && ret == 0) {
        if (**at == '\'' || **at == '"') {
            ret = read_quoted(scope, at, to, e);
        } else if (**at == '\\' && (*at)[1] != '\0') {
            ret = buffer_put(to, *at + 1, 1, e);
            *at += 2;
        } else {
            ret = expand_next(scope, at, to, e);
        }
    }
    return ret;
}

int words_split(const struct scope *scope, const char *text, struct list *words, struct err *e)
{
    struct pool *pool = &scope->suite->pool;
    int ret = 0;

    while (ret == 0) {
        struct buffer b = {0};
        while (is_blank(*text)) {
            text++;
        }
        if (*text == '\0') {
            break;
        }
        ret = read_word(scope, &text, &b, e);
        if (ret == 0) {
            struct word *w = pool_alloc(pool, sizeof(*w));
            w->text = pool_copy(pool, b.length > 0 ? b.data : "", b.length);
            w->length = b.length;
            list_add(pool, words, w);
        }
        free(b.data);
    }
    return ret;
}
