/*
 * Suite files: lines, blocks, and what must hold between blocks. See suite.h.
 */
#include "tools/suite/reader.h"
#include "tools/suite/verdict.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (4 << 20)
#define LINE_MAX_BYTES 65536
#define BOOTS_MAX      20000
#define NAME_MAX_BYTES 100
#define MISTAKES_SHOWN 20

#define DEFAULT_TIME_LIMIT_S 10
#define DEFAULT_OUTPUT_LIMIT (8ULL << 20)

/* --- mistakes --------------------------------------------------------------------- */

static void say(struct reader *r, unsigned line, const char *kind, const char *text)
{
    fprintf(r->to, "%s:%u: %s: ", r->file, line, kind);
    for (; *text != '\0'; text++) {
        fputc(iscntrl((unsigned char)*text) ? '?' : *text, r->to);
    }
    fputc('\n', r->to);
}

static void mistake(struct reader *r, unsigned line, const struct err *e)
{
    if (r->mistakes++ == MISTAKES_SHOWN) {
        fprintf(r->to, "%s: error: and more\n", r->file);
    }
    if (r->mistakes > MISTAKES_SHOWN) {
        return;
    }
    say(r, line, "error", e->what);
    if (e->hint[0] != '\0') {
        say(r, line, "hint", e->hint);
    }
}

/* --- blocks ----------------------------------------------------------------------- */

/* NAME.again1 and so on are the files of NAME's reruns. */
static bool is_of_a_rerun(const char *name)
{
    static const char mark[] = ".again";
    const char *at = strrchr(name, '.');
    if (at == NULL || strncmp(at, mark, strlen(mark)) != 0) {
        return false;
    }
    at += strlen(mark);
    return *at != '\0' && at[strspn(at, "0123456789")] == '\0';
}

static bool name_is_good(const char *name)
{
    static const char others[] = "._+=,:@-";
    size_t n = 0;

    for (; name[n] != '\0'; n++) {
        if (!isalnum((unsigned char)name[n]) && strchr(others, name[n]) == NULL) {
            return false;
        }
    }
    return n > 0 && n <= NAME_MAX_BYTES && name[0] != '.' && name[0] != '-' && !is_of_a_rerun(name);
}

static void add_boot(struct reader *r, const struct boot *b)
{
    struct suite *s = r->scope.suite;
    list_add(&s->pool, &s->boots, b);
    if (b->prepares) {
        list_add(&s->pool, &s->states, b);
    }
}

/* What starts from a state is that machine. */
static int check_from(const struct reader *r, const struct boot *b, struct err *e)
{
    if (b->prepares) {
        return err_set(e, EINVAL, "a prepared state cannot be from another");
    }
    if (b->kernel != r->defaults.kernel) {
        return err_set(e, EINVAL, "'%s' is from '%s' and cannot have a kernel", b->name, b->from);
    }
    if (b->disks.count > r->defaults.disks.count) {
        return err_set(e, EINVAL, "'%s' is from '%s' and has the disks of that", b->name, b->from);
    }
    return 0;
}

static int check_boot(const struct reader *r, const struct boot *b, struct err *e)
{
    if (b->ready != NULL && !b->prepares) {
        int ret = err_set(e, EINVAL, "'%s' is no state that could be ready", b->name);
        err_hint(e, "prepare NAME begins one");
        return ret;
    }
    if (b->from != NULL) {
        return check_from(r, b, e);
    }
    if (!b->kernel_given) {
        int ret = err_set(e, EINVAL, "'%s' has no kernel", b->name);
        err_hint(e, "kernel FILE, relative to the suite's folder; kernel none passes vmm no "
                    "--kernel");
        return ret;
    }
    return 0;
}

/* The block is complete: add its boot, or its repetitions NAME.1, NAME.2, ... */
static void end_block(struct reader *r)
{
    struct pool *pool = &r->scope.suite->pool;
    struct boot *b = r->boot;
    struct err e = ERR_INIT;

    r->boot = NULL;
    if (b == NULL) {
        return;
    }
    if (check_boot(r, b, &e) < 0) {
        mistake(r, b->line, &e);
        return;
    }
    if (!r->named) { /* that has been said */
        return;
    }
    if (r->scope.suite->boots.count + (r->repeat > 0 ? r->repeat : 1) > BOOTS_MAX) {
        err_set(&e, EINVAL, "more than %d boots", BOOTS_MAX);
        mistake(r, b->line, &e);
        return;
    }
    if (r->repeat == 0) {
        add_boot(r, b);
    }
    for (uint64_t i = 1; i <= r->repeat; i++) {
        struct boot *again = pool_alloc(pool, sizeof(*again));
        *again = *b;
        again->name = pool_printf(pool, "%s.%" PRIu64, b->name, i);
        add_boot(r, again);
    }
}

