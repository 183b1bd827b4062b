/*
 * The keywords of a block: what can be said of a boot. One table.
 */
#include "src/base/opts.h"
#include "tools/suite/reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT_MAX_S 86400
#define REPEAT_MAX       10000
#define OUTPUT_LIMIT_MAX (1ULL << 30)

struct keyword {
    const char *name;
    const char *usage; /* what follows it */
    bool once;         /* in a block; a default may be replaced */
    bool of_a_boot;    /* and no default */
    int (*set)(struct reader *r, struct boot *b, const char *rest, struct err *e);
};

/* --- words and paths --------------------------------------------------------- */

/* A name, path, number or option of vmm would end at a NUL byte. */
static int check_string(const struct word *w, struct err *e)
{
    return memchr(w->text, '\0', w->length) == NULL
               ? 0
               : err_set(e, EINVAL, "only an input text can hold a NUL byte");
}

static int split_strings(struct reader *r, const char *rest, struct list *words, struct err *e)
{
    int ret = words_split(&r->scope, rest, words, e);

    for (size_t i = 0; i < words->count && ret == 0; i++) {
        ret = check_string(list_at(words, i), e);
    }
    return ret;
}

const struct word *keyword_one_word(struct reader *r, const char *rest, const char *what,
                                    struct err *e)
{
    struct list words = {0};

    if (split_strings(r, rest, &words, e) < 0) {
        return NULL;
    }
    if (words.count != 1) {
        err_set(e, EINVAL, words.count == 0 ? "%s is missing" : "%s is one word", what);
        err_hint(e, "a word with blanks in it is written in quotes");
        return NULL;
    }
    return list_at(&words, 0);
}

/* Relative to the suite's folder. */
static const char *absolute(struct reader *r, const char *path)
{
    struct pool *pool = &r->scope.suite->pool;
    if (path[0] == '/') {
        return path;
    }
    return pool_printf(pool, "%s/%s", r->scope.folder, path);
}

static int set_kernel(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the kernel's file", e);
    if (w == NULL) {
        return -EINVAL;
    }
    b->kernel_given = true;
    b->kernel = strcmp(w->text, "none") == 0 ? NULL : absolute(r, w->text);
    return 0;
}

static int set_options(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    struct list words = {0};
    int ret = split_strings(r, rest, &words, e);

    if (ret == 0 && words.count == 0) {
        return err_set(e, EINVAL, "the options are missing");
    }
    for (size_t i = 0; i < words.count && ret == 0; i++) {
        const struct word *w = list_at(&words, i);
        list_add(&r->scope.suite->pool, &b->options, w->text);
    }
    return ret;
}

/* --- patterns ------------------------------------------------------------------ */

static int add_pattern(struct reader *r, struct list *to, const char *rest, bool literal,
                       struct err *e)
{
    struct suite *s = r->scope.suite;
    struct pattern *p = pool_alloc(&s->pool, sizeof(*p));
    const char *text = words_expand(&r->scope, rest, e);
    int ret = text == NULL ? -EINVAL : pattern_init(p, text, literal, e);

    if (ret == 0) {
        p->next = s->patterns;
        s->patterns = p;
        list_add(&s->pool, to, p);
    }
    return ret;
}

static int set_expect(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->console.expect, rest, false, e);
}

static int set_expect_text(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->console.expect, rest, true, e);
}

static int set_forbid(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->console.forbid, rest, false, e);
}

static int set_forbid_text(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->console.forbid, rest, true, e);
}

static int set_expect_message(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->messages.expect, rest, false, e);
}

static int set_forbid_message(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    return add_pattern(r, &b->messages.forbid, rest, false, e);
}

/* --- numbers --------------------------------------------------------------------- */

static int set_status(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the exit status", e);
    uint64_t status;

    if (w == NULL || opt_u64(w->text, 0, 255, &status, e) < 0) {
        return -EINVAL;
    }
    b->status = (int)status;
    return 0;
}

static int set_timeout(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the number of seconds", e);
    char *end;

    if (w == NULL) {
        return -EINVAL;
    }
    double seconds = strtod(w->text, &end);
    if (end == w->text || *end != '\0' || !isfinite(seconds) || seconds <= 0 ||
        seconds > TIME_LIMIT_MAX_S) {
        int ret = err_set(e, EINVAL, "'%s' is no time limit", w->text);
        err_hint(e, "seconds, up to %d: 10, or 0.5", TIME_LIMIT_MAX_S);
        return ret;
    }
    b->time_limit_ns = (uint64_t)(seconds * (double)NS_PER_SECOND);
    return 0;
}

static int set_output_limit(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the size", e);
    if (w == NULL) {
        return -EINVAL;
    }
    return opt_size(w->text, 1, OUTPUT_LIMIT_MAX, &b->output_limit, e);
}

static int set_repeat(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the number of repetitions", e);
    (void)b;
    if (w == NULL) {
        return -EINVAL;
    }
    return opt_u64(w->text, 1, REPEAT_MAX, &r->repeat, e);
}

/* --- input, disks, states ------------------------------------------------------------ */

