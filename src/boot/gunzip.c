/*
 * Kernels packed by gzip, unpacked piece by piece: the caller says how much it
 * has room for, so that a small file that unpacks to a very large one does no harm.
 *
 * Source: RFC 1952; zlib.
 */
#include "src/boot/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

struct gunzip {
    struct loader *l;
    z_stream z;
    uint64_t next; /* offset in the file of what is not read yet */
    bool end;
    uint8_t in[16384];
};

bool gunzip_can(const struct loader *l)
{
    return detect_bytes(l, 0, "\x1f\x8b", 2);
}

struct gunzip *gunzip_start(struct loader *l)
{
    enum { GZIP_ONLY = 16 };
    struct gunzip *gz = calloc(1, sizeof(*gz));
    if (gz == NULL || inflateInit2(&gz->z, MAX_WBITS | GZIP_ONLY) != Z_OK) {
        loader_err(l, ENOMEM, "out of memory to unpack it");
        free(gz);
        return NULL;
    }
    gz->l = l;
    return gz;
}

void gunzip_end(struct gunzip *gz)
{
    inflateEnd(&gz->z);
    free(gz);
}

static int refill(struct gunzip *gz)
{
    const uint64_t left = gz->l->kernel.size - gz->next;
    const size_t len = left < sizeof(gz->in) ? (size_t)left : sizeof(gz->in);
    if (len == 0) {
        return loader_err(gz->l, ENOEXEC, "truncated, its gzip data has no end");
    }
    int rc = image_read(&gz->l->kernel, gz->next, gz->in, len, gz->l->e);
    gz->next += len;
    gz->z.next_in = gz->in;
    gz->z.avail_in = (uInt)len;
    return rc;
}

int gunzip(struct gunzip *gz, uint8_t *out, uint64_t len, uint64_t *got)
{
    const uint64_t most = 1U << 30;
    *got = 0;
    while (*got < len && !gz->end) {
        int rc = gz->z.avail_in == 0 ? refill(gz) : 0;
        if (rc < 0) {
            return rc;
        }
        const uInt room = (uInt)(len - *got < most ? len - *got : most);
        gz->z.next_out = out + *got;
        gz->z.avail_out = room;
        rc = inflate(&gz->z, Z_NO_FLUSH);
        *got += room - gz->z.avail_out;
        gz->end = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END) {
            return loader_err(gz->l, rc == Z_MEM_ERROR ? ENOMEM : ENOEXEC,
                              "damaged, its gzip data cannot be unpacked (%s)", zError(rc));
        }
    }
    return 0;
}
