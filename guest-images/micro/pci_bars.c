/*
 * Base address registers: sizing, moving, switching off, and places where a BAR
 * must do no harm. Wants two edus.
 */
#include "edu.h"

#define MIB 0x100000UL

/* What the two edus have in LIVENESS, to tell them apart. */
#define MARK       0x11111111U
#define OTHER_MARK 0x22222222U

static struct edu edu, other;

static bool answers(uint32_t mark, uintptr_t gpa)
{
    return mmio_read32(gpa + EDU_ID) == EDU_ID_VALUE && mmio_read32(gpa + EDU_LIVENESS) == ~mark;
}

static bool is_empty(uintptr_t gpa)
{
    return mmio_read32(gpa + EDU_ID) == UINT32_MAX && mmio_read64(gpa + MIB - 8) == UINT64_MAX;
}

static void move(uintptr_t gpa)
{
    pci_bar_move(&edu.dev.pci, 0, gpa);
}

static void sizing(void)
{
    const uintptr_t before = pci_bar(&edu.dev.pci, 0);
    CHECK_EQ(pci_bar_size(&edu.dev.pci, 0), MIB);
    for (unsigned n = 1; n < PCI_BARS; n++) {
        CHECK_EQ(pci_bar_size(&edu.dev.pci, n), 0);
    }
    /* A kernel may size while the function decodes. */
    move(UINT32_MAX);
    CHECK_EQ(pci_read32(&edu.dev.pci, PCI_BAR0), (uint32_t)-MIB);
    move(before);
    CHECK(answers(MARK, before));
}

static void moving(void)
{
    const uintptr_t home = edu.dev.base;
    const struct pci_window w = pci_window();
    const uintptr_t places[] = {w.base + 16 * MIB, w.base + w.size - MIB, w.base + 17 * MIB, home};
    uintptr_t old = home;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        move(places[i]);
        CHECK_EQ(pci_bar(&edu.dev.pci, 0), places[i]);
        CHECK(is_empty(old));
        CHECK(answers(MARK, places[i]));
        old = places[i];
    }
}

/* The same byte by byte: on its way the address is a mixture. */
static void moving_in_bytes(void)
{
    const uintptr_t to = pci_window().base + 0x12300000;
    for (unsigned i = 0; i < 4; i++) {
        pci_write8(&edu.dev.pci, PCI_BAR0 + i, (uint8_t)(to >> 8 * i));
    }
    CHECK(answers(MARK, to));
    CHECK(is_empty(edu.dev.base));
    move(edu.dev.base);
}

static void decode_off(void)
{
    const uintptr_t away = pci_window().base + 16 * MIB;
    pci_command(&edu.dev.pci, 0, PCI_COMMAND_MEMORY);
    CHECK(is_empty(edu.dev.base));
    move(away);
    CHECK(is_empty(away));
    pci_command(&edu.dev.pci, PCI_COMMAND_MEMORY, 0);
    CHECK(answers(MARK, away));
    move(edu.dev.base);
    CHECK(answers(MARK, edu.dev.base));
}

/* The BAR is nowhere to be seen, and configuration space goes on as before. */
static void bad_place(uintptr_t gpa)
{
    const struct pci bridge = pci_at(0, 0);
    const uint32_t ids = pci_read32(&bridge, PCI_VENDOR);
    move(gpa);
    CHECK_EQ(pci_bar(&edu.dev.pci, 0), gpa);
    CHECK(!answers(MARK, gpa));
    CHECK_EQ(pci_read32(&bridge, PCI_VENDOR), ids);
    move(edu.dev.base);
    CHECK(answers(MARK, edu.dev.base));
}

/* Every page of RAM is still there: the guest runs on it, and this one keeps what it holds. */
static void over_ram(void)
{
    static volatile uint32_t canary;
    canary = MARK;
    move((uintptr_t)&canary & -MIB);
    CHECK_EQ(canary, MARK);
    canary = OTHER_MARK;
    bad_place((uintptr_t)&canary & -MIB);
    CHECK_EQ(canary, OTHER_MARK);
}

static void bad_places(void)
{
    const struct pci_window w = pci_window();
    const struct pci_window machine = machine_window();
    over_ram();
    bad_place(0);
    bad_place(w.base - MIB);
    bad_place(w.base + w.size);
    bad_place(pci_ecam());
    for (uintptr_t gpa = machine.base; gpa < machine.base + machine.size; gpa += MIB) {
        bad_place(gpa);
    }
}

/* Two BARs at one place: one of them answers; each is itself again when they part. */
static void on_another_bar(void)
{
    move(other.dev.base);
    CHECK(answers(MARK, other.dev.base) || answers(OTHER_MARK, other.dev.base));
    CHECK(is_empty(edu.dev.base));
    pci_command(&edu.dev.pci, 0, PCI_COMMAND_MEMORY);
    CHECK(answers(OTHER_MARK, other.dev.base));
    pci_command(&edu.dev.pci, PCI_COMMAND_MEMORY, 0);
    move(edu.dev.base);
    CHECK(answers(MARK, edu.dev.base));
    CHECK(answers(OTHER_MARK, other.dev.base));
}

static uint64_t all(uint64_t arg)
{
    (void)arg;
    sizing();
    moving();
    moving_in_bytes();
    decode_off();
    bad_places();
    on_another_bar();
    return 0;
}

int guest_main(void)
{
    CHECK(edu_find(&edu, 0));
    CHECK(edu_find(&other, 1));
    CHECK(edu.dev.base != other.dev.base);
    edu_write(&edu, EDU_LIVENESS, MARK);
    edu_write(&other, EDU_LIVENESS, OTHER_MARK);
    all(0);
    user_call(all, 0);
    print("pci_bars: ok\n");
    return 0;
}
