/*
 * Loading a kernel: open, detect, hand to the loader of its format. And what all loaders do to
 * guest memory.
 */
#include "src/boot/boot.h"
#include "src/base/trace.h"
#include "src/boot/loader.h"
#include "src/mem/dma.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int loader_write(struct loader *l, const char *what, uint64_t gpa, const void *buf, size_t len)
{
    int rc = dma_write(l->req->mem, gpa, buf, len);
    if (rc < 0) {
        return loader_err(l, -rc, "no guest memory at 0x%" PRIx64 " for the %s", gpa, what);
    }
    trace(TRACE_boot_load, "%s gpa 0x%" PRIx64 " size %zu", what, gpa, len);
    return 0;
}

int loader_zero(struct loader *l, uint64_t gpa, uint64_t len)
{
    struct iovec iov[LOADER_PIECES];
    int pieces = len == 0 ? 0 : dma_map(l->req->mem, gpa, len, true, iov, LOADER_PIECES);
    if (pieces < 0) {
        return loader_err(l, ENOMEM, "%" PRIu64 " bytes do not fit into guest memory at 0x%" PRIx64,
                          len, gpa);
    }
    for (int i = 0; i < pieces && !l->req->ram_is_zero; i++) {
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    }
    return 0;
}

uint64_t loader_ram_mib(const struct loader *l)
{
    uint64_t bytes = l->req->low_ram_end - l->req->ram_base;
    for (size_t i = 0; i < l->req->map_count; i++) {
        const struct mem_area *a = &l->req->map[i];
        if (a->type == MEM_RAM && a->gpa >= l->req->low_ram_end) {
            bytes += a->size;
        }
    }
    return bytes >> 20;
}

static int load_opened(struct loader *l)
{
    l->head_len = l->kernel.size < LOADER_HEAD_SIZE ? (size_t)l->kernel.size : LOADER_HEAD_SIZE;
    memset(l->head, 0, sizeof(l->head));
    int rc = image_read(&l->kernel, 0, l->head, l->head_len, l->e);
    if (rc < 0) {
        return rc;
    }
    int (*load)(struct loader *);
    rc = l->req->arch->detect(l, &load);
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
