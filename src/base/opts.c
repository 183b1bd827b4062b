/*
 * Option values: see opts.h.
 */
#include "src/base/opts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- lists ------------------------------------------------------------ */

/*
 * Cut the word at *pos off: unescape ",," in place, end it with NUL, and move
 * *pos behind the comma that ended it, or to NULL at the end of the text.
 */
static char *next_word(char **pos)
{
    char *word = *pos;
    char *out = word;
    char *in = word;
    for (; *in != '\0'; in++) {
        if (*in == ',' && *++in != ',') {
            *pos = in;
            *out = '\0';
            return word;
        }
        *out++ = *in;
    }
    *pos = NULL;
    *out = '\0';
    return word;
}

static size_t count_commas(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == ',';
    }
    return n;
}

int opt_list_parse(struct opt_list *list, const char *text, struct err *e)
{
    *list = (struct opt_list){.text = strdup(text)};
    list->opts = calloc(count_commas(text) + 1, sizeof(list->opts[0]));
    if (list->text == NULL || list->opts == NULL) {
        opt_list_free(list);
        return err_set(e, ENOMEM, "out of memory");
    }
    char *pos = list->text;
    list->name = next_word(&pos);
    bool empty = list->name[0] == '\0';
    while (!empty && pos != NULL) {
        struct opt *o = &list->opts[list->count++];
        o->key = next_word(&pos);
        o->value = strchr(o->key, '=');
        if (o->value != NULL) {
            *o->value++ = '\0';
        }
        empty = o->key[0] == '\0';
    }
    if (empty) {
        int ret = err_set(e, EINVAL, "'%s': an empty name", text);
        err_hint(e, "write NAME,key=value,...; a comma inside a name or value is doubled (,,)");
        opt_list_free(list);
        return ret;
    }
    return 0;
}

void opt_list_free(struct opt_list *list)
{
    free(list->text);
    free(list->opts);
    *list = (struct opt_list){0};
}

/* --- numbers ---------------------------------------------------------- */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return 99;
}

/*
 * Digits at the start of text, decimal or 0x hex. Returns what follows them, or
 * NULL if there are none. Too large a number sets *overflow.
 */
static const char *parse_digits(const char *text, uint64_t *out, bool *overflow)
{
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    const char *start = text;
    uint64_t v = 0;
    for (; digit_value(*text) < (int)base; text++) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit_value(*text), &v)) {
            *overflow = true;
        }
    }
    *out = v;
    return text == start ? NULL : text;
}

static int check_limits(const char *text, uint64_t v, bool overflow, uint64_t min, uint64_t max,
                        struct err *e)
{
    if (!overflow && v >= min && v <= max) {
        return 0;
    }
    if (!overflow && v < min && max == UINT64_MAX) {
        return err_set(e, ERANGE, "'%s' is too small, the least is %" PRIu64, text, min);
    }
    return err_set(e, ERANGE, "'%s' is out of range, it can be %" PRIu64 " to %" PRIu64, text, min,
                   max);
}

int opt_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e)
{
    uint64_t v;
    bool overflow = false;
    const char *rest = parse_digits(text, &v, &overflow);
    if (rest == NULL || *rest != '\0') {
        int ret = err_set(e, EINVAL, "'%s' is not a number", text);
        err_hint(e, "numbers are decimal, or hexadecimal after 0x");
        return ret;
    }
    int ret = check_limits(text, v, overflow, min, max, e);
    if (ret == 0) {
        *out = v;
    }
    return ret;
}

/* Shift of a size suffix; -1 if it is none. */
static int suffix_shift(const char *suffix)
{
    static const char letters[] = "KMGT";
    if (*suffix == '\0') {
        return 0;
    }
    const char *at = strchr(letters, toupper((unsigned char)*suffix));
    return at != NULL && suffix[1] == '\0' ? 10 * (int)(at - letters + 1) : -1;
}

int opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e)
{
    uint64_t v;
    bool overflow = false;
    const char *rest = parse_digits(text, &v, &overflow);
    int shift = rest != NULL ? suffix_shift(rest) : -1;
    if (shift < 0) {
        int ret = err_set(e, EINVAL, "'%s' is not a size", text);
        err_hint(e, "sizes are whole numbers, with K, M, G or T for powers of 1024: 512M");
        return ret;
    }
    overflow |= v > UINT64_MAX >> shift;
    v <<= shift;
    int ret = check_limits(text, v, overflow, min, max, e);
    if (ret == 0) {
        *out = v;
    }
    return ret;
}

int opt_bool(const char *text, bool *out, struct err *e)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 != 0;
            return 0;
        }
    }
    int ret = err_set(e, EINVAL, "'%s' is neither on nor off", text);
    err_hint(e, "use on, yes, true, 1 or off, no, false, 0");
    return ret;
}

/* --- suggestions ------------------------------------------------------ */

#define WORD_MAX 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/*
 * Damerau-Levenshtein distance in its restricted form (optimal string
 * alignment): insertions, deletions, substitutions and swaps of neighbours cost
 * 1, letter case nothing. Both words are at most WORD_MAX long.
 */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    size_t la = strlen(a);
    size_t lb = strlen(b);
    for (unsigned j = 0; j <= lb; j++) {
        d[0][j] = j;
    }
    for (unsigned i = 1; i <= la; i++) {
        d[i][0] = i;
        int ca = tolower((unsigned char)a[i - 1]);
        for (unsigned j = 1; j <= lb; j++) {
            int cb = tolower((unsigned char)b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]) && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[la][lb];
}

void opt_guess_start(struct opt_guess *g, const char *word)
{
    size_t len = strlen(word);
    *g = (struct opt_guess){.word = word, .limit = len < 3 ? 1 : (int)len / 3};
    if (len == 0 || len > WORD_MAX) {
        g->limit = -1; /* nothing can be near */
    }
}

void opt_guess_try(struct opt_guess *g, const char *candidate)
{
    if (g->limit < 0 || strlen(candidate) > WORD_MAX) {
        return;
    }
    int distance = (int)edit_distance(g->word, candidate);
    if (distance <= g->limit) {
        g->best = candidate;
        g->limit = distance - 1; /* a later one must be strictly nearer */
    }
}

const char *opt_nearest(const char *word, const char *const *candidates, size_t count)
{
    struct opt_guess guess;
    opt_guess_start(&guess, word);
    for (size_t i = 0; i < count; i++) {
        opt_guess_try(&guess, candidates[i]);
    }
    return guess.best;
}
