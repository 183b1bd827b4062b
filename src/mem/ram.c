/*
 * Guest RAM. See ram.h.
 *
 * The reservation is inaccessible memory, larger than asked; the RAM is an aligned
 * part of it with at least one page left on each side, so that an overrun of guest
 * memory faults rather than reaching our own.
 *
 * Locking: none.
 */
#include "src/mem/ram.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_PAGE  4096u
#define RAM_ALIGN (2u << 20)

static int no_memory(uint64_t size, int code, struct err *e)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * page;

    err_set(e, code, "cannot allocate %" PRIu64 " MiB of guest memory, %s", size >> 20,
            strerror(code));
    err_hint(e, "this host has %" PRIu64 " MiB; ask for less with --memory", total >> 20);
    return -code;
}

/* Both are wishes: a kernel without huge pages or core dumps refuses them. */
static void advise(const struct ram *r)
{
    madvise(r->host, r->size, MADV_HUGEPAGE);
    madvise(r->host, r->size, MADV_DONTDUMP);
}

int ram_alloc(struct ram *r, uint64_t size, struct err *e)
{
    const size_t slack = 2 * (size_t)RAM_ALIGN;
    uintptr_t start;
    void *map;

    if (size == 0 || size % RAM_PAGE != 0) {
        return err_set(e, EINVAL, "guest memory of %" PRIu64 " bytes, must be a multiple of 4096",
                       size);
    }
    if (size > SIZE_MAX - slack) {
        return no_memory(size, ENOMEM, e);
    }
    map = mmap(NULL, size + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        return no_memory(size, errno, e);
    }
    start = ((uintptr_t)map + RAM_PAGE + RAM_ALIGN - 1) & ~(uintptr_t)(RAM_ALIGN - 1);
    *r = (struct ram){
        .host = (uint8_t *)map + (start - (uintptr_t)map),
        .size = size,
        .mapping = map,
        .mapping_size = size + slack,
    };
    if (mprotect(r->host, size, PROT_READ | PROT_WRITE) != 0) {
        int code = errno;
        ram_free(r);
        return no_memory(size, code, e);
    }
    advise(r);
    return 0;
}

int ram_map_file(struct ram *r, uint64_t offset, int fd, uint64_t file_offset, uint64_t len,
                 struct err *e)
{
    r->of_file = true;
    if (mmap(r->host + offset, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
             fd, (off_t)file_offset) == MAP_FAILED) {
        return err_set(e, errno, "cannot map guest memory from a file, %s", strerror(errno));
    }
    madvise(r->host + offset, len, MADV_DONTDUMP);
    return 0;
}

/* What is dropped of a private mapping of a file comes back as the file has it: map anew. */
int ram_clear(struct ram *r, struct err *e)
{
    if (r->of_file) {
        if (mmap(r->host, r->size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
            return err_set(e, errno, "cannot clear guest RAM: %s", strerror(errno));
        }
        r->of_file = false;
        advise(r);
    } else if (madvise(r->host, r->size, MADV_DONTNEED) < 0) {
        return err_set(e, errno, "cannot clear guest RAM: %s", strerror(errno));
    }
    return 0;
}

void ram_free(struct ram *r)
{
    if (r->mapping != NULL) {
        munmap(r->mapping, r->mapping_size);
    }
    *r = (struct ram){0};
}

/* A change of protection reaches KVM through its MMU notifier. Nothing executes these pages here.
 */
void ram_unmap_from_guest(void *host, size_t len)
{
    if (mprotect(host, len, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
        mprotect(host, len, PROT_READ | PROT_WRITE);
    }
}
