/*
 * AML encoding of terms. Source: ACPI specification 6.4, section 20.2.
 */
#include "src/arch/x86/aml.h"

#include <string.h>

/* Opcodes (20.3). */
enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXTENDED = 0x5b,
    OP_LOCAL = 0x60,
    OP_ARG = 0x68,
    OP_CREATE_DWORD_FIELD = 0x8a,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,
    EXT_REGION = 0x80,
    EXT_FIELD = 0x81,
    EXT_DEVICE = 0x82,
};

#define SEGMENT_SIZE 4 /* a name segment, padded with '_' */

/* --- data -------------------------------------------------------------- */

void aml_integer(struct bytes *b, uint64_t v)
{
    if (v <= 1) {
        bytes_u8(b, v == 0 ? OP_ZERO : OP_ONE);
    } else if (v <= UINT8_MAX) {
        bytes_u8(b, OP_BYTE);
        bytes_u8(b, (uint8_t)v);
    } else if (v <= UINT16_MAX) {
        bytes_u8(b, OP_WORD);
        bytes_u16(b, (uint16_t)v);
    } else if (v <= UINT32_MAX) {
        bytes_u8(b, OP_DWORD);
        bytes_u32(b, (uint32_t)v);
    } else {
        bytes_u8(b, OP_QWORD);
        bytes_u64(b, v);
    }
}

void aml_string(struct bytes *b, const char *text)
{
    bytes_u8(b, OP_STRING);
    bytes_put(b, text, strlen(text) + 1);
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

void aml_eisa_id(struct bytes *b, const char *id)
{
    uint32_t v = 0;
    for (int i = 0; i < 3; i++) {
        v = v << 5 | (unsigned)(id[i] - '@');
    }
    for (int i = 3; i < 7; i++) {
        v = v << 4 | hex_digit(id[i]);
    }
    bytes_u8(b, OP_DWORD);
    bytes_u32(b, __builtin_bswap32(v)); /* the id is big-endian */
}

/* The first three groups of digits are little-endian numbers, the others bytes in order. */
void aml_uuid(struct bytes *b, const char *text)
{
    static const uint8_t digits[16] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
    const size_t buffer = aml_buffer(b);
    for (size_t i = 0; i < sizeof(digits); i++) {
        const char *at = text + digits[i];
        bytes_u8(b, (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1])));
    }
    aml_buffer_end(b, buffer);
}

static size_t segment_count(const char *path)
{
    size_t n = *path != '\0';
    for (; *path != '\0'; path++) {
        n += *path == '.';
    }
    return n;
}

void aml_path(struct bytes *b, const char *path)
{
    if (*path == '\\') {
        bytes_u8(b, '\\');
        path++;
    }
    const size_t n = segment_count(path);
    if (n == 0) {
        bytes_u8(b, 0); /* the root itself */
    } else if (n == 2) {
        bytes_u8(b, OP_DUAL_NAME);
    } else if (n > 2) {
        bytes_u8(b, OP_MULTI_NAME);
        bytes_u8(b, (uint8_t)n);
    }
    for (size_t i = 0; i < n; i++) {
        const size_t len = strcspn(path, ".");
        bytes_put(b, path, len < SEGMENT_SIZE ? len : SEGMENT_SIZE);
        bytes_put(b, "____", len < SEGMENT_SIZE ? SEGMENT_SIZE - len : 0);
        path += len + 1;
    }
}

/* --- terms with contents ----------------------------------------------- */

/*
 * PkgLength counts the contents and itself: one byte up to 63, else one byte
 * with the number of further bytes and the low 4 bits, then 8 bits each. It is
 * put in front when the contents are known.
 */
