/*
 * BARs: sizing, decoding, moving, and the places where they are not decoded.
 */
#include "devices/pci_function.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SLOT  1
#define MEM   (FIXTURE_MEM32 + 0x100000)
#define MEM64 (FIXTURE_MEM64 + 0x100000)

enum {
    COMMAND = 0x04,
    BAR0 = 0x10,
    BAR1 = 0x14,
    BAR2 = 0x18,
    BAR3 = 0x1c,
    IO_ON = 1,
    MEM_ON = 2,
};

static struct pci_fixture p;
static struct device *d;

static void setup(void)
{
    pci_fixture_init(&p, 1);
    d = pci_fixture_add(&p, &pci_probe_class, SLOT, "tag=0x51");
}

static void teardown(void)
{
    device_free(d);
    pci_fixture_free(&p);
}

TestSuite(pci_bar, .init = setup, .fini = teardown);

static void set_config(unsigned reg, uint32_t value)
{
    fake_config_write(&p, SLOT, reg, value, reg == COMMAND ? 2 : 4);
}

static void set_bar2(uint64_t address)
{
    set_config(BAR2, (uint32_t)address);
    set_config(BAR3, (uint32_t)(address >> 32));
}

/* Does BAR number bar of the probe answer at an address? */
static bool answers(struct aspace *as, uint64_t address, unsigned bar)
{
    return fake_read(as, address, 4) == PROBE_ID(0x51, bar);
}

static bool is_free(struct aspace *as, uint64_t address)
{
    return flatview_find(aspace_view(as), address) == NULL;
}

Test(pci_bar, all_ones_read_back_as_the_size)
{
    for (unsigned decode = 0; decode < 2; decode++) {
        set_config(COMMAND, decode * (IO_ON | MEM_ON));
        for (unsigned reg = BAR0; reg < BAR0 + 24; reg += 4) {
            set_config(reg, 0xffffffff);
        }
        cr_expect_eq(fake_config_read(&p, SLOT, BAR0, 4), 0xfffff000);
        cr_expect_eq(fake_config_read(&p, SLOT, BAR1, 4), 0xffffffe1);
        cr_expect_eq(fake_config_read(&p, SLOT, BAR2, 4), 0xffff000c);
        cr_expect_eq(fake_config_read(&p, SLOT, BAR3, 4), 0xffffffff);
        cr_expect_eq(fake_config_read(&p, SLOT, 0x20, 4), 0);
        cr_expect_eq(fake_config_read(&p, SLOT, 0x24, 4), 0);
        cr_expect(is_free(p.m.mem, 0xfffff000));
        cr_expect(is_free(p.m.mem, 0xffffffffffff0000));
        cr_expect(is_free(p.m.io, 0xffe0));
    }
}

Test(pci_bar, decoding_follows_the_command_register)
{
    set_config(BAR0, MEM);
    set_config(BAR1, 0x2000);
    set_bar2(MEM64);
    for (unsigned command = 0; command < 8; command++) {
        set_config(COMMAND, command);
        cr_expect_eq(answers(p.m.io, 0x2000, 1), (command & IO_ON) != 0);
        cr_expect_eq(answers(p.m.mem, MEM, 0), (command & MEM_ON) != 0);
        cr_expect_eq(answers(p.m.mem, MEM64, 2), (command & MEM_ON) != 0);
    }
    fake_config_write(&p, SLOT, COMMAND, 0, 1);
    cr_expect(is_free(p.m.mem, MEM), "by a byte as well");
    fake_config_write(&p, SLOT, COMMAND, MEM_ON, 4);
    cr_expect(answers(p.m.mem, MEM, 0));
}

