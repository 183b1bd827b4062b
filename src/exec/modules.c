/*
 * Choosing modules: see modules.h.
 */
#include "src/exec/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 128
#define DEPTH_MAX    100 /* real ones need each other about 10 deep */

enum state { NEW, OPEN, DONE };

struct module {
    char *line; /* "FILE: FILE FILE" */
    char name[NAME_MAX_LEN];
    enum state state;
};

struct index {
    const char *dir;
    struct module *items; /* by name */
    size_t count, room;
    struct module_list *out;
    unsigned depth; /* of modules that need each other */
    struct err *e;
};

/* The module's name from its file's: no folders, no .ko.xz, - as _. */
static void name_of(const char *file, size_t len, char name[static NAME_MAX_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (file[i] == '/') {
            n = 0;
        } else if (n + 1 < NAME_MAX_LEN) {
            name[n++] = (char)(file[i] == '-' ? '_' : file[i]);
        }
    }
    name[n] = '\0';
    char *end = strstr(name, ".ko");
    if (end != NULL) {
        *end = '\0';
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct module *)a)->name, ((const struct module *)b)->name);
}

/* A file outside the folder is none of its modules. */
static bool file_is_inside(const char *file, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (file[i] == '.' && file[i + 1] == '.') {
            return false;
        }
    }
    return len > 0 && file[0] != '/';
}

/* --- the index ---------------------------------------------------------------- */

static int add_line(struct index *x, const char *line)
{
    struct module *m;

    if (x->count == x->room) {
        const size_t room = x->room != 0 ? x->room * 2 : 1024;
        struct module *grown = realloc(x->items, room * sizeof(*grown));

        if (grown == NULL) {
            return err_set(x->e, ENOMEM, "out of memory");
        }
        x->items = grown;
        x->room = room;
    }
    m = &x->items[x->count];
    *m = (struct module){.line = strdup(line)};
    if (m->line == NULL) {
        return err_set(x->e, ENOMEM, "out of memory");
    }
    m->line[strcspn(m->line, "\r\n")] = '\0';
    name_of(m->line, strcspn(m->line, ":"), m->name);
    x->count++;
    return 0;
}

static FILE *open_in(const char *dir, const char *name)
{
    char *path;
    FILE *in;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        return NULL;
    }
    in = fopen(path, "re");
    free(path);
    return in;
}

static int read_index(struct index *x)
{
    FILE *in = open_in(x->dir, "modules.dep");
    char *line = NULL;
    size_t size = 0;
    int ret = 0;

    if (in == NULL) {
        ret = err_set(x->e, errno, "--modules %s: cannot read its modules.dep, %s", x->dir,
                      strerror(errno));
        err_hint(x->e, "name a folder like /lib/modules/VERSION; depmod makes the file");
        return ret;
    }
    while (ret == 0 && getline(&line, &size, in) > 0) {
        if (strchr(line, ':') != NULL) {
            ret = add_line(x, line);
        }
    }
    free(line);
    fclose(in);
    if (x->count > 0) {
        qsort(x->items, x->count, sizeof(x->items[0]), by_name);
    }
    return ret;
}

static bool is_built_in(const char *dir, const char *name)
{
    FILE *in = open_in(dir, "modules.builtin");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    while (in != NULL && !found && getline(&line, &size, in) > 0) {
        char of_line[NAME_MAX_LEN];

        name_of(line, strcspn(line, "\r\n"), of_line);
        found = strcmp(of_line, name) == 0;
    }
    free(line);
    if (in != NULL) {
        fclose(in);
    }
    return found;
}

/* --- the order -------------------------------------------------------------------- */

static struct module *find(struct index *x, const char *file, size_t len)
{
    struct module key = {.line = NULL};

    name_of(file, len, key.name);
    return x->count > 0 ? bsearch(&key, x->items, x->count, sizeof(key), by_name) : NULL;
}

static int append(struct index *x, const char *file, size_t len)
{
    struct module_list *out = x->out;
    char **grown = realloc(out->files, (out->count + 1) * sizeof(*grown));

    if (grown != NULL) {
        out->files = grown;
        grown[out->count] = strndup(file, len);
    }
    if (grown == NULL || grown[out->count] == NULL) {
        return err_set(x->e, ENOMEM, "out of memory");
    }
    out->count++;
    return 0;
}

static int visit(struct index *x, struct module *m)
{
    const size_t len = strcspn(m->line, ":");
    const char *at = m->line + len + 1;
    int ret = 0;

    if (m->state == DONE) {
        return 0;
    }
    if (m->state == OPEN || x->depth == DEPTH_MAX) {
        return err_set(x->e, ELOOP, "--modules %s: in modules.dep %s needs itself%s", x->dir,
                       m->name, m->state == OPEN ? "" : ", or too many in a row");
    }
    if (!file_is_inside(m->line, len)) {
        return err_set(x->e, EINVAL, "--modules %s: modules.dep names a file outside, %.*s", x->dir,
                       (int)len, m->line);
    }
    m->state = OPEN;
    x->depth++;
    while (ret == 0 && *(at += strspn(at, " \t")) != '\0') {
        const size_t dep_len = strcspn(at, " \t");
        struct module *dep = find(x, at, dep_len);

        ret = dep != NULL
                  ? visit(x, dep)
                  : err_set(x->e, ENOENT, "--modules %s: %s needs %.*s, which modules.dep lacks",
                            x->dir, m->name, (int)dep_len, at);
        at += dep_len;
    }
    x->depth--;
    m->state = DONE;
    return ret < 0 ? ret : append(x, m->line, len);
}

static int want(struct index *x, const struct module_want *w)
{
    struct module *m = find(x, w->name, strlen(w->name));
    char name[NAME_MAX_LEN];

    if (m != NULL) {
        return visit(x, m);
    }
    name_of(w->name, strlen(w->name), name);
    if (w->optional || is_built_in(x->dir, name)) {
        return 0;
    }
    err_set(x->e, ENOENT, "--modules %s: there is no module %s, nor is it built in", x->dir, name);
    err_hint(x->e, "is it the folder of this kernel? Its name is the kernel's version");
    return -ENOENT;
}

int modules_find(struct module_list *list, const char *dir, const struct module_want *wants,
                 size_t count, struct err *e)
{
    struct index x = {.dir = dir, .out = list, .e = e};
    int ret;

    *list = (struct module_list){0};
    ret = read_index(&x);
    for (size_t i = 0; i < count && ret == 0; i++) {
        ret = want(&x, &wants[i]);
    }
    for (size_t i = 0; i < x.count; i++) {
        free(x.items[i].line);
    }
    free(x.items);
    return ret;
}

void modules_free(struct module_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i]);
    }
    free(list->files);
    *list = (struct module_list){0};
}
