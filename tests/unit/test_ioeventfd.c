/*
 * Posted writes: what KVM is told, and draining the ring.
 */
#include "tests/unit/fake_kvm.h"
#include "tests/unit/fake_mem.h"

#include "src/kvm/ioeventfd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#define RING_ENTRIES ((4096 - 8) / sizeof(struct kvm_coalesced_mmio))

static struct fake_kvm f;
static struct err e;
static struct topology *topo;
static struct region mem_root, io_root;
static struct aspace *mem, *io;
static struct fake_io dev, port;
static struct ioeventfds on_mem, on_io;
static struct coalesced ring;
static _Alignas(4096) uint8_t page[4096];

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    topo = topology_new();
    region_init_container(&mem_root, topo, "memory", REGION_ALL);
    region_init_container(&io_root, topo, "I/O", 65536);
    mem = aspace_new(topo, "memory", &mem_root);
    io = aspace_new(topo, "I/O", &io_root);
    cr_assert(topo != NULL && mem != NULL && io != NULL);
    fake_io_init(&dev, topo, "dev", 64);
    fake_io_init(&port, topo, "port", 8);
    region_add(&mem_root, 0x1000, &dev.region, 0);
    region_add(&io_root, 0x3f8, &port.region, 0);
    cr_assert_eq(ioeventfds_attach(&on_mem, &f.kvm, mem, false, &e), 0);
    cr_assert_eq(ioeventfds_attach(&on_io, &f.kvm, io, true, &e), 0);
    coalesced_init(&ring, mem, io, 4096);
    memset(page, 0, sizeof(page));
    ring.ring = (struct kvm_coalesced_mmio_ring *)(void *)page;
}

static void teardown(void)
{
    coalesced_destroy(&ring);
    ioeventfds_detach(&on_io);
    ioeventfds_detach(&on_mem);
    fake_io_fini(&port);
    fake_io_fini(&dev);
    aspace_free(io);
    aspace_free(mem);
    region_fini(&io_root);
    region_fini(&mem_root);
    topology_free(topo);
}

TestSuite(ioeventfd, .init = setup, .fini = teardown);

static const struct posted_write doorbell = {
    .kind = POSTED_EVENTFD, .offset = 8, .size = 4, .match = true, .value = 3, .fd = 9};
static const struct posted_write any_width = {.kind = POSTED_EVENTFD, .offset = 2, .fd = 7};
static const struct posted_write slow = {.kind = POSTED_COALESCED, .offset = 0, .size = 1};

Test(ioeventfd, a_doorbell_is_registered_and_removed_with_the_same_values)
{
    cr_assert_eq(region_add_posted(&dev.region, &doorbell), 0);
    cr_assert_eq(region_del_posted(&dev.region, &doorbell), 0);
    assert_log(&f, "+ioeventfd 1008/4 fd 9 match 3;-ioeventfd 1008/4 fd 9 match 3;");
}

Test(ioeventfd, a_doorbell_moves_with_its_region)
{
    cr_assert_eq(region_add_posted(&port.region, &any_width), 0);
    cr_assert_eq(region_set_offset(&port.region, 0x2f8), 0);
    assert_log(&f, "+ioeventfd port 3fa/0 fd 7;-ioeventfd port 3fa/0 fd 7;"
                   "+ioeventfd port 2fa/0 fd 7;");
}

Test(ioeventfd, a_doorbell_of_any_width_needs_the_capability)
{
    f.kvm.ioeventfd_any_len = false;
    cr_assert_eq(region_add_posted(&port.region, &any_width), 0);
    assert_log(&f, "");
}

Test(ioeventfd, kvms_refusal_is_the_result_of_the_change)
{
    f.fail_request = KVM_IOEVENTFD;
    f.fail_code = -ENOSPC;
    cr_assert_eq(region_add_posted(&dev.region, &doorbell), -ENOSPC);
}

Test(ioeventfd, coalesced_zones_by_kind_of_space)
{
    cr_assert_eq(region_add_posted(&dev.region, &slow), 0);
    cr_assert_eq(region_add_posted(&port.region, &slow), 0);
    cr_assert_eq(region_del_posted(&port.region, &slow), 0);
    assert_log(&f, "+coalesced 1000/1;+coalesced port 3f8/1;-coalesced port 3f8/1;");
}

