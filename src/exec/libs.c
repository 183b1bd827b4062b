/*
 * Finding libraries: see libs.h.
 */
#include "src/exec/libs.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_DEPTH 8
#define DIRS_MAX   256

struct search {
    struct libs *libs;
    struct err *e;
    char *dirs[DIRS_MAX]; /* of ld.so.conf */
    size_t dir_count;
};

/* --- folders ------------------------------------------------------------------ */

/* Where the loader looks without being told; in this order. */
static const char *const default_dirs[] = {"/lib/%s",    "/usr/lib/%s", "/lib64",
                                           "/usr/lib64", "/lib",        "/usr/lib"};

static void read_conf(struct search *s, const char *path, unsigned depth);

static void include_conf(struct search *s, const char *from, const char *pattern, unsigned depth)
{
    glob_t found;
    char *full = NULL;
    const char *slash = strrchr(from, '/');

    if (pattern[0] != '/' && slash != NULL &&
        asprintf(&full, "%.*s/%s", (int)(slash - from), from, pattern) < 0) {
        return;
    }
    if (glob(full != NULL ? full : pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            read_conf(s, found.gl_pathv[i], depth + 1);
        }
        globfree(&found);
    }
    free(full);
}

static void read_conf(struct search *s, const char *path, unsigned depth)
{
    FILE *in = depth < CONF_DEPTH ? fopen(path, "re") : NULL;
    char line[4096];

    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        char *word = line + strspn(line, " \t");

        word[strcspn(word, "#\r\n")] = '\0';
        for (size_t n = strlen(word); n > 0 && strchr(" \t", word[n - 1]) != NULL; n--) {
            word[n - 1] = '\0';
        }
        if (strncmp(word, "include", 7) == 0 && strchr(" \t", word[7]) != NULL) {
            include_conf(s, path, word + 7 + strspn(word + 7, " \t"), depth);
        } else if (word[0] == '/' && s->dir_count < DIRS_MAX) {
            char *dir = strdup(word);
            s->dir_count += dir != NULL;
            s->dirs[s->dir_count - (dir != NULL)] = dir;
        }
    }
    if (in != NULL) {
        fclose(in);
    }
}

/* Default folder number i; NULL after the last. */
static const char *default_dir(size_t i, char text[static 128])
{
    if (i >= sizeof(default_dirs) / sizeof(default_dirs[0])) {
        return NULL;
    }
    const char *percent = strchr(default_dirs[i], '%');
    const int len = percent != NULL ? (int)(percent - default_dirs[i]) : 127;
    snprintf(text, 128, "%.*s%s", len, default_dirs[i], percent != NULL ? elf_own_triple : "");
    return text;
}

static bool is_default(const char *dir)
{
    char text[128];

    for (size_t i = 0; default_dir(i, text) != NULL; i++) {
        if (strcmp(text, dir) == 0) {
            return true;
        }
    }
    return false;
}

/* --- one library ---------------------------------------------------------------- */

static bool is_in_list(const char *list, const char *dir)
{
    const size_t len = strlen(dir);

    while (list != NULL) {
        if (strncmp(list, dir, len) == 0 && (list[len] == ':' || list[len] == '\0')) {
            return true;
        }
        list = strchr(list, ':');
        list += list != NULL;
    }
    return false;
}

/* Add dir to what the guest's loader must be told. */
static int tell_guest(struct search *s, const char *dir)
{
    char *both;
    char *old = s->libs->search;

    if (is_in_list(old, dir)) {
        return 0;
    }
    if (asprintf(&both, "%s%s%s", old != NULL ? old : "", old != NULL ? ":" : "", dir) < 0) {
        return err_set(s->e, ENOMEM, "out of memory");
    }
    free(old);
    s->libs->search = both;
    return 0;
}

static struct lib *add(struct search *s, const char *name, const char *path, size_t loader)
{
    struct libs *l = s->libs;
    struct lib *lib = &l->items[l->count];

    if (l->count == LIBS_MAX) {
        err_set(s->e, E2BIG, "%s needs more than %d libraries", l->items[0].path, LIBS_MAX);
        return NULL;
    }
    *lib = (struct lib){.name = strdup(name), .path = strdup(path), .loader = loader};
    l->count++;
    if (lib->name == NULL || lib->path == NULL) {
        err_set(s->e, ENOMEM, "out of memory");
        return NULL;
    }
    return lib;
}

/* 1: path is a library for this machine, and was added; 0: it is not; -errno. */
static int try_path(struct search *s, const char *name, const char *path, size_t loader)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct elf_info info = {0};
    struct lib *lib;
    int ret;

    if (fd < 0) {
        return 0;
    }
    ret = elf_info_read(&info, fd, path, s->e);
    close(fd);
    if (ret == 0 && elf_info_fits(&info)) {
        lib = add(s, name, path, loader);
        ret = lib != NULL ? 1 : -ENOMEM;
        if (lib != NULL) {
            lib->info = info;
            return ret;
        }
    }
    elf_info_free(&info);
    return ret;
}

static int try_dir(struct search *s, const char *name, const char *dir, size_t loader)
{
    char *path;
    int ret;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        return err_set(s->e, ENOMEM, "out of memory");
    }
    ret = try_path(s, name, path, loader);
    free(path);
    return ret;
}