static void share_patterns(struct expectation *to)
{
    to->expect = list_share(&to->expect);
    to->forbid = list_share(&to->forbid);
}

/* `boot NAME` or `prepare NAME`. A bad name still begins a block. */
static int begin_block(struct reader *r, bool prepares, const char *rest, struct err *e)
{
    struct pool *pool = &r->scope.suite->pool;
    struct boot *b = pool_alloc(pool, sizeof(*b));
    const struct word *name;

    end_block(r);
    *b = r->defaults;
    b->options = list_share(&b->options);
    b->disks = list_share(&b->disks);
    share_patterns(&b->console);
    share_patterns(&b->messages);
    b->name = "?";
    b->file = r->file;
    b->line = r->line;
    b->prepares = prepares;
    r->boot = b;
    r->named = false;
    r->repeat = 0;
    r->given = 0;
    name = keyword_one_word(r, rest, "the name", e);
    if (name == NULL) {
        return -EINVAL;
    }
    if (!name_is_good(name->text)) {
        int ret = err_set(e, EINVAL, "'%s' is no name for a boot", name->text);
        err_hint(e, "up to %d letters, digits and ._+=,:@- (files are named so, and NAME.again1)",
                 NAME_MAX_BYTES);
        return ret;
    }
    b->name = name->text;
    r->named = true;
    return 0;
}

/* --- lines ------------------------------------------------------------------------ */

/* Cut the first word off; the rest begins behind the blanks. */
static char *cut_word(char *line)
{
    char *rest = line + strcspn(line, " \t");
    if (*rest != '\0') {
        *rest++ = '\0';
        rest += strspn(rest, " \t");
    }
    return rest;
}

static int read_keyword(struct reader *r, const char *keyword, char *rest, struct err *e)
{
    if (strcmp(keyword, "boot") == 0 || strcmp(keyword, "prepare") == 0) {
        return begin_block(r, keyword[0] == 'p', rest, e);
    }
    if (strcmp(keyword, "default") == 0) {
        end_block(r);
        char *value = cut_word(rest);
        return keyword_apply(r, &r->defaults, true, rest, value, e);
    }
    if (r->boot == NULL) { /* still, a misspelt word is the likelier mistake */
        struct boot nobody = r->defaults;
        int ret = keyword_apply(r, &nobody, true, keyword, rest, e);
        if (ret == 0) {
            ret = err_set(e, EINVAL, "%s is said of no boot", keyword);
            err_hint(e, "boot NAME begins a boot; default %s ... is for all that follow", keyword);
        }
        return ret;
    }
    return keyword_apply(r, r->boot, false, keyword, rest, e);
}

static int read_line(struct reader *r, const char *text, size_t length, struct err *e)
{
    if (length > LINE_MAX_BYTES) {
        return err_set(e, EINVAL, "the line is longer than %d bytes", LINE_MAX_BYTES);
    }
    if (memchr(text, '\0', length) != NULL) {
        return err_set(e, EINVAL, "a NUL byte: this is no text file");
    }
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL) {
        length--;
    }
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    if (length == 0 || *text == '#') {
        return 0;
    }
    char *line = pool_copy(&r->scope.suite->pool, text, length);
    char *rest = cut_word(line);
    return read_keyword(r, line, rest, e);
}

/* --- between blocks ------------------------------------------------------------------ */