Test(pci_bar, a_bar_that_moves_leaves_its_old_place)
{
    set_config(BAR0, MEM);
    set_config(COMMAND, MEM_ON);
    fake_write(p.m.mem, MEM + PROBE_SCRATCH, 0xcafe, 4);
    set_config(BAR0, MEM + 0x5000);
    cr_expect(is_free(p.m.mem, MEM));
    cr_expect(answers(p.m.mem, MEM + 0x5000, 0));
    cr_expect_eq(fake_read(p.m.mem, MEM + 0x5000 + PROBE_SCRATCH, 4), 0xcafe);

    const struct flat_range *r = flatview_find(aspace_view(p.m.mem), MEM + 0x5abc);
    cr_assert_not_null(r);
    cr_expect_eq(r->addr.first, MEM + 0x5000);
    cr_expect_eq(r->addr.last, MEM + 0x5fff);
    cr_expect_eq(r->offset, 0);
    cr_expect_str_eq(r->region->name, "probe.mem");
}

Test(pci_bar, the_view_shows_a_move)
{
    char *text = NULL;
    size_t size;
    set_config(BAR0, MEM);
    set_bar2(MEM64);
    set_config(COMMAND, MEM_ON);
    set_bar2(MEM64 + 0x30000);
    FILE *out = open_memstream(&text, &size);
    aspace_print_view(p.m.mem, out);
    fclose(out);
    cr_expect_not_null(strstr(text, "00000000c0100000-00000000c0100fff (prio 0, i/o): probe.mem\n"),
                       "%s", text);
    cr_expect_not_null(
        strstr(text, "0000000800130000-000000080013ffff (prio 0, i/o): probe.mem64\n"), "%s", text);
    cr_expect_null(strstr(text, "0000000800100000"), "%s", text);
    free(text);
}

/* A 64-bit BAR moves in two writes and is for a moment where both halves mix. */
Test(pci_bar, half_a_move_decodes_what_the_register_says)
{
    set_bar2(MEM64);
    set_config(COMMAND, MEM_ON);
    set_config(BAR3, 0);
    cr_expect(is_free(p.m.mem, MEM64));
    cr_expect(!answers(p.m.mem, 0x100000, 2), "there is RAM, outside of all windows");
    set_config(BAR3, 0x9);
    cr_expect(answers(p.m.mem, 0x900100000, 2));
    set_config(BAR2, 0);
    cr_expect(answers(p.m.mem, 0x900000000, 2));
}

Test(pci_bar, a_64_bit_bar_may_be_in_the_low_window)
{
    set_bar2(MEM);
    set_config(COMMAND, MEM_ON);
    cr_expect(answers(p.m.mem, MEM, 2));
}

/* Each address, and whether BAR 0, 1 or 2 may be decoded there. */
Test(pci_bar, decoded_only_wholly_inside_a_window)
{
    static const struct {
        unsigned bar;
        uint64_t address;
        bool decoded;
    } cases[] = {
        {0, 0, false},                                           /* RAM */
        {0, 0xff000, false},                                     /* the end of RAM */
        {0, FIXTURE_MEM32 - 0x1000, false},                      /* before the window */
        {0, FIXTURE_MEM32, true},                                /* its first */
        {0, FIXTURE_MEM32 + FIXTURE_MEM32_SIZE - 0x1000, true},  /* and last place */
        {0, FIXTURE_MEM32 + FIXTURE_MEM32_SIZE, false},          /* ECAM begins */
        {0, FIXTURE_ECAM + 0xff000, false},                      /* the end of ECAM */
        {0, 0xfec00000, false},                                  /* I/O APIC */
        {0, 0xfee00000, false},                                  /* local APIC */
        {0, 0xfffff000, false},                                  /* below 4 GiB */
        {1, 0, false},                                           /* ports of the board */
        {1, 0xfe0, false},                                       /* before the window */
        {1, FIXTURE_IO, true},                                   /* its first */
        {1, 0xffe0, true},                                       /* and last place */
        {1, 0x10000, false},                                     /* there are no such ports */
        {1, 0xffffffe0, false},                                  /* */
        {2, 0, false},                                           /* RAM */
        {2, FIXTURE_MEM32 - 0x10000, false},                     /* */
        {2, FIXTURE_MEM32 + FIXTURE_MEM32_SIZE - 0x10000, true}, /* */
        {2, FIXTURE_ECAM, false},                                /* */
        {2, 0xffff0000, false},                                  /* below 4 GiB */
        {2, 0x100000000, false},                                 /* above */
        {2, FIXTURE_MEM64 - 0x10000, false},                     /* before the window */
        {2, FIXTURE_MEM64, true},                                /* its first */
        {2, FIXTURE_MEM64 + FIXTURE_MEM64_SIZE - 0x10000, true}, /* and last place */
        {2, FIXTURE_MEM64 + FIXTURE_MEM64_SIZE, false},          /* after it */
        {2, 0x7fffffffffff0000, false},                          /* */
        {2, 0xffffffffffff0000, false},                          /* the end of all */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct aspace *as = cases[i].bar == 1 ? p.m.io : p.m.mem;
        set_config(COMMAND, 0);
        set_config(BAR0 + 4 * cases[i].bar, (uint32_t)cases[i].address);
        set_config(BAR3, (uint32_t)(cases[i].address >> 32));
        set_config(COMMAND, IO_ON | MEM_ON);
        cr_expect_eq(answers(as, cases[i].address, cases[i].bar), cases[i].decoded,
                     "BAR %u at 0x%" PRIx64, cases[i].bar, cases[i].address);
        cr_expect_eq(fake_config_read(&p, SLOT, BAR0 + 4 * cases[i].bar, 4) & ~0xfu,
                     (uint32_t)cases[i].address & ~0xfu, "the register keeps it in any case");
    }
    cr_expect_eq(fake_config_read(&p, SLOT, 0, 4), 0x56781234, "ECAM was never covered");
    fake_write(p.m.mem, 0, 0x1122334455667788, 8);
    cr_expect_eq(fake_read(p.m.mem, 0, 8), 0x1122334455667788, "nor RAM");
}

