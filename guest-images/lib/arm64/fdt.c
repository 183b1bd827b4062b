/*
 * Reading the device tree. Source: Devicetree Specification 0.4, chapter 5.
 */
#include "internal.h"
#include "virt.h"

#define MAGIC         0xd00dfeed
#define OFFSET_STRUCT 8
#define OFFSET_NAMES  12

enum {
    BEGIN_NODE = 1,
    END_NODE = 2,
    PROPERTY = 3,
    NOP = 4,
};

static const uint8_t *tree, *names;

uint32_t fdt_cell(const uint8_t *p)
{
    return __builtin_bswap32(get_le32(p));
}

uint64_t fdt_cells(const uint8_t *p)
{
    return __builtin_bswap64(get_le64(p));
}

void fdt_init(const uint8_t *device_tree)
{
    CHECK_EQ(fdt_cell(device_tree), MAGIC);
    tree = device_tree + fdt_cell(device_tree + OFFSET_STRUCT);
    names = device_tree + fdt_cell(device_tree + OFFSET_NAMES);
}

/* The token behind the one at p. */
static const uint8_t *next_token(const uint8_t *p)
{
    size_t size = 4;
    if (fdt_cell(p) == BEGIN_NODE) {
        size += strlen((const char *)p + 4) + 1;
    } else if (fdt_cell(p) == PROPERTY) {
        size += 8 + fdt_cell(p + 4);
    }
    return p + ((size + 3) & ~3UL);
}

fdt_node *fdt_root(void)
{
    return tree;
}

fdt_node *fdt_next(fdt_node *node)
{
    const uint8_t *p = next_token(node);
    while (fdt_cell(p) >= END_NODE && fdt_cell(p) <= NOP) {
        p = next_token(p);
    }
    return fdt_cell(p) == BEGIN_NODE ? p : NULL;
}

const uint8_t *fdt_property(fdt_node *node, const char *name, size_t *length)
{
    const uint8_t *p = next_token(node);
    for (; fdt_cell(p) == PROPERTY || fdt_cell(p) == NOP; p = next_token(p)) {
        if (fdt_cell(p) == PROPERTY &&
            memcmp(names + fdt_cell(p + 8), name, strlen(name) + 1) == 0) {
            *length = fdt_cell(p + 4);
            return p + 12;
        }
    }
    return NULL;
}

bool fdt_is(fdt_node *node, const char *property, const char *value)
{
    const size_t size = strlen(value) + 1;
    size_t left;
    const uint8_t *p = fdt_property(node, property, &left);
    while (p != NULL && left >= size) {
        if (memcmp(p, value, size) == 0) {
            return true;
        }
        const size_t skip = strlen((const char *)p) + 1;
        p += skip;
        left -= skip;
    }
    return false;
}

fdt_node *fdt_find(const char *property, const char *value, unsigned n)
{
    fdt_node *node = fdt_root();
    while (node != NULL && !(fdt_is(node, property, value) && n-- == 0)) {
        node = fdt_next(node);
    }
    return node;
}

fdt_node *fdt_compatible(const char *value, unsigned n)
{
    return fdt_find("compatible", value, n);
}

uint64_t fdt_reg(fdt_node *node, unsigned n)
{
    size_t length;
    const uint8_t *reg = fdt_property(node, "reg", &length);
    CHECK(reg != NULL && length >= 16 * (n + 1UL));
    return fdt_cells(reg + n * 16UL);
}

/* Cells of an interrupt: kind (0: shared), number, flags. */
unsigned fdt_gsi(fdt_node *node)
{
    size_t length;
    const uint8_t *interrupt = fdt_property(node, "interrupts", &length);
    CHECK(interrupt != NULL && length == 12 && fdt_cell(interrupt) == 0);
    return fdt_cell(interrupt + 4);
}
