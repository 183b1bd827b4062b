/*
 * Memory that is freed all at once: what a suite file becomes, and what its
 * results say, lives as long as the run does.
 *
 * Nothing here returns NULL: without memory there is no run, and the program
 * ends with a message (status EXIT_HOST; boots that run end with it).
 *
 * Locking: none; vmm-test has one thread.
 */
#ifndef SUITE_POOL_H
#define SUITE_POOL_H

#include <stddef.h>

struct pool {
    struct pool_block *blocks;
};

/* size bytes, zero. */
void *pool_alloc(struct pool *pool, size_t size);

/* The first length bytes of text, and a NUL. */
char *pool_copy(struct pool *pool, const char *text, size_t length);

char *pool_printf(struct pool *pool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void pool_free(struct pool *pool);

/* An array of pointers that grows. */
struct list {
    const void **items;
    size_t count;
    size_t room;
};

void list_add(struct pool *pool, struct list *list, const void *item);

/* The same items; what is added to either later is not in the other. */
struct list list_share(const struct list *list);

static inline const void *list_at(const struct list *list, size_t i)
{
    return list->items[i];
}

/* realloc(), or the end of the program. */
void *must_realloc(void *memory, size_t size);

#endif
