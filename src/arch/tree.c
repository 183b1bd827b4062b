/*
 * See tree.h.
 */
#include "src/arch/tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int out_of_memory(struct err *e)
{
    return err_set(e, ENOMEM, "out of memory for the device tree");
}

/* --- writing -------------------------------------------------------------- */

static void check(struct tree *t, int err)
{
    t->err = t->err == 0 ? err : t->err;
}

int tree_start(struct tree *t, struct err *e)
{
    *t = (struct tree){.blob = calloc(1, TREE_MAX)};
    if (t->blob == NULL) {
        return out_of_memory(e);
    }
    check(t, fdt_create(t->blob, TREE_MAX));
    check(t, fdt_finish_reservemap(t->blob));
    return 0;
}

int tree_finish(struct tree *t, void **blob, struct err *e)
{
    check(t, fdt_finish(t->blob));
    if (t->err != 0) {
        free(t->blob);
        return err_set(e, EINVAL, "cannot make the device tree: %s", fdt_strerror(t->err));
    }
    *blob = t->blob;
    return 0;
}

void tree_begin(struct tree *t, const char *fmt, ...)
{
    char name[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    check(t, fdt_begin_node(t->blob, name));
}

void tree_end(struct tree *t)
{
    check(t, fdt_end_node(t->blob));
}

void tree_bytes(struct tree *t, const char *name, const void *value, size_t len)
{
    check(t, fdt_property(t->blob, name, value, (int)len));
}

void tree_flag(struct tree *t, const char *name)
{
    tree_bytes(t, name, "", 0);
}

void tree_string(struct tree *t, const char *name, const char *value)
{
    tree_bytes(t, name, value, strlen(value) + 1);
}

void tree_cells(struct tree *t, const char *name, const uint32_t *cells, size_t count)
{
    void *at = NULL;

    check(t, fdt_property_placeholder(t->blob, name, (int)(count * sizeof(*cells)), &at));
    for (size_t i = 0; i < count && t->err == 0; i++) {
        fdt32_st((char *)at + i * sizeof(*cells), cells[i]);
    }
}

/* --- /chosen --------------------------------------------------------------- */

/* The node, made if it is not there; or libfdt's error. */
static int find_chosen(void *blob)
{
    const int node = fdt_path_offset(blob, "/chosen");

    return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(blob, 0, "chosen") : node;
}

static int set_initrd(void *blob, int node, const struct tree_chosen *c)
{
    int err;

    if (c->initrd_size == 0) {
        fdt_delprop(blob, node, "linux,initrd-start");
        fdt_delprop(blob, node, "linux,initrd-end");
        return 0;
    }
    err = fdt_setprop_u64(blob, node, "linux,initrd-start", c->initrd);
    return err != 0 ? err
                    : fdt_setprop_u64(blob, node, "linux,initrd-end", c->initrd + c->initrd_size);
}

int tree_choose(void *blob, const struct tree_chosen *c, struct err *e)
{
    uint8_t seeds[40]; /* kaslr-seed, rng-seed */
    int node, err = fdt_open_into(blob, blob, TREE_MAX);

    if (getrandom(seeds, sizeof(seeds), 0) != sizeof(seeds)) {
        return err_set(e, errno, "the host has no random numbers: %s", strerror(errno));
    }
    node = err == 0 ? find_chosen(blob) : err;
    err = node < 0 ? node : set_initrd(blob, node, c);
    if (err == 0 && !(c->keep_bootargs && fdt_getprop(blob, node, "bootargs", NULL) != NULL)) {
        err = fdt_setprop_string(blob, node, "bootargs", c->bootargs);
    }
    if (err == 0) {
        err = fdt_setprop(blob, node, "kaslr-seed", seeds, 8);
    }
    if (err == 0) {
        err = fdt_setprop(blob, node, "rng-seed", seeds + 8, 32);
    }
    if (err == 0) {
        err = fdt_pack(blob);
    }
    return err == 0 ? 0
                    : err_set(e, EINVAL, "cannot put /chosen into the device tree: %s",
                              fdt_strerror(err));
}

/* --- files ------------------------------------------------------------------- */

static int check_file(const char *path, const void *blob, size_t size, struct err *e)
{
    int ret;

    if (size == TREE_MAX) {
        return err_set(e, EFBIG, "device tree %s: has 2 MiB or more", path);
    }
    if (fdt_check_full(blob, size) == 0) {
        return 0;
    }
    ret = err_set(e, ENOEXEC, "device tree %s: is none, or damaged", path);
    err_hint(e, "a compiled tree is wanted (dtc -I dts -O dtb)");
    return ret;
}

int tree_read(const char *path, void **blob, struct err *e)
{
    FILE *f = fopen(path, "re");
    void *bytes = calloc(1, TREE_MAX);
    int ret = 0;

    if (f == NULL) {
        ret = err_set(e, errno, "device tree %s: %s", path, strerror(errno));
    } else if (bytes == NULL) {
        ret = out_of_memory(e);
    } else {
        const size_t size = fread(bytes, 1, TREE_MAX, f);

        ret = ferror(f) ? err_set(e, errno, "device tree %s: %s", path, strerror(errno))
                        : check_file(path, bytes, size, e);
    }
    if (f != NULL) {
        fclose(f);
    }
    if (ret < 0) {
        free(bytes);
        return ret;
    }
    *blob = bytes;
    return 0;
}

int tree_write(const void *blob, const char *path, struct err *e)
{
    FILE *f = fopen(path, "we");

    if (f == NULL) {
        return err_set(e, errno, "cannot write %s, %s", path, strerror(errno));
    }
    const size_t written = fwrite(blob, 1, tree_size(blob), f);
    if (fclose(f) != 0 || written != tree_size(blob)) {
        return err_set(e, EIO, "cannot write %s, %s", path, strerror(errno));
    }
    return 0;
}

size_t tree_size(const void *blob)
{
    return fdt_totalsize(blob);
}