Test(pci_bar, of_overlapping_bars_the_last_decoded_wins)
{
    struct device *other = pci_fixture_add(&p, &pci_probe_class, 2, "tag=0x52");
    set_config(BAR0, MEM);
    fake_config_write(&p, 2, BAR0, MEM, 4);
    set_config(COMMAND, MEM_ON);
    fake_config_write(&p, 2, COMMAND, MEM_ON, 2);
    cr_expect_eq(fake_read(p.m.mem, MEM, 4), PROBE_ID(0x52, 0));
    set_config(COMMAND, 0);
    set_config(COMMAND, MEM_ON);
    cr_expect(answers(p.m.mem, MEM, 0));
    set_config(COMMAND, MEM_ON | IO_ON);
    fake_config_write(&p, 2, COMMAND, MEM_ON | IO_ON, 2);
    cr_expect(answers(p.m.mem, MEM, 0), "it did not move");
    set_config(BAR0, MEM + 0x1000);
    cr_expect_eq(fake_read(p.m.mem, MEM, 4), PROBE_ID(0x52, 0), "the lower one shows again");
    device_free(other);
    cr_expect(is_free(p.m.mem, MEM));
}

Test(pci_bar, bars_of_one_function_may_overlap)
{
    set_config(BAR0, MEM);
    set_bar2(MEM);
    set_config(COMMAND, MEM_ON);
    cr_expect(answers(p.m.mem, MEM, 2), "in order of their numbers");
    set_config(BAR0, MEM + 0x1000);
    cr_expect(answers(p.m.mem, MEM, 2));
    cr_expect(answers(p.m.mem, MEM + 0x1000, 0));
    const struct flat_range *r = flatview_find(aspace_view(p.m.mem), MEM + 0x2000);
    cr_assert_not_null(r);
    cr_expect_eq(r->offset, 0x2000, "the larger one goes on behind");
}

/* --- commits --------------------------------------------------------------- */

static unsigned added, deleted;
static int answer;

static int count_add(struct aspace_listener *l, const struct flat_range *r)
{
    (void)l, (void)r;
    added++;
    return answer;
}

static void count_del(struct aspace_listener *l, const struct flat_range *r)
{
    (void)l, (void)r;
    deleted++;
}

