/*
 * The initramfs of an --exec guest: see pack.h.
 */
#include "src/exec/pack.h"

#include "src/exec/modules.h"
#include "src/exec/program.h"
#include "src/exec/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODULES_DIR "/.vmm/modules"
#define CONF_MAX    (1U << 20) /* what init takes: guest-images/exec-init/main.c */
#define ARGS_MAX    16000
#define WANTS_MAX   64

/* The words for init, each with its NUL, as they grow. */
struct words {
    FILE *out;
    char *text;
    size_t size;
};

static void say(struct words *w, const char *key, const char *value)
{
    fprintf(w->out, "%s=%s", key, value);
    fputc('\0', w->out);
}

static void say_env(struct words *w, const char *name, const char *value)
{
    fprintf(w->out, "env=%s=%s", name, value);
    fputc('\0', w->out);
}

/* --- modules ------------------------------------------------------------------------ */

/* count may pass WANTS_MAX. */
static size_t add_want(struct module_want *wants, size_t count, const char *name, bool optional)
{
    if (count < WANTS_MAX) {
        wants[count] = (struct module_want){name, optional};
    }
    return count + 1;
}

/*
 * Those for the devices that the machine has, and those that were named, as in DIR,NAME,NAME. More
 * than WANTS_MAX: they are too many.
 */
static size_t choose_modules(const struct config *c, char *names, struct module_want *wants)
{
    size_t count = add_want(wants, 0, "pvpanic_mmio", true);
    char *save = NULL;

    if (c->disks.count > 0) {
        count = add_want(wants, count, "virtio_mmio", false);
        count = add_want(wants, count, "virtio_blk", false);
        count = add_want(wants, count, "ext4", true);
    }
    for (char *name = strtok_r(names, ",", &save); name != NULL;
         name = strtok_r(NULL, ",", &save)) {
        count = add_want(wants, count, name, false);
    }
    return count;
}

