/*
 * The program of --exec: see program.h. Scripts: execve(2), "Interpreter scripts".
 */
#include "src/exec/program.h"

#include "src/exec/libs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_LINE  256 /* what the kernel reads of it */
#define SCRIPT_DEPTH 4   /* scripts whose interpreter is a script */

/* --- finding --------------------------------------------------------------------- */

static char *absolute(const char *name)
{
    char cwd[PATH_MAX];
    char *path = NULL;

    if (name[0] == '/') {
        return strdup(name);
    }
    while (strncmp(name, "./", 2) == 0) {
        name += 2;
    }
    if (getcwd(cwd, sizeof(cwd)) == NULL || asprintf(&path, "%s/%s", cwd, name) < 0) {
        return NULL;
    }
    return path;
}

static char *in_path(const char *name)
{
    const char *dirs = getenv("PATH");
    char *path;

    while (dirs != NULL && *dirs != '\0') {
        const size_t len = strcspn(dirs, ":");

        if (dirs[0] == '/' && asprintf(&path, "%.*s/%s", (int)len, dirs, name) >= 0) {
            if (access(path, X_OK) == 0) {
                return path;
            }
            free(path);
        }
        dirs += len + (dirs[len] == ':');
    }
    return NULL;
}

/* What init mounts would hide it, or init itself is there. */
static bool is_hidden(const char *path)
{
    static const char *const places[] = {"/dev/", "/proc/", "/sys/"};

    if (strcmp(path, "/init") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strncmp(path, places[i], strlen(places[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int check_file(const char *path, const char *name, struct err *e)
{
    char end[PATH_MAX]; /* where links lead */
    struct stat st;

    if (stat(path, &st) < 0 || realpath(path, end) == NULL) {
        return err_set(e, errno, "cannot find %s, %s", name, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, EACCES, "%s is no file", name);
    }
    if ((st.st_mode & 0111) == 0) {
        err_set(e, EACCES, "%s is not executable", name);
        err_hint(e, "chmod +x %s", name);
        return -EACCES;
    }
    if (is_hidden(path) || is_hidden(end)) {
        err_set(e, EINVAL, "%s is where the guest has its own /init, /dev, /proc and /sys", name);
        err_hint(e, "copy it somewhere else");
        return -EINVAL;
    }
    return 0;
}

int program_find(struct program *p, const char *name, struct err *e)
{
    *p = (struct program){0};
    if (strchr(name, '/') == NULL) {
        p->path = in_path(name);
        if (p->path == NULL) {
            err_set(e, ENOENT, "there is no program %s in PATH", name);
            err_hint(e, "a program of this folder is ./%s", name);
            return -ENOENT;
        }
    } else {
        p->path = absolute(name);
    }
    return p->path != NULL ? check_file(p->path, name, e) : err_set(e, ENOMEM, "out of memory");
}

void program_free(struct program *p)
{
    free(p->path);
    free(p->search);
    *p = (struct program){0};
}

/* --- packing --------------------------------------------------------------------- */

static int pack_any(struct program *p, struct exec_tree *t, const char *path, unsigned depth);

static int pack_elf(struct program *p, struct exec_tree *t, const char *path, struct elf_info *info)
{
    char origin[PATH_MAX]; /* the loader takes $ORIGIN from where links lead */
    struct libs *libs = malloc(sizeof(*libs));
    int ret;

    if (libs == NULL || realpath(path, origin) == NULL) {
        free(libs);
        return err_set(t->e, ENOMEM, "cannot pack %s, %s", path, strerror(errno));
    }
    ret = libs_find(libs, origin, info, LIBS_CONF, t->e);
    for (size_t i = 1; i < libs->count && ret == 0; i++) {
        ret = exec_tree_file(t, libs->items[i].path);
    }
    if (ret == 0 && p->search == NULL) {
        p->search = libs->search;
        libs->search = NULL;
    }
    libs_free(libs);
    free(libs);
    return ret;
}

/* "#!INTERPRETER [ARGUMENT]"; with env(1), the argument is a program, too. */
static int pack_script(struct program *p, struct exec_tree *t, const char *path, char *line,
                       unsigned depth)
{
    char *save = NULL, *found = NULL;
    const char *interp = strtok_r(line + 2, " \t", &save);
    const char *arg = strtok_r(NULL, " \t", &save);
    int ret;

    if (interp == NULL || interp[0] != '/' || depth == SCRIPT_DEPTH) {
        return err_set(t->e, ENOEXEC, "the script %s has no interpreter in its first line", path);
    }
    if (access(interp, X_OK) < 0) {
        return err_set(t->e, errno, "the script %s needs %s: %s", path, interp, strerror(errno));
    }
    ret = pack_any(p, t, interp, depth + 1);
    if (ret == 0 && arg != NULL && strcmp(strrchr(interp, '/'), "/env") == 0) {
        arg = strcmp(arg, "-S") == 0 ? strtok_r(NULL, " \t", &save) : arg;
        found = arg != NULL ? in_path(arg) : NULL;
        ret = found != NULL ? pack_any(p, t, found, depth + 1)
                            : err_set(t->e, ENOENT, "the script %s needs %s, which is not in PATH",
                                      path, arg != NULL ? arg : "a program");
        free(found);
    }
    return ret;
}

static int not_for_us(const struct elf_info *info, const char *path, struct err *e)
{
    char text[32];

    err_set(e, ENOEXEC, "%s is for %s, and the guest is %s", path, elf_machine_name(info, text),
            elf_own_name);
    err_hint(e, "compile it for %s (%s)", elf_own_name, elf_own_triple);
    return -ENOEXEC;
}

/* A file that the kernel is to start. */
static int pack_any(struct program *p, struct exec_tree *t, const char *path, unsigned depth)
{
    char line[SCRIPT_LINE] = "";
    struct elf_info info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int ret;

    if (fd < 0) {
        return err_set(t->e, errno, "cannot read %s, %s", path, strerror(errno));
    }
    ret = elf_info_read(&info, fd, path, t->e);
    if (ret == 0 && !info.is_elf && pread(fd, line, sizeof(line) - 1, 0) < 0) {
        ret = err_set(t->e, errno, "cannot read %s, %s", path, strerror(errno));
    }
    close(fd);
    line[strcspn(line, "\n")] = '\0';
    if (ret == 0 && info.is_elf) {
        ret = elf_info_fits(&info) ? pack_elf(p, t, path, &info) : not_for_us(&info, path, t->e);
    } else if (ret == 0 && strncmp(line, "#!", 2) == 0) {
        ret = pack_script(p, t, path, line, depth);
    } else if (ret == 0) {
        ret = err_set(t->e, ENOEXEC, "%s is no program: neither ELF nor a script with #!", path);
    }
    elf_info_free(&info);
    return ret < 0 ? ret : exec_tree_file(t, path);
}

int program_pack(struct program *p, struct exec_tree *t)
{
    return pack_any(p, t, p->path, 0);
}