Test(pci_bar, writes_that_change_nothing_commit_nothing)
{
    set_config(BAR0, MEM);
    set_bar2(MEM64);
    set_config(COMMAND, MEM_ON);
    const struct flatview *view = aspace_view(p.m.mem);
    const struct flatview *io = aspace_view(p.m.io);
    set_config(BAR0, MEM);
    set_bar2(MEM64);
    set_config(COMMAND, MEM_ON | 0x540);
    set_config(BAR1, 0x3000);
    set_config(0x3c, 1);
    set_config(0x44, 0xffffffff);
    cr_expect_eq(aspace_view(p.m.mem), view);
    set_config(COMMAND, MEM_ON | IO_ON);
    cr_expect_eq(aspace_view(p.m.mem), view, "only ports change");
    cr_expect_neq(aspace_view(p.m.io), io);
}

Test(pci_bar, bars_switched_together_are_one_commit)
{
    struct aspace_listener l = {.add = count_add, .del = count_del};
    set_config(BAR0, MEM);
    set_bar2(MEM64);
    cr_assert_eq(aspace_listen(p.m.mem, &l), 0);
    added = 0;
    const struct flatview *before = aspace_view(p.m.mem);
    fake_config_write(&p, SLOT, COMMAND, MEM_ON, 1);
    cr_expect_neq(aspace_view(p.m.mem), before);
    cr_expect_eq(added, 2);
    cr_expect_eq(deleted, 0);
    aspace_unlisten(p.m.mem, &l);
}

Test(pci_bar, a_refused_commit_is_counted_and_not_fatal)
{
    struct aspace_listener l = {.add = count_add, .del = count_del};
    cr_assert_eq(aspace_listen(p.m.mem, &l), 0);
    set_config(BAR0, MEM);
    answer = -ENOSPC;
    set_config(COMMAND, MEM_ON);
    cr_expect_eq(guest_error_count(&pci_function_of(d)->unmapped), 1);
    cr_expect(answers(p.m.mem, MEM, 0), "the view has it, whoever refused it");
    answer = 0;
    set_config(BAR0, MEM + 0x1000);
    cr_expect_eq(guest_error_count(&pci_function_of(d)->unmapped), 1);
    cr_expect(answers(p.m.mem, MEM + 0x1000, 0));
    aspace_unlisten(p.m.mem, &l);
}

/* --- large BARs ------------------------------------------------------------ */

static uint64_t zero_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return 0;
}

static void no_write(struct device *dev, uint32_t offset, uint64_t value, unsigned size)
{
    (void)dev, (void)offset, (void)value, (void)size;
}

static const struct reg giant_regs[] = {{"zero", 0, 4, 4, REG_RO, 0, "nothing"}};
static const struct reg_block giant_blocks[] = {
    {"all", 8ULL << 30, .regs = TABLE(giant_regs), .read = zero_read, .write = no_write},
};
static const struct pci_info giant_info = {
    .vendor = 1,
    .device = 2,
    .bar = {[4] = {PCI_BAR_MEM64, false, 0}},
};
static const struct device_class giant_class = {
    .name = "giant",
    .summary = "for tests",
    .state_size = sizeof(struct device),
    .blocks = TABLE(giant_blocks),
    .pci = &giant_info,
};

Test(pci_bar, a_bar_may_be_larger_than_4_gib)
{
    struct device *giant = pci_fixture_add(&p, &giant_class, 2, NULL);
    fake_config_write(&p, 2, 0x20, 0xffffffff, 4);
    fake_config_write(&p, 2, 0x24, 0xffffffff, 4);
    cr_expect_eq(fake_config_read(&p, 2, 0x20, 4), 0x4, "not prefetchable");
    cr_expect_eq(fake_config_read(&p, 2, 0x24, 4), 0xfffffffe);
    fake_config_write(&p, 2, COMMAND, MEM_ON, 2);
    fake_config_write(&p, 2, 0x24, 0xf, 4);
    cr_expect_eq(fake_config_read(&p, 2, 0x24, 4), 0xe);
    const struct flat_range *r = flatview_find(aspace_view(p.m.mem), 0xfffffffff);
    cr_assert_not_null(r);
    cr_expect_eq(r->addr.first, 0xe00000000);
    fake_config_write(&p, 2, 0x24, 0xfffffffe, 4);
    cr_expect(is_free(p.m.mem, UINT64_MAX), "it would end where addresses wrap");
    device_free(giant);
}
