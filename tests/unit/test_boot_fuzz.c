/*
 * Damaged kernels: whatever the bytes, a load ends with success or a message,
 * and writes no byte outside RAM (the sanitizers watch the heap RAM).
 */
#include "tests/unit/boot_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define ROUNDS 1500

static struct boot_fixture f;

/* xorshift64: the same sequence each time. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Values that break sums and comparisons. */
static uint64_t nasty(uint64_t *rng)
{
    static const uint64_t values[] = {0,          1,          0x7fffffff, 0x80000000,
                                      0xffffffff, 0xfffffffe, UINT64_MAX, UINT64_MAX - 1,
                                      1ULL << 63, 0x100000,   0x800000,   0x7fffff};
    return values[next(rng) % (sizeof(values) / sizeof(values[0]))];
}

static void damage(struct test_kernel *k, size_t header, uint64_t *rng)
{
    const unsigned changes = 1 + next(rng) % 4;
    for (unsigned i = 0; i < changes; i++) {
        const size_t at = next(rng) % (header - 8);
        switch (next(rng) % 4) {
        case 0:
            k->bytes[at] = (uint8_t)next(rng);
            break;
        case 1:
            k->bytes[at] ^= (uint8_t)(1U << next(rng) % 8);
            break;
        case 2:
            put_le32(k->bytes + (at & ~3UL), (uint32_t)nasty(rng));
            break;
        default:
            put_le64(k->bytes + (at & ~7UL), nasty(rng));
            break;
        }
    }
    if (next(rng) % 8 == 0) {
        k->len = next(rng) % k->len;
    }
}

static void damage_many(void (*make)(struct test_kernel *), size_t header)
{
    uint64_t rng = 0x123456789abcdef;
    unsigned refused = 0;
    boot_fixture_init(&f, 8);
    boot_fixture_initrd(&f, "initrd", 6);
    for (int i = 0; i < ROUNDS; i++) {
        struct test_kernel k;
        make(&k);
        damage(&k, header, &rng);
        if (boot_fixture_load(&f, k.bytes, k.len) < 0) {
            refused++;
            cr_assert_neq(f.e.what[0], '\0');
        }
    }
    cr_expect_gt(refused, ROUNDS / 50, "damage had little effect: %u", refused);
    boot_fixture_free(&f);
}

Test(boot_fuzz, bzimage)
{
    damage_many(make_bzimage, 0x270);
}

Test(boot_fuzz, elf)
{
    damage_many(make_elf, 0x100);
}

Test(boot_fuzz, elf_pvh)
{
    damage_many(make_elf_pvh, 0x240);
}

Test(boot_fuzz, multiboot_elf)
{
    damage_many(make_multiboot_elf, 0x60);
}

Test(boot_fuzz, multiboot_flat)
{
    damage_many(make_multiboot_flat, 0x60);
}
