/*
 * A split ring in a small guest memory: see fake_ring.h.
 */
#include "tests/unit/fake_ring.h"

#include "src/base/le.h"

#include <criterion/criterion.h>

const struct virtqueue_layout ring_layout = {
    .num = NUM, .desc = DESC, .driver = AVAIL, .device = USED};

void ring_init(struct fake_ring *r)
{
    r->topo = topology_new();
    region_init_container(&r->root, r->topo, "root", REGION_ALL);
    fake_ram_init(&r->low, r->topo, REGION_RAM, "low", SPLIT);
    fake_ram_init(&r->high, r->topo, REGION_RAM, "high", RAM_SIZE - SPLIT);
    fake_ram_init(&r->rom, r->topo, REGION_ROM, "rom", ROM_SIZE);
    region_add(&r->root, 0, &r->low.region, 0);
    region_add(&r->root, SPLIT, &r->high.region, 0);
    region_add(&r->root, ROM, &r->rom.region, 0);
    r->mem = aspace_new(r->topo, "mem", &r->root);
    ring_map(r, true, false);
}

void ring_free(struct fake_ring *r)
{
    aspace_free(r->mem);
    fake_ram_fini(&r->low);
    fake_ram_fini(&r->high);
    fake_ram_fini(&r->rom);
    region_fini(&r->root);
    topology_free(r->topo);
}

void ring_map(struct fake_ring *r, bool indirect, bool event_idx)
{
    cr_assert_eq(virtqueue_map(&r->q, r->mem, &ring_layout, indirect, event_idx), 0);
}

uint8_t *ring_host(struct fake_ring *r, uint64_t gpa)
{
    return gpa < SPLIT ? r->low.host + gpa : r->high.host + (gpa - SPLIT);
}

void ring_desc(struct fake_ring *r, uint64_t table, unsigned i, uint64_t addr, uint32_t len,
               unsigned flags, unsigned next)
{
    uint8_t *d = ring_host(r, table) + 16 * i;
    put_le64(d, addr);
    put_le32(d + 8, len);
    put_le16(d + 12, (uint16_t)flags);
    put_le16(d + 14, (uint16_t)next);
}

void ring_offer(struct fake_ring *r, unsigned head)
{
    uint16_t idx = get_le16(ring_host(r, AVAIL + 2));
    put_le16(ring_host(r, AVAIL + 4 + 2 * (idx % NUM)), (uint16_t)head);
    put_le16(ring_host(r, AVAIL + 2), (uint16_t)(idx + 1));
}

int ring_pop(struct fake_ring *r, unsigned head)
{
    ring_offer(r, head);
    return virtqueue_pop(&r->q, &r->c);
}