Test(ioeventfd, coalesced_ports_need_the_capability)
{
    f.kvm.coalesced_pio = false;
    cr_assert_eq(region_add_posted(&port.region, &slow), 0);
    cr_assert_eq(region_add_posted(&dev.region, &slow), 0);
    f.kvm.coalesced_page = 0;
    cr_assert_eq(region_set_offset(&dev.region, 0x2000), 0);
    assert_log(&f, "+coalesced 1000/1;");
}

static void post(uint64_t addr, uint32_t len, bool pio, uint8_t value)
{
    struct kvm_coalesced_mmio *entry = &ring.ring->coalesced_mmio[ring.ring->last];
    *entry = (struct kvm_coalesced_mmio){.phys_addr = addr, .len = len, .pio = pio};
    memset(entry->data, value, sizeof(entry->data));
    ring.ring->last = (ring.ring->last + 1) % RING_ENTRIES;
}

Test(ioeventfd, draining_carries_out_the_writes_in_order)
{
    post(0x1004, 4, false, 0x11);
    post(0x3f8, 1, true, 0x22);
    post(0x1004, 2, false, 0x33);
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 2);
    cr_assert_eq(dev.calls[0].value, 0x11111111);
    cr_assert_eq(dev.calls[1].value, 0x3333);
    cr_assert_eq(port.call_count, 1);
    cr_assert_eq(port.calls[0].value, 0x22);
    cr_assert_eq(ring.ring->first, ring.ring->last);
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 2);
}

Test(ioeventfd, the_ring_wraps)
{
    ring.ring->first = ring.ring->last = RING_ENTRIES - 1;
    post(0x1000, 1, false, 1);
    post(0x1000, 1, false, 2);
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 2);
    cr_assert_eq(dev.calls[1].value, 2);
    cr_assert_eq(ring.ring->first, 1);
}

static void still_in_ring(struct fake_io *io_region)
{
    (void)io_region;
    cr_assert_eq(ring.ring->first, 0);
}

Test(ioeventfd, an_entry_is_given_back_after_its_write)
{
    post(0x1000, 1, false, 1);
    dev.on_call = still_in_ring;
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 1);
    cr_assert_eq(ring.ring->first, 1);
}

Test(ioeventfd, absurd_lengths_and_indices_stay_inside_the_ring)
{
    post(0x1000, 4000, false, 5);
    coalesced_drain(&ring);
    cr_assert_eq(dev.calls[0].size, 8);
    ring.ring->first = 100000;
    coalesced_drain(&ring);
    ring.ring->first = 0;
    ring.ring->last = 100000;
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 1);
    ring.ring->last = 0;
}

Test(ioeventfd, no_ring_is_nothing_to_drain)
{
    ring.ring = NULL;
    coalesced_drain(&ring);
    cr_assert_eq(dev.call_count, 0);
}

static unsigned refilled;

static uint64_t refill_read(void *opaque, uint64_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

/* Another vCPU is as fast as the drain. Ends in any case. */
static void refill_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    (void)opaque, (void)offset, (void)value, (void)size;
    if (++refilled < 100 * RING_ENTRIES) {
        ring.ring->last = (ring.ring->first + RING_ENTRIES - 1) % RING_ENTRIES;
    }
}

Test(ioeventfd, a_ring_that_is_always_full_does_not_keep_the_thread)
{
    static const struct region_ops ops = {
        .read = refill_read,
        .write = refill_write,
        .guest = {.min = 1, .max = 8},
        .impl = {.min = 1, .max = 8},
    };
    struct region r;

    region_init_io(&r, topo, "refill", 4096, &ops, NULL, NULL);
    region_add(&mem_root, 0x10000, &r, 0);
    for (size_t i = 0; i < RING_ENTRIES; i++) {
        ring.ring->coalesced_mmio[i] = (struct kvm_coalesced_mmio){.phys_addr = 0x10000, .len = 4};
    }
    ring.ring->last = RING_ENTRIES - 1;
    coalesced_drain(&ring);
    cr_assert_eq(refilled, RING_ENTRIES);
    region_del(&r);
    region_fini(&r);
}