/* Pack number i of the list, under a name that keeps its ending. */
static int pack_module(struct exec_tree *t, struct words *w, const char *dir, const char *file,
                       size_t i)
{
    const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    char *from = NULL, *to = NULL;
    int ret = -ENOMEM;

    if (asprintf(&from, "%s/%s", dir, file) >= 0 &&
        asprintf(&to, MODULES_DIR "/%03zu-%s", i, base) >= 0) {
        ret = exec_tree_copy(t, from, to);
        say(w, "module", to);
    } else {
        err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    free(from);
    free(to);
    return ret;
}

static int pack_modules(const struct config *c, struct exec_tree *t, struct words *w)
{
    struct module_want wants[WANTS_MAX];
    struct module_list list;
    char *dir = strdup(c->exec.modules);
    int ret;

    if (dir == NULL) {
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    char *names = dir + strcspn(dir, ",");
    if (*names != '\0') {
        *names++ = '\0';
    }
    const size_t count = choose_modules(c, names, wants);
    if (count > WANTS_MAX) {
        free(dir);
        return err_set(t->e, E2BIG, "--modules takes up to %d modules", WANTS_MAX);
    }
    ret = modules_find(&list, dir, wants, count, t->e);
    if (ret == 0) {
        ret = exec_tree_dir(t, MODULES_DIR, 0755);
    }
    for (size_t i = 0; i < list.count && ret == 0; i++) {
        ret = pack_module(t, w, dir, list.files[i], i);
    }
    modules_free(&list);
    free(dir);
    return ret;
}

/* --- the rest ------------------------------------------------------------------------ */

static int pack_base(struct exec_tree *t)
{
    static const struct {
        const char *path;
        unsigned mode;
    } dirs[] = {
        {"/dev", 0755},  {"/proc", 0555}, {"/sys", 0555},    {"/tmp", 01777},  {"/run", 0755},
        {"/root", 0700}, {"/.vmm", 0755}, {EXEC_WORK, 0755}, {EXEC_OUT, 0777},
    };
    int ret = 0;

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && ret == 0; i++) {
        ret = exec_tree_dir(t, dirs[i].path, dirs[i].mode);
    }
    if (ret == 0) {
        ret = exec_tree_device(t, "/dev/console", 0600, 5, 1);
    }
    if (ret == 0) {
        ret = exec_tree_device(t, "/dev/null", 0666, 1, 3);
    }
    return ret < 0 ? ret : exec_tree_bytes(t, "/init", 0755, exec_init_image, exec_init_size);
}

static void say_program(const struct config *c, const struct program *p, struct words *w)
{
    say(w, "cwd", c->exec.dir != NULL ? EXEC_WORK : "/");
    if (c->exec.out != NULL) {
        say(w, "out", EXEC_OUT);
        say_env(w, "OUT", EXEC_OUT);
    }
    say_env(w, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    say_env(w, "HOME", "/root");
    say_env(w, "VMM_EXEC", VMM_VERSION);
    if (p->search != NULL) {
        say_env(w, "LD_LIBRARY_PATH", p->search);
    }
    say(w, "run", p->path);
    say(w, "arg", c->exec.program);
    for (size_t i = 0; i < c->exec.arg_count; i++) {
        say(w, "arg", c->exec.args[i]);
    }
}

/* Everything but the words for init, which it collects. */
static int pack_files(const struct config *c, struct exec_tree *t, struct words *w)
{
    struct program p;
    int ret = program_find(&p, c->exec.program, t->e);

    if (ret == 0) {
        ret = pack_base(t);
    }
    if (ret == 0 && c->exec.dir != NULL) {
        ret = exec_tree_folder(t, c->exec.dir, EXEC_WORK);
        if (ret < 0) {
            err_prefix(t->e, "--exec-dir");
        }
    }
    if (ret == 0 && c->exec.modules != NULL) {
        ret = pack_modules(c, t, w);
    }
    if (ret == 0) {
        ret = program_pack(&p, t);
        say_program(c, &p, w);
    }
    program_free(&p);
    return ret;
}

static int pack_words(struct exec_tree *t, struct words *w)
{
    if (fclose(w->out) != 0) {
        w->out = NULL;
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    w->out = NULL;
    if (w->size > CONF_MAX) {
        return err_set(t->e, E2BIG, "the program's arguments have more than 1 MiB");
    }
    return exec_tree_bytes(t, EXEC_CONF, 0600, w->text, w->size);
}

/*
 * How large it may be: Linux has the archive in memory while it unpacks it, into a
 * file system that takes half of the RAM.
 */
#define SPARE_MEMORY (16ULL << 20)
static uint64_t limit_for(uint64_t memory)
{
    return memory > SPARE_MEMORY ? (memory - SPARE_MEMORY) / 5 * 2 : 0;
}

static uint64_t memory_for(uint64_t size)
{
    return size / 2 * 5 + SPARE_MEMORY;
}

static int pack_all(const struct config *c, const char *line, struct exec_tree *t)
{
    struct words w = {0};
    int ret;

    w.out = open_memstream(&w.text, &w.size);
    if (w.out == NULL) {
        return err_set(t->e, ENOMEM, "out of memory for the initramfs");
    }
    say(&w, "line", line);
    ret = pack_files(c, t, &w);
    if (ret == 0) {
        ret = pack_words(t, &w);
    }
    if (ret == 0) {
        ret = cpio_end(&t->archive, t->e);
    }
    if (ret == -EFBIG && t->archive.over) {
        err_set(t->e, EFBIG,
                "the initramfs for %s has %" PRIu64 " MiB; --memory %" PRIu64 "M takes %" PRIu64,
                c->exec.program, (t->archive.size >> 20) + 1, c->memory >> 20,
                t->archive.limit >> 20);
        err_hint(t->e, "try --memory %" PRIu64 "M", (memory_for(t->archive.size) >> 20) + 1);
    }
    if (w.out != NULL) {
        fclose(w.out);
    }
    free(w.text);
    return ret;
}

int exec_pack(const struct config *config, const char *line, struct err *e)
{
    const int fd = memfd_create("vmm-exec", MFD_CLOEXEC);
    struct exec_tree t;
    int ret;

    if (fd < 0) {
        return err_set(e, errno, "cannot make the initramfs, %s", strerror(errno));
    }
    if (config->exec.arg_count > ARGS_MAX) {
        close(fd);
        return err_set(e, E2BIG, "the program has more than %d arguments", ARGS_MAX);
    }
    exec_tree_begin(&t, fd, limit_for(config->memory), e);
    ret = pack_all(config, line, &t);
    exec_tree_free(&t);
    if (ret < 0) {
        close(fd);
        return ret;
    }
    return fd;
}