static int set_input(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    struct list words = {0};

    if (words_split(&r->scope, rest, &words, e) < 0) {
        return -EINVAL;
    }
    const struct word *kind = words.count == 2 ? list_at(&words, 0) : NULL;
    if (kind != NULL && strcmp(kind->text, "text") == 0) {
        const struct word *w = list_at(&words, 1);
        b->input = INPUT_TEXT;
        b->input_text = w->text;
        b->input_length = w->length;
        return 0;
    }
    if (kind != NULL && strcmp(kind->text, "file") == 0) {
        const struct word *w = list_at(&words, 1);
        b->input = INPUT_FILE;
        b->input_text = absolute(r, w->text);
        return check_string(w, e);
    }
    return err_set(e, EINVAL, "the input is neither a text nor a file");
}

static int set_disk(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    struct pool *pool = &r->scope.suite->pool;
    struct disk *d = pool_alloc(pool, sizeof(*d));
    struct list words = {0};

    if (split_strings(r, rest, &words, e) < 0) {
        return -EINVAL;
    }
    const struct word *kind = words.count == 2 || words.count == 3 ? list_at(&words, 0) : NULL;
    const struct word *what = kind != NULL ? list_at(&words, 1) : NULL;
    if (kind != NULL && strcmp(kind->text, "scratch") == 0) {
        if (opt_size(what->text, 512, INT64_MAX, &d->size, e) < 0) {
            return -EINVAL;
        }
    } else if (kind != NULL && strcmp(kind->text, "copy") == 0) {
        d->copy_of = absolute(r, what->text);
    } else {
        return err_set(e, EINVAL, "the disk is neither scratch nor a copy");
    }
    d->properties = "";
    if (words.count == 3) {
        const struct word *properties = list_at(&words, 2);
        d->properties = pool_printf(pool, ",%s", properties->text);
    }
    list_add(pool, &b->disks, d);
    return 0;
}

static int set_from(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    const struct word *w = keyword_one_word(r, rest, "the state's name", e);
    if (w == NULL) {
        return -EINVAL;
    }
    b->from = w->text;
    return 0;
}

static int set_ready(struct reader *r, struct boot *b, const char *rest, struct err *e)
{
    b->ready = words_expand(&r->scope, rest, e);
    if (b->ready != NULL && b->ready[0] == '\0') {
        return err_set(e, EINVAL, "the text is missing");
    }
    return b->ready != NULL ? 0 : -EINVAL;
}

/* --- the table ------------------------------------------------------------------------ */

static const struct keyword keywords[] = {
    {"kernel", "FILE, or none", true, false, set_kernel},
    {"options", "WORD...", false, false, set_options},
    {"expect", "PATTERN", false, false, set_expect},
    {"expect-text", "TEXT", false, false, set_expect_text},
    {"forbid", "PATTERN", false, false, set_forbid},
    {"forbid-text", "TEXT", false, false, set_forbid_text},
    {"expect-message", "PATTERN", false, false, set_expect_message},
    {"forbid-message", "PATTERN", false, false, set_forbid_message},
    {"status", "N", true, false, set_status},
    {"timeout", "SECONDS", true, false, set_timeout},
    {"output-limit", "SIZE", true, false, set_output_limit},
    {"input", "text TEXT, or file FILE", true, false, set_input},
    {"disk", "scratch SIZE [PROPERTIES], or copy FILE [PROPERTIES]", false, false, set_disk},
    {"ready", "TEXT", true, true, set_ready},
    {"from", "NAME", true, true, set_from},
    {"repeat", "N", true, true, set_repeat},
};
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

static int unknown_keyword(const char *keyword, struct err *e)
{
    struct opt_guess guess;

    opt_guess_start(&guess, keyword);
    for (size_t i = 0; i < KEYWORDS; i++) {
        opt_guess_try(&guess, keywords[i].name);
    }
    opt_guess_try(&guess, "boot");
    opt_guess_try(&guess, "prepare");
    opt_guess_try(&guess, "default");
    int ret = err_set(e, EINVAL, "there is no '%s'", keyword);
    if (guess.best != NULL) {
        err_hint(e, "did you mean '%s'?", guess.best);
    } else {
        err_hint(e,
                 "boot NAME begins a boot; kernel, options, expect, forbid, status, timeout, ... "
                 "say more of it");
    }
    return ret;
}

int keyword_apply(struct reader *r, struct boot *b, bool in_default, const char *name,
                  const char *rest, struct err *e)
{
    for (size_t i = 0; i < KEYWORDS; i++) {
        const struct keyword *k = &keywords[i];
        if (strcmp(k->name, name) != 0) {
            continue;
        }
        if (in_default && k->of_a_boot) {
            return err_set(e, EINVAL, "%s is said of a boot, it cannot be a default", name);
        }
        if (!in_default && k->once && (r->given & 1UL << i) != 0) {
            return err_set(e, EINVAL, "%s is said twice of '%s'", name, b->name);
        }
        if (!in_default) {
            r->given |= 1UL << i;
        }
        int ret = k->set(r, b, rest, e);
        if (ret < 0 && e->hint[0] == '\0') {
            err_hint(e, "%s %s", k->name, k->usage);
        }
        return ret;
    }
    return unknown_keyword(name, e);
}
