/*
 * The command line of vmm: see command.h.
 */
#include "tools/suite/command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void add_options(struct list *to, const struct boot *b, struct pool *pool)
{
    if (b->kernel != NULL && b->from == NULL) {
        list_add(pool, to, "--kernel");
        list_add(pool, to, b->kernel);
    }
    for (size_t i = 0; i < b->options.count; i++) {
        list_add(pool, to, list_at(&b->options, i));
    }
}

static void add_disks(struct list *to, const struct list *disks, struct pool *pool)
{
    for (size_t i = 0; i < disks->count; i++) {
        const struct disk *d = list_at(disks, i);
        list_add(pool, to, "--disk");
        list_add(pool, to, pool_printf(pool, "disk%zu%s", i, d->properties));
    }
}

/* A comma inside an option's part is doubled. */
static const char *doubled_commas(const char *text, struct pool *pool)
{
    char *copy = pool_alloc(pool, 2 * strlen(text) + 1);
    char *to = copy;

    for (; *text != '\0'; text++) {
        *to++ = *text;
        if (*text == ',') {
            *to++ = ',';
        }
    }
    return copy;
}

/* A state's machine is all in its file, and its disks' writes are each machine's own. */
static void add_snapshot(struct list *to, const struct boot *b, const char *snapshot,
                         struct pool *pool)
{
    if (b->from != NULL) {
        list_add(pool, to, "--snapshot-load");
        list_add(pool, to, snapshot);
        return;
    }
    list_add(pool, to, "--snapshot-save");
    const char *file = doubled_commas(snapshot, pool);
    list_add(pool, to,
             b->ready == NULL
                 ? file
                 : pool_printf(pool, "%s,when=console:%s", file, doubled_commas(b->ready, pool)));
}

char **command_build(const struct boot *b, const char *vmm, const char *snapshot, struct pool *pool)
{
    struct list words = {0};

    list_add(pool, &words, vmm);
    add_options(&words, b, pool);
    if (b->from == NULL) {
        add_disks(&words, &b->disks, pool);
    }
    if (snapshot != NULL) {
        add_snapshot(&words, b, snapshot, pool);
    }
    char **argv = pool_alloc(pool, (words.count + 1) * sizeof(argv[0]));
    for (size_t i = 0; i < words.count; i++) {
        const char *word = list_at(&words, i);
        argv[i] = pool_copy(pool, word, strlen(word));
    }
    return argv;
}

/* $'...' around a word with control characters, as bash knows it: a report has lines of its own. */
static const char *escaped(const char *word, struct pool *pool)
{
    char *text = pool_alloc(pool, 4 * strlen(word) + 4);
    char *to = stpcpy(text, "$'");

    for (; *word != '\0'; word++) {
        if (iscntrl((unsigned char)*word)) {
            to += sprintf(to, "\\%03o", (unsigned char)*word);
        } else {
            to = stpcpy(to, *word == '\'' || *word == '\\' ? "\\" : "");
            *to++ = *word;
        }
    }
    *to = '\'';
    return text;
}

/* '...' around a word a shell would not take as it is; a quote in it becomes '\''. */
static const char *quoted(const char *word, struct pool *pool)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=,:+@%";
    size_t length = strlen(word);

    if (length > 0 && strspn(word, plain) == length) {
        return word;
    }
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)word[i])) {
            return escaped(word, pool);
        }
    }
    char *text = pool_alloc(pool, 4 * length + 3);
    char *to = text;
    *to++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = *word;
        }
    }
    *to = '\'';
    return text;
}

const char *command_text(char *const *argv, struct pool *pool)
{
    size_t length = 1;
    for (size_t i = 0; argv[i] != NULL; i++) {
        length += strlen(quoted(argv[i], pool)) + 1;
    }
    char *text = pool_alloc(pool, length);
    char *to = text;
    for (size_t i = 0; argv[i] != NULL; i++) {
        to = stpcpy(to, i > 0 ? " " : "");
        to = stpcpy(to, quoted(argv[i], pool));
    }
    return text;
}