/* dir with $ORIGIN and $LIB replaced, on the heap; an empty one is NULL, as is no memory. */
static char *expand(const char *dir, size_t len, const char *origin)
{
    const struct {
        const char *token, *value;
        int len;
    } tokens[] = {
        {"$ORIGIN", origin, (int)(strrchr(origin, '/') - origin)},
        {"${ORIGIN}", origin, (int)(strrchr(origin, '/') - origin)},
        {"$LIB", "lib", 3},
        {"${LIB}", "lib", 3},
    };
    char *text = NULL;
    size_t size;
    FILE *out = len > 0 ? open_memstream(&text, &size) : NULL;

    for (size_t i = 0; out != NULL && i < len;) {
        size_t t = 0;

        while (t < 4 && strncmp(dir + i, tokens[t].token, strlen(tokens[t].token)) != 0) {
            t++;
        }
        if (t < 4) {
            fprintf(out, "%.*s", tokens[t].len, tokens[t].value);
            i += strlen(tokens[t].token);
        } else {
            fputc(dir[i++], out);
        }
    }
    if (out != NULL) {
        fclose(out);
    }
    return text;
}

/* The folders of a list with colons, of the object `of`. */
static int try_list(struct search *s, const char *name, const char *list, size_t of, size_t loader)
{
    int ret = 0;

    while (list != NULL && ret == 0) {
        const size_t len = strcspn(list, ":");
        char *dir = expand(list, len, s->libs->items[of].path);

        if (dir != NULL && dir[0] == '/') {
            ret = try_dir(s, name, dir, loader);
        }
        free(dir);
        list = list[len] == ':' ? list + len + 1 : NULL;
    }
    return ret;
}

/* RPATH of the object and of those that load it; not where there is a RUNPATH. */
static int try_rpaths(struct search *s, const char *name, size_t of)
{
    const struct lib *items = s->libs->items;
    size_t at = of;
    int ret;

    if (items[of].info.runpath != NULL) {
        return try_list(s, name, items[of].info.runpath, of, of);
    }
    for (;;) {
        ret = items[at].info.runpath == NULL ? try_list(s, name, items[at].info.rpath, at, of) : 0;
        if (ret != 0 || at == 0) {
            return ret;
        }
        at = items[at].loader;
    }
}

static int try_system(struct search *s, const char *name, size_t of)
{
    char text[128];
    int ret = 0;

    for (size_t i = 0; i < s->dir_count && ret == 0; i++) {
        ret = try_dir(s, name, s->dirs[i], of);
        if (ret == 1 && !is_default(s->dirs[i]) && tell_guest(s, s->dirs[i]) < 0) {
            ret = -ENOMEM;
        }
    }
    for (size_t i = 0; ret == 0 && default_dir(i, text) != NULL; i++) {
        ret = try_dir(s, name, text, of);
    }
    return ret;
}

static bool have(const struct libs *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int find_one(struct search *s, const char *name, size_t of)
{
    int ret;

    if (have(s->libs, name)) {
        return 0;
    }
    if (strchr(name, '/') != NULL) {
        ret = name[0] == '/' ? try_path(s, name, name, of) : 0;
    } else {
        ret = try_rpaths(s, name, of);
        ret = ret == 0 ? try_system(s, name, of) : ret;
    }
    if (ret == 0) {
        err_set(s->e, ENOENT, "%s needs the library %s, which is not on this host",
                s->libs->items[of].path, name);
        err_hint(s->e, "install it, or link the program with -static");
        return -ENOENT;
    }
    return ret < 0 ? ret : 0;
}

/* --- the whole -------------------------------------------------------------------- */

static int add_interpreter(struct search *s)
{
    const struct lib *program = &s->libs->items[0];
    const char *interp = program->info.interp;

    if (access(interp, X_OK) < 0) {
        err_set(s->e, errno, "%s needs the interpreter %s: %s", program->path, interp,
                strerror(errno));
        err_hint(s->e, "install the C library it was built for, or link it with -static");
        return -ENOENT;
    }
    return add(s, strrchr(interp, '/') + 1, interp, 0) != NULL ? 0 : -ENOMEM;
}

int libs_find(struct libs *l, const char *path, struct elf_info *info, const char *conf,
              struct err *e)
{
    struct search s = {.libs = l, .e = e};
    struct lib *program;
    int ret = 0;

    *l = (struct libs){.count = 0};
    program = add(&s, "", path, 0);
    if (program == NULL) {
        return -ENOMEM;
    }
    program->info = *info;
    *info = (struct elf_info){0};
    if (program->info.interp != NULL) {
        ret = add_interpreter(&s);
        read_conf(&s, conf, 0);
    }
    for (size_t i = 0; i < l->count && ret == 0 && l->items[0].info.interp != NULL; i++) {
        for (size_t n = 0; n < l->items[i].info.needed_count && ret == 0; n++) {
            ret = find_one(&s, l->items[i].info.needed[n], i);
        }
    }
    for (size_t i = 0; i < s.dir_count; i++) {
        free(s.dirs[i]);
    }
    return ret;
}

void libs_free(struct libs *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].name);
        free(l->items[i].path);
        elf_info_free(&l->items[i].info);
    }
    free(l->search);
    *l = (struct libs){.count = 0};
}
