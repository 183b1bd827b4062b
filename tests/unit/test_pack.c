/*
 * Records of saved state, and their checksum.
 */
#include "src/base/pack.h"
#include "src/base/xxh64.h"

#include <criterion/criterion.h>
#include <string.h>

/* From the specification's own test program, and the two every implementation quotes. */
Test(xxh64, known_values)
{
    cr_expect_eq(xxh64("", 0), UINT64_C(0xef46db3751d8e999));
    cr_expect_eq(xxh64("a", 1), UINT64_C(0xd24ec4f1a98c6e5b));
    cr_expect_eq(xxh64("abc", 3), UINT64_C(0x44bc2cf5ad770999));
    static const char text[] = "Nobody inspects the spammish repetition";
    cr_expect_eq(xxh64(text, strlen(text)), UINT64_C(0xfbcea83c8a378bf1));
}

Test(xxh64, every_bit_of_every_length_counts)
{
    uint8_t data[100] = {0};
    for (size_t len = 1; len <= sizeof(data); len++) {
        const uint64_t plain = xxh64(data, len);
        cr_expect_neq(plain, xxh64(data, len - 1));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_expect_neq(xxh64(data, len), plain, "bit %zu of %zu bytes", bit, len);
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static struct pack sample(void)
{
    const uint16_t short_number = 0x1234;
    struct pack p = {0};
    pack_u32(&p, 0xdeadbeef);
    pack_u64(&p, 42);
    pack_string(&p, "name");
    pack_string(&p, NULL);
    pack_number(&p, &short_number, sizeof(short_number));
    pack_blob(&p, 7, "blob", 4);
    return p;
}

/* True: all of it was there. */
static bool read_sample(const uint8_t *data, size_t len)
{
    struct unpack u = {.data = data, .len = len};
    char name[8], empty[8], blob[4];
    uint16_t number;
    const bool first = unpack_u32(&u) == 0xdeadbeef && unpack_u64(&u) == 42;
    unpack_string(&u, name, sizeof(name));
    unpack_string(&u, empty, sizeof(empty));
    unpack_number(&u, &number, sizeof(number));
    unpack_blob(&u, 7, blob, sizeof(blob));
    return unpack_done(&u) && first && strcmp(name, "name") == 0 && empty[0] == '\0' &&
           number == 0x1234 && memcmp(blob, "blob", 4) == 0;
}

Test(pack, what_was_packed_comes_back_and_less_of_it_does_not)
{
    struct pack p = sample();
    cr_assert(!p.failed);
    cr_expect(read_sample(p.data, p.len));
    for (size_t len = 0; len < p.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that ASan sees a read beyond */
        memcpy(exact, p.data, len);
        cr_expect(!read_sample(exact, len), "%zu bytes", len);
        free(exact);
    }
    pack_free(&p);
}

Test(pack, lengths_that_lie_are_refused)
{
    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a', 'b'};
    const uint8_t zero_inside[] = {3, 0, 0, 0, 'a', 0, 'b'};
    char text[16];
    size_t len;
    struct unpack u = {.data = huge, .len = sizeof(huge)};
    unpack_string(&u, text, sizeof(text));
    cr_expect(u.failed);
    cr_expect_str_eq(text, "");
    u = (struct unpack){.data = zero_inside, .len = sizeof(zero_inside)};
    unpack_string(&u, text, sizeof(text));
    cr_expect(u.failed);
    u = (struct unpack){.data = zero_inside, .len = sizeof(zero_inside)};
    cr_expect_null(unpack_any_blob(&u, 4, &len));
    cr_expect(u.failed);
}
