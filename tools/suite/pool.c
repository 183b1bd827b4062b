/*
 * Memory that is freed all at once: see pool.h.
 */
#include "tools/suite/pool.h"

#include "src/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    max_align_t data[];
};

void *must_realloc(void *memory, size_t size)
{
    void *moved = realloc(memory, size);
    if (moved == NULL) {
        fputs("vmm-test: error: out of memory\n", stderr);
        exit(EXIT_HOST);
    }
    return moved;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_block *block = must_realloc(NULL, sizeof(*block) + size);
    memset(block->data, 0, size);
    block->next = pool->blocks;
    pool->blocks = block;
    return block->data;
}

char *pool_copy(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_alloc(pool, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *pool_printf(struct pool *pool, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = pool_alloc(pool, size);
    va_start(ap, fmt);
    vsnprintf(text, size, fmt, ap);
    va_end(ap);
    return text;
}

void pool_free(struct pool *pool)
{
    while (pool->blocks != NULL) {
        struct pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}

void list_add(struct pool *pool, struct list *list, const void *item)
{
    if (list->count == list->room) {
        size_t room = list->room < 4 ? 4 : 2 * list->room;
        const void **items = pool_alloc(pool, room * sizeof(items[0]));
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof(items[0]));
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
}

struct list list_share(const struct list *list)
{
    return (struct list){.items = list->items, .count = list->count, .room = list->count};
}
