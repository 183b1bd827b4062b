/*
 * vCPUs at work on one PCI bus: two move their BARs and switch decoding, one of them with function
 * level resets, and a third looks at all of it through ECAM. ThreadSanitizer watches.
 */
#include "tests/unit/fake_mem.h"
#include "tests/unit/pci_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>

#ifdef SANITIZED
#define ROUNDS 1000
#else
#define ROUNDS 10000
#endif

#define MOVERS 2

static struct pci_fixture p;
static _Atomic unsigned running;
static _Atomic unsigned wrong;
static _Atomic unsigned answered; /* reads of a BAR that found a probe */

/* Both use the same two addresses, so that BARs also cover each other. */
static uint64_t place(unsigned n)
{
    return FIXTURE_MEM32 + n % 2 * PROBE_MEM_SIZE;
}

static bool is_answer(uint32_t value)
{
    return value == PROBE_ID(1, 0) || value == PROBE_ID(2, 0) || value == UINT32_MAX;
}

static void one_round(unsigned slot, unsigned n)
{
    fake_config_write(&p, slot, 0x10, (uint32_t)place(n), 4);
    fake_config_write(&p, slot, 0x04, 2, 2);
    const uint32_t value = (uint32_t)fake_read(p.m.mem, place(n), 4);
    answered += value != UINT32_MAX;
    wrong += value != PROBE_ID(1, 0) && value != PROBE_ID(2, 0); /* its own is there, or above */
    fake_write(p.m.mem, place(n) + PROBE_RAISE, 0, 4);
    if (slot == 2 && n % 8 == 0) {
        fake_config_write(&p, slot, 0x54, 1, 1);
    }
    fake_config_write(&p, slot, 0x04, 0, 2);
    wrong += fake_config_read(&p, slot, 0x04, 2) != 0;
}

static void *move(void *opaque)
{
    const unsigned slot = *(const unsigned *)opaque;
    struct mem_reader r;

    mem_reader_register(&r, p.m.topo);
    for (unsigned n = 0; n < ROUNDS; n++) {
        mem_reader_online(&r);
        one_round(slot, n);
        mem_reader_offline(&r);
    }
    mem_reader_unregister(&r);
    running--;
    return NULL;
}

static void look_once(unsigned n)
{
    for (unsigned slot = 1; slot <= MOVERS; slot++) {
        const uint32_t bar = fake_config_read(&p, slot, 0x10, 4);
        wrong += fake_config_read(&p, slot, 0x00, 4) != 0x56781234;
        wrong += bar != 0 && bar != place(0) && bar != place(1);
        wrong += (fake_config_read(&p, slot, 0x04, 4) & ~0x00080002u) != 0x00100000;
    }
    wrong += fake_config_read(&p, 7, 0, 4) != UINT32_MAX;
    wrong += !is_answer((uint32_t)fake_read(p.m.mem, place(n), 4));
}

static void *look(void *opaque)
{
    struct mem_reader r;

    (void)opaque;
    mem_reader_register(&r, p.m.topo);
    for (unsigned n = 0; running > 0; n++) {
        mem_reader_online(&r);
        look_once(n);
        mem_reader_offline(&r);
    }
    mem_reader_unregister(&r);
    return NULL;
}

Test(pci_threads, bars_move_while_others_look)
{
    static const unsigned slots[MOVERS] = {1, 2};
    struct device *d[MOVERS];
    pthread_t movers[MOVERS], looker;

    pci_fixture_init(&p, 1);
    d[0] = pci_fixture_add(&p, &pci_probe_class, 1, "tag=1");
    d[1] = pci_fixture_add(&p, &pci_probe_class, 2, "tag=2");
    running = MOVERS;
    pthread_create(&looker, NULL, look, NULL);
    for (unsigned i = 0; i < MOVERS; i++) {
        pthread_create(&movers[i], NULL, move, (void *)(uintptr_t)&slots[i]);
    }
    for (unsigned i = 0; i < MOVERS; i++) {
        pthread_join(movers[i], NULL);
    }
    pthread_join(looker, NULL);
    cr_expect_eq(wrong, 0);
    cr_expect_eq(answered, MOVERS * ROUNDS);
    device_free(d[1]);
    device_free(d[0]);
    pci_fixture_free(&p);
}
