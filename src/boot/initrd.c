/*
 * Initrds. Several are loaded one after the other as one: Linux unpacks
 * concatenated cpio archives in order if each starts at a multiple of 4 bytes
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include "src/boot/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define PAGE_SIZE 4096ULL
#define FOUR_GIB  0x100000000ULL
#define ONE_MIB   0x100000ULL /* below it a PC has holes */

static size_t count_all(const struct loader *l)
{
    return l->req->initrd_count + (l->req->last_initrd != NULL);
}

static const char *path_at(const struct loader *l, size_t i)
{
    return i < l->req->initrd_count ? l->req->initrds[i] : l->req->last_initrd;
}

/* Open all; returns the bytes they take together, or -errno with none left open. */
static int open_all(struct loader *l, struct image *images, uint64_t *total)
{
    *total = 0;
    for (size_t i = 0; i < count_all(l); i++) {
        int rc = image_open(&images[i], "initrd", path_at(l, i), l->e);
        uint64_t start = (*total + 3) & ~3ULL;
        if (rc == 0 && images[i].size > INT64_MAX - start) {
            rc = image_err(&images[i], l->e, EFBIG, "is too large");
            image_close(&images[i]);
        }
        if (rc < 0) {
            while (i-- > 0) {
                image_close(&images[i]);
            }
            return rc;
        }
        *total = start + images[i].size;
    }
    return 0;
}

/* Page aligned, as high as possible below 4 GiB; else at the top of RAM. 0: no room. */
static uint64_t choose_place(const struct loader *l, const struct initrd_rule *rule, uint64_t size)
{
    uint64_t end = l->req->low_ram_end;
    if (end > FOUR_GIB) {
        end = FOUR_GIB;
    }
    if (rule->max < end) {
        end = rule->max + 1;
    }
    const uint64_t floor = rule->floor > ONE_MIB ? rule->floor : ONE_MIB;
    if (size <= end && ((end - size) & ~(PAGE_SIZE - 1)) >= floor) {
        return (end - size) & ~(PAGE_SIZE - 1);
    }
    for (size_t i = l->req->map_count; rule->above_4g_ok && i-- > 0;) {
        const struct mem_area *a = &l->req->map[i];
        if (a->type == MEM_RAM && a->gpa >= FOUR_GIB && size <= a->size) {
            return (a->gpa + a->size - size) & ~(PAGE_SIZE - 1);
        }
    }
    return 0;
}

static int too_large(struct loader *l, const struct initrd_rule *rule, uint64_t size)
{
    const uint64_t initrd_mib = (size >> 20) + 1;
    const uint64_t kernel_mib = ((rule->floor - l->req->ram_base) >> 20) + 1;
    int rc = err_set(l->e, ENOMEM,
                     "initrd %s%s: %" PRIu64 " MiB do not fit behind the kernel, which ends at "
                     "%" PRIu64 " MiB; --memory has %" PRIu64 " MiB",
                     path_at(l, 0), count_all(l) > 1 ? " and the others" : "", initrd_mib,
                     kernel_mib, loader_ram_mib(l));
    err_hint(l->e, "try --memory %" PRIu64 "M (Linux needs room for the unpacked files besides)",
             kernel_mib + 3 * initrd_mib);
    return rc;
}

static int load_all(struct loader *l, const struct image *images, uint64_t gpa)
{
    for (size_t i = 0; i < count_all(l); i++) {
        int rc = image_load(&images[i], 0, l->req->mem, gpa, images[i].size, l->e);
        gpa += images[i].size;
        const uint64_t padding = -gpa & 3;
        if (rc == 0 && i + 1 < count_all(l)) {
            rc = loader_write(l, "initrd", gpa, "\0\0\0", padding);
        }
        if (rc < 0) {
            return rc;
        }
        gpa += padding;
    }
    return 0;
}

int initrd_load(struct loader *l, const struct initrd_rule *rule, uint64_t *gpa, uint64_t *size)
{
    *gpa = 0;
    *size = 0;
    if (count_all(l) == 0) {
        return 0;
    }
    struct image *images = calloc(count_all(l), sizeof(*images));
    if (images == NULL) {
        return err_set(l->e, ENOMEM, "out of memory for %zu initrds", count_all(l));
    }
    int rc = open_all(l, images, size);
    if (rc == 0) {
        *gpa = choose_place(l, rule, *size);
        rc = *gpa == 0 ? too_large(l, rule, *size) : load_all(l, images, *gpa);
        for (size_t i = 0; i < count_all(l); i++) {
            image_close(&images[i]);
        }
    }
    free(images);
    return rc;
}
