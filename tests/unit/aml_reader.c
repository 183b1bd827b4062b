#include "tests/unit/aml_reader.h"

#include "src/base/le.h"

#include <criterion/criterion.h>
#include <string.h>

struct cursor {
    const uint8_t *at, *end;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
    cr_assert_leq(n, (size_t)(c->end - c->at), "AML ends early");
    c->at += n;
    return c->at - n;
}

static uint64_t take_number(struct cursor *c, unsigned size)
{
    const uint8_t *p = take(c, size);
    uint64_t v = 0;
    for (unsigned i = size; i > 0; i--) {
        v = v << 8 | p[i - 1];
    }
    return v;
}

/* A PkgLength and what it covers, as a cursor of its own. */
static struct cursor take_package(struct cursor *c)
{
    const uint8_t *start = c->at;
    const uint8_t lead = *take(c, 1);
    size_t length = lead & 0x3f;
    if (lead >> 6 != 0) {
        length = (lead & 0x0f) | (size_t)take_number(c, lead >> 6) << 4;
    }
    const uint8_t *body = c->at;
    cr_assert_geq(length, (size_t)(body - start));
    c->at = start;
    take(c, length);
    return (struct cursor){body, c->at};
}

/* A name of one segment, the root character before it allowed. */
static void take_name(struct cursor *c, char name[5])
{
    if (*c->at == '\\') {
        take(c, 1);
    }
    memcpy(name, take(c, 4), 4);
    name[4] = '\0';
    for (int i = 0; i < 4; i++) {
        cr_assert(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", name[i]) != NULL, "%s", name);
    }
}

static struct aml_value number(uint64_t v)
{
    return (struct aml_value){.type = AML_INTEGER, .integer = v};
}

static struct aml_value take_data(struct cursor *c)
{
    struct aml_value v = {.type = AML_BUFFER};
    const uint8_t op = *take(c, 1);
    switch (op) {
    case 0x00:
    case 0x01:
        return number(op);
    case 0x0a:
        return number(take_number(c, 1));
    case 0x0b:
        return number(take_number(c, 2));
    case 0x0c:
        return number(take_number(c, 4));
    case 0x0e:
        return number(take_number(c, 8));
    case 0x0d:
        v.type = AML_STRING;
        v.string = (const char *)c->at;
        take(c, strnlen(v.string, (size_t)(c->end - c->at)) + 1);
        return v;
    }
    cr_assert(op == 0x11 || op == 0x12, "opcode %x", op);
    struct cursor body = take_package(c);
    if (op == 0x11) {
        const uint64_t size = take_data(&body).integer;
        cr_assert_eq(size, (uint64_t)(body.end - body.at), "a buffer has its size");
    } else {
        v.type = AML_PACKAGE;
        v.count = (unsigned)take_number(&body, 1);
    }
    v.data = body.at;
    v.size = (size_t)(body.end - body.at);
    return v;
}

struct aml_value aml_element(const struct aml_value *package, unsigned n)
{
    struct cursor c = {package->data, package->data + package->size};
    struct aml_value v = {0};
    cr_assert_eq(package->type, AML_PACKAGE);
    cr_assert_lt(n, package->count);
    for (unsigned i = 0; i < package->count; i++) {
        const struct aml_value element = take_data(&c);
        v = i == n ? element : v;
    }
    cr_assert_eq(c.at, c.end, "a package has as many elements as it says");
    return v;
}

/* The next term of a scope: its name and value; an empty name for what has none. */
static struct aml_value take_term(struct cursor *c, char name[5])
{
    struct aml_value v = {.type = AML_NAMESPACE};
    struct cursor body;
    uint8_t op = *take(c, 1);
    name[0] = '\0';
    if (op == 0x08) { /* Name */
        take_name(c, name);
        return take_data(c);
    }
    if (op == 0x5b) {
        op = *take(c, 1);
        if (op == 0x80) { /* OperationRegion: name, space, offset, length */
            take_name(c, name);
            take(c, 1);
            take_data(c);
            return take_data(c);
        }
        cr_assert(op == 0x81 || op == 0x82, "opcode 5b %x", op);
    } else {
        cr_assert(op == 0x10 || op == 0x14, "opcode %x", op);
    }
    body = take_package(c);
    take_name(&body, name);
    if (op == 0x14) { /* Method */
        v.type = AML_METHOD;
    } else if (op == 0x81) { /* Field: names in it, not its own */
        name[0] = '\0';
    }
    v.data = body.at;
    v.size = (size_t)(body.end - body.at);
    return v;
}

bool aml_lookup(const uint8_t *table, const char *path, struct aml_value *out)
{
    struct cursor c = {table + 36, table + get_le32(table + 4)};
    bool found = false;
    while (c.at < c.end) {
        char name[5];
        const struct aml_value v = take_term(&c, name);
        if (!found && name[0] != '\0' && strncmp(name, path, 4) == 0) {
            found = true;
            *out = v;
            if (path[4] == '.') { /* on inside it */
                cr_assert_eq(v.type, AML_NAMESPACE, "%s", path);
                c = (struct cursor){v.data, v.data + v.size};
                path += 5;
                found = false;
            }
        }
    }
    return found;
}

struct aml_value aml_get(const uint8_t *table, const char *path)
{
    struct aml_value v = {0};
    cr_assert(aml_lookup(table, path, &v), "there is no %s", path);
    return v;
}

/* --- resources ------------------------------------------------------------- */

/* An address space: granularity, first, last, translation, length, of `width` bytes each. */
static void read_address(struct cursor *c, unsigned width, struct aml_resource *r)
{
    r->type = (uint8_t)take_number(c, 1);
    r->flags = (uint8_t)take_number(c, 1);
    r->type_flags = (uint8_t)take_number(c, 1);
    cr_assert_eq(take_number(c, width), 0, "granularity");
    r->first = take_number(c, width);
    r->last = take_number(c, width);
    cr_assert_eq(take_number(c, width), 0, "translation");
    cr_assert_eq(take_number(c, width), r->last - r->first + 1, "length");
}

static void read_fixed(struct cursor *c, struct aml_resource *r)
{
    r->flags = (uint8_t)take_number(c, 1);
    r->first = take_number(c, 4);
    r->last = r->first + take_number(c, 4) - 1;
}

static void read_interrupt(struct cursor *c, struct aml_resource *r)
{
    r->flags = (uint8_t)take_number(c, 1);
    cr_assert_eq(take_number(c, 1), 1, "one interrupt");
    r->first = r->last = take_number(c, 4);
}

static void read_io(struct cursor *c, struct aml_resource *r)
{
    r->flags = (uint8_t)take_number(c, 1);
    r->first = take_number(c, 2);
    cr_assert_eq(take_number(c, 2), r->first, "a fixed place");
    take(c, 1);
    r->last = r->first + take_number(c, 1) - 1;
}

static void read_descriptor(struct cursor *c, struct aml_resource *r)
{
    switch (r->descriptor) {
    case 0x22:
        r->first = r->last = (uint64_t)__builtin_ctzll(take_number(c, 2));
        break;
    case 0x47:
        read_io(c, r);
        break;
    case 0x86:
        read_fixed(c, r);
        break;
    case 0x87:
        read_address(c, 4, r);
        break;
    case 0x88:
        read_address(c, 2, r);
        break;
    case 0x89:
        read_interrupt(c, r);
        break;
    case 0x8a:
        read_address(c, 8, r);
        break;
    default:
        cr_assert_fail("descriptor %x", r->descriptor);
    }
}

bool aml_resource(const struct aml_value *crs, unsigned n, struct aml_resource *out)
{
    struct cursor c = {crs->data, crs->data + crs->size};
    bool found = false;
    cr_assert_eq(crs->type, AML_BUFFER);
    for (unsigned i = 0;; i++) {
        struct aml_resource r = {.descriptor = *take(&c, 1)};
        if (r.descriptor == 0x79) {
            break;
        }
        const size_t length =
            r.descriptor & 0x80 ? (size_t)take_number(&c, 2) : (size_t)(r.descriptor & 7);
        struct cursor body = {c.at, c.at + length};
        take(&c, length);
        read_descriptor(&body, &r);
        cr_assert_eq(body.at, body.end, "descriptor %x has its length", r.descriptor);
        if (i == n) {
            *out = r;
            found = true;
        }
    }
    take(&c, 1);
    cr_assert_eq(c.at, c.end, "nothing follows the end tag");
    return found;
}
