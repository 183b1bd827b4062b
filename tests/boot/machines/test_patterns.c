/*
 * Patterns of guest events: text and what it matches. No KVM is needed.
 */
#include "tests/boot/machines/machines.h"

Test(patterns, print_and_parse_agree)
{
    static const struct vmm_exit exits[] = {
        {.space = VMM_MMIO, .write = true, .size = 4, .region = "edu", .offset = 8, .value = 5},
        {.space = VMM_IO, .size = 1, .address = 0x3fd, .value = 0x60},
        {.space = VMM_MMIO, .size = 8, .address = UINT64_MAX, .value = UINT64_MAX},
    };
    static const char *const texts[] = {
        "MMIO write 4 bytes at edu+0x8 value 0x5",
        "IO read 1 byte at 0x3fd value 0x60",
        "MMIO read 8 bytes at 0xffffffffffffffff value 0xffffffffffffffff",
    };
    struct vmm_pattern p;
    char text[160];

    for (size_t i = 0; i < 3; i++) {
        vmm_exit_print(&exits[i], text, sizeof(text));
        cr_assert_str_eq(text, texts[i]);
        cr_assert(vmm_pattern_parse(&p, text, NULL) == 0);
        for (size_t k = 0; k < 3; k++) {
            cr_assert(vmm_pattern_matches(&p, &exits[k]) == (i == k));
        }
    }
}

Test(patterns, any)
{
    static const char *const patterns[] = {
        "",           "any",
        "access",     "write",
        "MMIO",       "4 bytes",
        "value any",  "at edu",
        "at any",     "at edu+8",
        "cpu 1",      "cpu any",
        "any access", "MMIO 4 bytes at edu value 5 cpu 1",
    };
    const struct vmm_exit x = {
        .write = true, .size = 4, .region = "edu", .offset = 8, .value = 5, .cpu = 1};
    struct vmm_pattern p;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        cr_assert(vmm_pattern_parse(&p, patterns[i], NULL) == 0, "%s", patterns[i]);
        cr_assert(vmm_pattern_matches(&p, &x), "%s", patterns[i]);
    }
}

Test(patterns, mistakes)
{
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"MMIO wrote 4 bytes", "'wrote'"},
        {"IO read 9 bytes", "'9'"},
        {"at", "after 'at'"},
        {"value five", "'five'"},
        {"at edu+x", "'x'"},
        {"0 bytes", "'0'"},
        {"value 0x10000000000000000", "range"},
        {"cpu", "after 'cpu'"},
        {"at +8", "'+8'"},
        {"at a-region-whose-name-is-longer-than-any-region-can-ever-be", "too long"},
    };
    struct vmm_pattern p;
    struct vmm_error e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(vmm_pattern_parse(&p, bad[i].text, &e) < 0, "%s", bad[i].text);
        cr_assert(strstr(e.what, bad[i].word) != NULL, "%s: %s", bad[i].text, e.what);
        cr_assert(vmm_pattern_parse(&p, bad[i].text, NULL) < 0);
    }
}
