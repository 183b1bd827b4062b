/*
 * The command line of vmm: see command.h.
 */
#include "tools/suite/command.h"

#include <string.h>

static void add_options(struct list *to, const struct boot *b, struct pool *pool)
{
    if (b->kernel != NULL) {
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

char **command_build(const struct boot *b, const struct boot *state, const char *vmm,
                     const char *snapshot, struct pool *pool)
{
    struct list words = {0};

    list_add(pool, &words, vmm);
    add_options(&words, b, pool);
    add_disks(&words, state != NULL ? &state->disks : &b->disks, pool);
    if (snapshot != NULL) {
        list_add(pool, &words, state != NULL ? "--snapshot-load" : "--snapshot-save");
        list_add(pool, &words, snapshot);
    }
    char **argv = pool_alloc(pool, (words.count + 1) * sizeof(argv[0]));
    for (size_t i = 0; i < words.count; i++) {
        const char *word = list_at(&words, i);
        argv[i] = pool_copy(pool, word, strlen(word));
    }
    return argv;
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