const struct boot *suite_state(const struct suite *s, const char *name)
{
    for (size_t i = 0; i < s->states.count; i++) {
        const struct boot *b = list_at(&s->states, i);
        if (strcmp(b->name, name) == 0) {
            return b;
        }
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct boot *const *x = a;
    const struct boot *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void check_names(struct reader *r)
{
    const struct list *boots = &r->scope.suite->boots;
    const void **sorted = must_realloc(NULL, (boots->count + 1) * sizeof(sorted[0]));

    if (boots->count > 0) {
        memcpy(sorted, boots->items, boots->count * sizeof(sorted[0]));
    }
    qsort(sorted, boots->count, sizeof(sorted[0]), by_name);
    for (size_t i = 1; i < boots->count; i++) {
        const struct boot *a = sorted[i - 1];
        const struct boot *b = sorted[i];
        struct err e = ERR_INIT;
        /* The later of the two is the mistake; files that were read before have had theirs. */
        const struct boot *later =
            a->file == r->file && (b->file != r->file || a->line > b->line) ? a : b;
        const struct boot *other = later == a ? b : a;
        if (strcmp(a->name, b->name) == 0 && later->file == r->file) {
            err_set(&e, EINVAL, "there is a boot '%s' already, at %s:%u", a->name, other->file,
                    other->line);
            mistake(r, later->line, &e);
        }
    }
    free(sorted);
}

static void check_states(struct reader *r, size_t first)
{
    const struct suite *s = r->scope.suite;

    for (size_t i = first; i < s->boots.count; i++) {
        const struct boot *b = list_at(&s->boots, i);
        struct err e = ERR_INIT;
        if (b->from != NULL && suite_state(s, b->from) == NULL) {
            err_set(&e, EINVAL, "'%s' is from '%s', which is not prepared", b->name, b->from);
            err_hint(&e, "prepare %s begins its description", b->from);
            mistake(r, b->line, &e);
        }
    }
}

/* --- files ---------------------------------------------------------------------------- */

int suite_parse(struct suite *s, const char *file, const char *folder, const char *text,
                size_t length, FILE *to)
{
    struct reader r = {.scope = {.suite = s, .folder = folder}, .file = file, .to = to};
    size_t first = s->boots.count;

    r.defaults.time_limit_ns = DEFAULT_TIME_LIMIT_S * NS_PER_SECOND;
    r.defaults.output_limit = DEFAULT_OUTPUT_LIMIT;
    list_add(&s->pool, &s->files, file);
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end != NULL ? (size_t)(end - text) : length;
        struct err e = ERR_INIT;
        r.line++;
        if (read_line(&r, text, line, &e) < 0) {
            mistake(&r, r.line, &e);
        }
        line += end != NULL;
        text += line;
        length -= line;
    }
    end_block(&r);
    check_names(&r);
    check_states(&r, first);
    if (s->boots.count == first && r.mistakes == 0) {
        struct err e = ERR_INIT;
        err_set(&e, EINVAL, "no boots");
        err_hint(&e, "boot NAME begins one");
        mistake(&r, r.line, &e);
    }
    return r.mistakes == 0 ? 0 : -EINVAL;
}

/* The whole file; NULL, and errno, if it cannot be read. */
static char *read_whole(struct pool *pool, const char *path, size_t *length)
{
    FILE *f = fopen(path, "re");
    char *text = pool_alloc(pool, FILE_MAX_BYTES + 1);

    if (f == NULL) {
        return NULL;
    }
    *length = fread(text, 1, FILE_MAX_BYTES + 1, f);
    int error = ferror(f) ? errno : 0;
    if (*length > FILE_MAX_BYTES) {
        error = EFBIG;
    }
    fclose(f);
    errno = error;
    return error == 0 ? text : NULL;
}

int suite_read(struct suite *s, const char *path, FILE *to, struct err *e)
{
    size_t length;
    const char *file =
        printable(&s->pool, path, strlen(path), SIZE_MAX); /* for messages, reports */
    const char *text = read_whole(&s->pool, path, &length);
    char folder[PATH_MAX];

    if (text == NULL) {
        return err_set(e, errno, "cannot read the suite %s: %s", path, strerror(errno));
    }
    if (realpath(dirname(pool_copy(&s->pool, path, strlen(path))), folder) == NULL) {
        return err_set(e, errno, "cannot find the folder of %s: %s", path, strerror(errno));
    }
    return suite_parse(s, file, pool_copy(&s->pool, folder, strlen(folder)), text, length, to);
}

void suite_free(struct suite *s)
{
    for (struct pattern *p = s->patterns; p != NULL; p = p->next) {
        pattern_destroy(p);
    }
    pool_free(&s->pool);
}