void aml_end(struct bytes *b, size_t mark)
{
    const size_t body = b->len - mark;
    unsigned extra = 0;
    while (body + 1 + extra >= (extra == 0 ? 64U : 1U << (4 + 8 * extra))) {
        extra++;
    }
    if (bytes_add(b, 1 + extra) == NULL) {
        return;
    }
    uint8_t *at = b->data + mark;
    memmove(at + 1 + extra, at, body);
    const size_t len = body + 1 + extra;
    at[0] = (uint8_t)(extra == 0 ? len : extra << 6 | (len & 0xf));
    for (unsigned i = 0; i < extra; i++) {
        at[1 + i] = (uint8_t)(len >> (4 + 8 * i));
    }
}

size_t aml_scope(struct bytes *b, const char *path)
{
    bytes_u8(b, OP_SCOPE);
    const size_t mark = b->len;
    aml_path(b, path);
    return mark;
}

size_t aml_device(struct bytes *b, const char *name)
{
    bytes_u8(b, OP_EXTENDED);
    bytes_u8(b, EXT_DEVICE);
    const size_t mark = b->len;
    aml_path(b, name);
    return mark;
}

size_t aml_method(struct bytes *b, const char *name, unsigned args, bool serialized)
{
    bytes_u8(b, OP_METHOD);
    const size_t mark = b->len;
    aml_path(b, name);
    bytes_u8(b, (uint8_t)(args | (serialized ? 8 : 0)));
    return mark;
}

size_t aml_package(struct bytes *b, uint8_t elements)
{
    bytes_u8(b, OP_PACKAGE);
    const size_t mark = b->len;
    bytes_u8(b, elements);
    return mark;
}

size_t aml_if(struct bytes *b)
{
    bytes_u8(b, OP_IF);
    return b->len;
}

size_t aml_else(struct bytes *b)
{
    bytes_u8(b, OP_ELSE);
    return b->len;
}

size_t aml_buffer(struct bytes *b)
{
    bytes_u8(b, OP_BUFFER);
    const size_t mark = b->len;
    bytes_u8(b, OP_WORD);
    bytes_u16(b, 0); /* size: known at the end */
    return mark;
}

void aml_buffer_end(struct bytes *b, size_t mark)
{
    enum { SIZE = 3 }; /* of the size itself */
    if (!b->full) {
        put_le16(b->data + mark + 1, (uint16_t)(b->len - mark - SIZE));
    }
    aml_end(b, mark);
}

/* --- other terms ------------------------------------------------------- */

void aml_name(struct bytes *b, const char *path)
{
    bytes_u8(b, OP_NAME);
    aml_path(b, path);
}

void aml_name_integer(struct bytes *b, const char *path, uint64_t value)
{
    aml_name(b, path);
    aml_integer(b, value);
}

void aml_register32(struct bytes *b, const char *region, const char *field, uint64_t gpa)
{
    enum { SYSTEM_MEMORY = 0, DWORD_ACCESS = 3, WRITE_AS_ZEROS = 2 << 5 };
    bytes_u8(b, OP_EXTENDED);
    bytes_u8(b, EXT_REGION);
    aml_path(b, region);
    bytes_u8(b, SYSTEM_MEMORY);
    aml_integer(b, gpa);
    aml_integer(b, 4);

    bytes_u8(b, OP_EXTENDED);
    bytes_u8(b, EXT_FIELD);
    const size_t mark = b->len;
    aml_path(b, region);
    bytes_u8(b, DWORD_ACCESS | WRITE_AS_ZEROS);
    aml_path(b, field);
    bytes_u8(b, 32); /* bits, encoded as a PkgLength */
    aml_end(b, mark);
}

void aml_op(struct bytes *b, enum aml_op op)
{
    bytes_u8(b, (uint8_t)op);
}

void aml_local(struct bytes *b, unsigned n)
{
    bytes_u8(b, (uint8_t)(OP_LOCAL + n));
}

void aml_arg(struct bytes *b, unsigned n)
{
    bytes_u8(b, (uint8_t)(OP_ARG + n));
}

void aml_dword_field(struct bytes *b, unsigned arg, unsigned offset, const char *name)
{
    bytes_u8(b, OP_CREATE_DWORD_FIELD);
    aml_arg(b, arg);
    aml_integer(b, offset);
    aml_path(b, name);
}
