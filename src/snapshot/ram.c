/*
 * Guest RAM in snapshots: what is not zero, in extents that can be mapped.
 *
 * A restored machine copies nothing: each extent is a private mapping of the file
 * over the RAM, so that machines share its pages until they write. The checksum is
 * taken over that mapping, before the guest runs.
 */
#include "src/mem/ram.h"
#include "src/base/xxh64.h"
#include "src/snapshot/file.h"
#include "src/snapshot/ram.h"
#include "src/snapshot/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXTENTS_MAX 4096 /* the kernel allows a process 65,530 mappings */

/* --- saving ----------------------------------------------------------- */

static bool is_zero(const uint8_t *p, size_t len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* RAM is looked at in pieces of so many bytes, of which half can be extents at most. */
static uint64_t piece_size(uint64_t ram)
{
    uint64_t piece = SNAPSHOT_RAM_ALIGN;

    while (ram / piece > 2 * EXTENTS_MAX) {
        piece *= 2;
    }
    return piece;
}

int snapshot_put_all_ram(struct snapshot_writer *w, const struct ram *ram, struct err *e)
{
    const uint64_t piece = piece_size(ram->size);
    uint64_t start = 0, at = 0;
    int ret = 0;

    while (at < ram->size && ret == 0) {
        const uint64_t left = ram->size - at;
        const uint64_t len = left < piece ? left : piece;
        const bool zero = is_zero(ram->host + at, len);

        at += len;
        if (zero && start < at - len) {
            ret = snapshot_put_ram(w, start, ram->host + start, at - len - start, e);
        }
        start = zero ? at : start;
    }
    return ret == 0 && start < at ? snapshot_put_ram(w, start, ram->host + start, at - start, e)
                                  : ret;
}

/* --- loading ---------------------------------------------------------- */

static int map_extent(struct snapshot_file *f, const struct snapshot_section *s, struct ram *ram,
                      uint64_t page, struct err *e)
{
    char why[96];

    if (s->length == 0 || s->address > ram->size || s->length > ram->size - s->address ||
        s->address % page != 0 || s->offset % page != 0 || s->length % page != 0) {
        return snapshot_damaged(f, "a part of guest RAM lies outside of it", e);
    }
    const int ret = ram_map_file(ram, s->address, f->fd, s->offset, s->length, e);
    if (ret < 0) {
        return ret;
    }
    if (xxh64(ram->host + s->address, s->length) != s->sum) {
        snprintf(why, sizeof(why), "guest RAM at offset 0x%" PRIx64 " does not match its checksum",
                 s->address);
        return snapshot_damaged(f, why, e);
    }
    return 0;
}

int snapshot_map_ram(struct snapshot_file *f, struct ram *ram, struct err *e)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int ret = 0;

    for (uint32_t i = 0; i < f->count && ret == 0; i++) {
        if (f->sections[i].type == SECTION_RAM) {
            ret = map_extent(f, &f->sections[i], ram, page, e);
        }
    }
    return ret;
}
