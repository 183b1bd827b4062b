/*
 * MSI-X against a model that is as plain as can be, over random steps.
 */
#include "tests/unit/msix_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pci_msix_model, .init = msix_setup, .fini = msix_teardown);

struct model {
    uint32_t table[4 * VECTORS];
    bool enabled, masked, master, raised;
    bool pending[VECTORS];
    unsigned sent[VECTORS];
    unsigned dropped;
};

static bool model_masked(const struct model *m, unsigned v)
{
    return m->masked || (m->table[4 * v + 3] & 1) != 0;
}

/* Send all that may be sent now. */
static void model_settle(struct model *m)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        if (!m->pending[v] || !m->enabled || model_masked(m, v)) {
            continue;
        }
        m->pending[v] = false;
        if (m->master && m->table[4 * v + 1] == 0 && m->table[4 * v] >> 20 == 0xfee) {
            m->sent[v]++;
        } else {
            m->dropped++;
        }
    }
}

static void model_reset(struct model *m)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        m->pending[v] = false;
        memset(&m->table[4 * v], 0, 12);
        m->table[4 * v + 3] = 1;
    }
    m->enabled = m->masked = m->raised = false;
    m->master = true;
}

static uint32_t random_word(unsigned word)
{
    static const uint32_t addresses[] = {0xfee00000, 0xfee03000, 0xfeeff000, 0xfef00000, 0};
    const uint32_t r = (uint32_t)random();
    switch (word) {
    case 0:
        return addresses[r % ARRAY_LEN(addresses)] | (r >> 8 & 3);
    case 1:
        return r % 16 == 0;
    default:
        return r % 4;
    }
}

static void random_table_write(struct model *m)
{
    static const uint32_t writable[] = {~3u, ~0u, ~0u, 1};
    const bool pair = random() % 2;
    const unsigned at = (unsigned)random() % ARRAY_LEN(m->table) & (pair ? ~1u : ~0u);
    const uint32_t low = random_word(at % 4), high = random_word(at % 4 + 1);
    m->table[at] = low & writable[at % 4];
    if (pair) {
        m->table[at + 1] = high & writable[at % 4 + 1];
    }
    msix_write(at * 4, low | (uint64_t)high << 32, pair ? 8 : 4);
}

static void random_step(struct model *m)
{
    const unsigned v = (unsigned)random() % VECTORS;
    switch (random() % 16) {
    case 0:
        m->master = random() % 4 != 0;
        msix_set_command(PCI_COMMAND_MEMORY | (m->master ? PCI_COMMAND_MASTER : 0));
        break;
    case 1:
    case 2:
        m->enabled = random() % 4 != 0;
        m->masked = random() % 3 == 0;
        msix_set_control((m->enabled ? ENABLE : 0) | (m->masked ? MASK_ALL : 0));
        break;
    case 3:
        if (random() % 32 == 0) {
            model_reset(m);
            msix_reset();
        }
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        m->pending[v] |= m->enabled;
        m->raised = true;
        msix_raise(v);
        break;
    default:
        random_table_write(m);
    }
}

static void compare(const struct model *m, unsigned step)
{
    uint64_t pending = 0;
    for (unsigned v = 0; v < VECTORS; v++) {
        pending |= (uint64_t)m->pending[v] << v;
        cr_assert_eq(msis[v].sent, m->sent[v], "vector %u, step %u", v, step);
    }
    for (unsigned i = 0; i < ARRAY_LEN(m->table); i++) {
        cr_assert_eq(msix_read(i * 4, 4), m->table[i], "word %u, step %u", i, step);
    }
    cr_assert_eq(msix_read(PENDING, 8), pending, "step %u", step);
    cr_assert_eq(msix_pci.m.irqs.level[GSI], m->raised && !m->enabled, "step %u", step);
    cr_assert_eq(msix_errors(), m->dropped, "step %u", step);
}

Test(pci_msix_model, it_does_what_a_plain_model_does)
{
    struct model m = {0};
    unsigned before[VECTORS] = {0};
    srandom(3);
    model_reset(&m);
    for (unsigned step = 0; step < 100000; step++) {
        random_step(&m);
        model_settle(&m);
        compare(&m, step);
        for (unsigned v = 0; v < VECTORS; v++) {
            const uint64_t address = m.table[4 * v] | (uint64_t)m.table[4 * v + 1] << 32;
            if (m.sent[v] != before[v]) {
                cr_assert_eq(msis[v].address, address, "vector %u, step %u", v, step);
                cr_assert_eq(msis[v].data, m.table[4 * v + 2], "vector %u, step %u", v, step);
            }
            before[v] = m.sent[v];
        }
    }
    cr_assert(m.dropped > 500 && m.sent[0] > 500, "the steps came to little");
}
