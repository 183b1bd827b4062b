/*
 * Guest events: what is recorded, in which order, and how they are waited for.
 */
#include "tests/boot/machines/machines.h"

GUEST(factorial);
GUEST(widths);
GUEST(string);
GUEST(chatter);
GUEST(first);
GUEST(second);

Test(exits, ordered_list_on_edu_and_uart)
{
    MACHINE(m, VMM_LONG64, 0x10000, factorial, "device=edu");
    vmm_expect_exits(m, "MMIO write 4 bytes at edu+0x8 value 5", "MMIO read 4 bytes at edu+0x20",
                     "MMIO read 4 bytes at edu+0x8 value 120",
                     "IO write 1 byte at uart16550+0 value 0x78",
                     "MMIO write 1 byte at 0xfea00200 value 0x34");
    vmm_expect_status(m, 0);
    vmm_free(m);
}

Test(exits, next_ones_of_every_width)
{
    MACHINE(m, VMM_LONG64, 0x10000, widths, "device=edu");
    vmm_expect_next_exits(
        m, "MMIO read 4 bytes at edu+0 value 0x010000ed",
        "MMIO write 8 bytes at edu+0x80 value 0x1122334455667788", "MMIO read 8 bytes at edu+0x80",
        "MMIO write 2 bytes at edu+4 value 0x1234", "IO write 1 byte at uart16550+7 value 0x5a",
        "IO read 1 byte at 0x3ff value 0x5a", "IO read 4 bytes at 0x5555");
    cr_assert(strstr(vmm_log(m), "fits no register") != NULL, "log: %s", vmm_log(m));
    vmm_expect_stop(m, VMM_DEAD);
    vmm_free(m);
}

Test(exits, items_of_a_string_instruction)
{
    MACHINE(m, VMM_REAL16, 0x7c00, string, "machine=pc");
    vmm_expect_next_exits(m, "IO write 1 byte at uart16550+0 value 0x48",
                          "IO write 1 byte at uart16550+0 value 0x65",
                          "IO write 1 byte at uart16550+0 value 0x6c");
    vmm_expect_console(m, "^Hello$");
    vmm_free(m);
}

/* The instruction that made the event is complete, and no further one has begun. */
Test(exits, stops_between_instructions)
{
    struct vmm_stop stop;

    MACHINE(m, VMM_REAL16, 0x7c00, chatter, "machine=pc");
    for (uint64_t i = 1; i <= 20; i++) {
        cr_assert(vmm_run_to_exit(m, NULL, NULL, &stop, NULL) == 0 && stop.why == VMM_MATCHED);
        cr_assert(stop.exit.number == i && stop.exit.value == i && stop.exit.size == 2);
        vmm_expect_reg(m, 0, "rax", i);
        vmm_expect_reg(m, 0, "rip", 0x7c05);
        cr_assert(vmm_events(m) == i);
    }
    vmm_free(m);
}

Test(exits, last_ones_are_kept)
{
    struct vmm_exit list[20];
    struct vmm_stop stop;

    MACHINE(m, VMM_REAL16, 0x7c00, chatter, "exits=8");
    cr_assert(vmm_run(m, &(struct vmm_limits){.events = 100}, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_EVENTS && vmm_events(m) == 100);
    cr_assert(vmm_last_exits(m, list, 20) == 8);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert(list[i].number == 93 + i && list[i].value == 93 + i);
    }
    cr_assert(vmm_last_exits(m, list, 3) == 3 && list[0].number == 98);
    cr_assert(vmm_last_exits(m, list, 0) == 0);
    vmm_free(m);
}

/* Two vCPUs: the events of each are in its order, and all have numbers of their own. */
Test(exits, order_over_two_vcpus)
{
    struct vmm_pattern one, two;
    struct vmm_stop stop;
    unsigned next[2] = {100, 100};

    MACHINE(m, VMM_PROT32, 0x10000, first, "cpus=2");
    cr_assert(vmm_write(m, 0x8000, guest_second, GUEST_SIZE(second), NULL) == 0);
    vmm_pattern_parse(&one, "IO write 1 byte cpu 0", NULL);
    vmm_pattern_parse(&two, "IO write 1 byte at pc-ports.delay cpu 1", NULL);
    for (uint64_t i = 1; i <= 200; i++) {
        cr_assert(vmm_run_to_exit(m, NULL, NULL, &stop, NULL) == 0);
        cr_assert(stop.why == VMM_MATCHED && stop.exit.number == i, "%lu: %s", (unsigned long)i,
                  stop.text);
        cr_assert(vmm_pattern_matches(stop.exit.cpu == 0 ? &one : &two, &stop.exit));
        cr_assert(stop.exit.value == next[stop.exit.cpu]--);
    }
    vmm_expect_stop(m, VMM_DEAD);
    vmm_free(m);
}

/* Writes that KVM keeps are no events, unless posting is off. */
Test(exits, posted_writes)
{
    struct vmm *m = vmmtest_machine("memory=1M", "posted=on");
    struct vmm_stop stop;

    LOAD(m, VMM_REAL16, 0x7c00, string);
    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(vmm_events(m) <= 6);
    cr_assert_str_eq(vmm_console(m, NULL), "Hello\n");
    vmm_free(m);
}

/* --- patterns, without KVM ------------------------------------------------------ */

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
