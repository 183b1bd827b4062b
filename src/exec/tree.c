/*
 * Files into an archive: see tree.h.
 */
#include "src/exec/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

/* --- which are in --------------------------------------------------------------- */

/* A path of the archive, and the host's file that is there; 0, 0: none of the host's. */
struct seen {
    dev_t device;
    ino_t inode;
    char path[];
};

static int compare(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    return strcmp(x->path, y->path);
}

/*
 * 1: path is new, and marked from now on as what file (NULL: none) says; 0: it is in; -ENOMEM.
 * -EEXIST: another file is.
 */
static int mark_file(struct exec_tree *t, const char *path, const struct stat *file)
{
    const size_t len = strlen(path) + 1;
    struct seen *new = malloc(sizeof(*new) + len);
    void *node = NULL;

    if (new != NULL) {
        memcpy(new->path, path, len);
        new->device = file != NULL ? file->st_dev : 0;
        new->inode = file != NULL ? file->st_ino : 0;
        node = tsearch(new, &t->seen, compare);
    }
    if (node == NULL) {
        free(new);
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    const struct seen *found = *(struct seen **)node;
    if (found == new) {
        return 1;
    }
    const bool same = file == NULL || (found->device == new->device && found->inode == new->inode);
    free(new);
    return same ? 0 : -EEXIST;
}

static int mark(struct exec_tree *t, const char *path)
{
    return mark_file(t, path, NULL);
}

/* What became of writing the entry. */
static int wrote(const struct exec_tree *t, const char *path, int ret)
{
    return ret < 0 ? err_set(t->e, -ret, "cannot pack %s, %s", path, strerror(-ret)) : 0;
}

void exec_tree_begin(struct exec_tree *t, int fd, uint64_t limit, struct err *e)
{
    *t = (struct exec_tree){.e = e};
    cpio_begin(&t->archive, fd, limit);
}

void exec_tree_free(struct exec_tree *t)
{
    while (t->seen != NULL) {
        struct seen *first = *(struct seen **)t->seen;

        tdelete(first, &t->seen, compare);
        free(first);
    }
}

/* --- single entries --------------------------------------------------------------- */

int exec_tree_dir(struct exec_tree *t, const char *path, unsigned mode)
{
    const int ret = mark(t, path);

    return ret <= 0 ? ret : wrote(t, path, cpio_dir(&t->archive, path + 1, mode));
}

int exec_tree_bytes(struct exec_tree *t, const char *path, unsigned mode, const void *data,
                    size_t len)
{
    const int ret = mark(t, path);

    return ret <= 0 ? ret : wrote(t, path, cpio_bytes(&t->archive, path + 1, mode, data, len));
}

int exec_tree_device(struct exec_tree *t, const char *path, unsigned mode, unsigned major,
                     unsigned minor)
{
    const int ret = mark(t, path);

    return ret <= 0 ? ret
                    : wrote(t, path, cpio_char_device(&t->archive, path + 1, mode, major, minor));
}

/* fd is from, and open. */
static int copy_file(struct exec_tree *t, const char *from, int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return err_set(t->e, errno, "cannot read %s, %s", from, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(t->e, EINVAL, "%s is no regular file", from);
    }
    const int ret = mark_file(t, path, &st);
    if (ret == -EEXIST) {
        err_set(t->e, EEXIST, "%s and another file would both be %s in the guest", from, path);
        err_hint(t->e, "the copy of --exec-dir is /work there: copy one of them elsewhere");
    }
    return ret <= 0 ? ret
                    : wrote(t, from,
                            cpio_file(&t->archive, path + 1, st.st_mode & 07777, fd,
                                      (uint64_t)st.st_size));
}

int exec_tree_copy(struct exec_tree *t, const char *from, const char *path)
{
    const int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const int ret = fd < 0 ? err_set(t->e, errno, "cannot read %s, %s", from, strerror(errno))
                           : copy_file(t, from, fd, path);

    if (fd >= 0) {
        close(fd);
    }
    return ret;
}

static int add_link(struct exec_tree *t, const char *from, const char *path,
                    char target[static PATH_MAX])
{
    const ssize_t len = readlink(from, target, PATH_MAX - 1);

    if (len < 0) {
        return err_set(t->e, errno, "cannot read the link %s, %s", from, strerror(errno));
    }
    target[len] = '\0';
    const int ret = mark(t, path);
    return ret <= 0 ? ret : wrote(t, path, cpio_symlink(&t->archive, path + 1, target));
}

/* --- a path and what it leads to ----------------------------------------------------- */

/* The next component of a path, copied out of *rest, which moves on; false: there is none. */
static bool next_component(const char **rest, char name[static NAME_MAX + 1])
{
    *rest += strspn(*rest, "/");
    const size_t len = strcspn(*rest, "/");
    snprintf(name, NAME_MAX + 1, "%.*s", (int)len, *rest);
    *rest += len;
    return len > 0 && len <= NAME_MAX;
}

/*
 * Add what `at`, a path of which only the last component may be a link, is. A link: *next is where
 * it leads with rest behind it, on the heap.
 */
static int add_step(struct exec_tree *t, const char *at, const char *rest, char **next)
{
    char target[PATH_MAX];
    struct stat st;
    int ret;

    if (lstat(at, &st) < 0) {
        return err_set(t->e, errno, "cannot find %s, %s", at, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return exec_tree_dir(t, at, st.st_mode & 07777);
    }
    if (!S_ISLNK(st.st_mode)) {
        return *rest == '\0' ? exec_tree_copy(t, at, at)
                             : err_set(t->e, ENOTDIR, "%s is no folder", at);
    }
    ret = add_link(t, at, at, target);
    if (ret == 0 && asprintf(next, "%.*s/%s%s", target[0] == '/' ? 0 : (int)(strrchr(at, '/') - at),
                             at, target, rest) < 0) {
        *next = NULL;
        ret = err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    return ret;
}

/* Up to the first link on the way: *next then, NULL where there was none. */
static int add_way(struct exec_tree *t, const char *path, char **next)
{
    char at[PATH_MAX] = "", name[NAME_MAX + 1];
    const char *rest = path;
    size_t len = 0;
    int ret = 0;

    *next = NULL;
    while (ret == 0 && *next == NULL && next_component(&rest, name)) {
        if (strcmp(name, ".") == 0) {
            continue;
        }
        if (strcmp(name, "..") == 0) { /* all before it are true folders */
            while (len > 0 && at[--len] != '/') {
            }
            at[len] = '\0';
            continue;
        }
        if (len + 1 + strlen(name) >= sizeof(at)) {
            return err_set(t->e, ENAMETOOLONG, "%s is too long a path", path);
        }
        len += (size_t)sprintf(at + len, "/%s", name);
        ret = add_step(t, at, rest, next);
    }
    return ret;
}

int exec_tree_file(struct exec_tree *t, const char *path)
{
    char *way = strdup(path), *next = NULL;
    int ret = way != NULL ? 0 : err_set(t->e, ENOMEM, "out of memory for the initramfs");

    for (unsigned links = 0; ret == 0 && way != NULL; links++) {
        ret = links <= LINKS_MAX ? add_way(t, way, &next)
                                 : err_set(t->e, ELOOP, "%s leads through too many links", path);
        free(way);
        way = next;
        next = NULL;
    }
    free(way);
    return ret;
}

/* --- a whole folder ----------------------------------------------------------------- */

/* below: what of the entry's path is in the folder that becomes path, "" or "/...". */
static int add_entry(struct exec_tree *t, const FTSENT *entry, const char *below, const char *path)
{
    char target[PATH_MAX];
    char *to;
    int ret;

    if (asprintf(&to, "%s%s", path, below) < 0) {
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    switch (entry->fts_info) {
    case FTS_D:
        ret = exec_tree_dir(t, to, entry->fts_statp->st_mode & 07777);
        break;
    case FTS_DP:
        ret = 0;
        break;
    case FTS_F:
        ret = exec_tree_copy(t, entry->fts_path, to);
        break;
    case FTS_SL:
    case FTS_SLNONE:
        ret = add_link(t, entry->fts_path, to, target);
        break;
    case FTS_DEFAULT:
        ret = err_set(t->e, EINVAL, "%s is neither file, folder nor link", entry->fts_path);
        break;
    default:
        ret = err_set(t->e, entry->fts_errno, "cannot read %s, %s", entry->fts_path,
                      strerror(entry->fts_errno));
        break;
    }
    free(to);
    return ret;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* NULL: the end with errno 0, or an error. */
static FTSENT *next_entry(FTS *walk)
{
    errno = 0;
    return fts_read(walk);
}

int exec_tree_folder(struct exec_tree *t, const char *from, const char *path)
{
    char *root = strdup(from);
    char *const roots[] = {root, NULL};
    FTS *walk;
    FTSENT *entry;
    int ret = 0;

    if (root == NULL) {
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    size_t len = strlen(root);
    while (len > 0 && root[len - 1] == '/') { /* the walk puts one behind it, if it is not "/" */
        len--;
    }
    root[len + (len == 0 && root[0] == '/')] = '\0';
    walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    while (ret == 0 && walk != NULL && (entry = next_entry(walk)) != NULL) {
        if (entry->fts_level == 0 && entry->fts_info == FTS_F) {
            ret = err_set(t->e, ENOTDIR, "%s is no folder", from);
        } else {
            ret = add_entry(t, entry, entry->fts_level == 0 ? "" : entry->fts_path + len, path);
        }
    }
    if (ret == 0 && errno != 0) { /* of fts_open(), or of the last fts_read() */
        ret = err_set(t->e, errno, "cannot read %s, %s", from, strerror(errno));
    }
    if (walk != NULL) {
        fts_close(walk);
    }
    free(root);
    return ret;
}
