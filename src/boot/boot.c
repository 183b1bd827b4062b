/*
 * Loading a kernel: open, detect, hand to the loader of its format.
 */
#include "src/boot/boot.h"
#include "src/boot/loader.h"

#include <string.h>

static int load_opened(struct loader *l)
{
    l->head_len = l->kernel.size < LOADER_HEAD_SIZE ? (size_t)l->kernel.size : LOADER_HEAD_SIZE;
    memset(l->head, 0, sizeof(l->head));
    int rc = image_read(&l->kernel, 0, l->head, l->head_len, l->e);
    if (rc < 0) {
        return rc;
    }
    int (*load)(struct loader *);
    rc = detect_format(l, &load);
    return rc < 0 ? rc : load(l);
}

int boot_load(const struct boot_request *req, struct boot_entry *entry, struct err *e)
{
    struct loader l = {.req = req, .entry = entry, .e = e};
    *entry = (struct boot_entry){0};
    int rc = image_open(&l.kernel, "kernel", req->kernel, e);
    if (rc < 0) {
        return rc;
    }
    rc = load_opened(&l);
    image_close(&l.kernel);
    return rc;
}
