/*
 * Memory slots: what KVM is told of RAM and ROM.
 */
#include "tests/unit/fake_kvm.h"

#include "src/kvm/memslot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 16

static struct fake_kvm f;
static struct err e;
static struct topology *topo;
static struct region root, ram;
static struct aspace *as;
static struct memslots slots;
static uint8_t *host;

static void setup(void)
{
    fake_kvm_init(&f);
    e = ERR_INIT;
    topo = topology_new();
    region_init_container(&root, topo, "root", REGION_ALL);
    as = aspace_new(topo, "memory", &root);
    host = aligned_alloc(4096, PAGES * 4096);
    cr_assert(topo != NULL && as != NULL && host != NULL);
    region_init_ram(&ram, topo, "ram", PAGES * 4096, host);
}

static void teardown(void)
{
    memslots_detach(&slots);
    region_fini(&ram);
    aspace_free(as);
    region_fini(&root);
    topology_free(topo);
    free(host);
}

TestSuite(memslot, .init = setup, .fini = teardown);

Test(memslot, ram_present_at_attach_becomes_a_slot)
{
    region_add(&root, 0x100000, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    assert_log(&f, "slot 0 100000+10000;");
}

Test(memslot, later_changes_are_followed_and_numbers_reused)
{
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    cr_assert_eq(region_add(&root, 0, &ram, 0), 0);
    cr_assert_eq(region_set_offset(&ram, 0x20000), 0);
    assert_log(&f, "slot 0 0+10000;slot 0 0+0;slot 0 20000+10000;");
}

Test(memslot, a_hole_makes_two_slots)
{
    struct region io;
    static const struct region_ops ops = {0};
    region_add(&root, 0, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    fake_kvm_clear(&f);
    region_init_io(&io, topo, "io", 4096, &ops, NULL, NULL);
    cr_assert_eq(region_add(&root, 0x4000, &io, 1), 0);
    assert_log(&f, "slot 0 0+0;slot 0 0+4000;slot 1 5000+b000;");
    region_fini(&io);
}

Test(memslot, rom_and_readonly_ram_are_readonly_slots)
{
    struct region rom;
    region_init_rom(&rom, topo, "rom", 4096, host);
    region_set_readonly(&ram, true);
    region_add(&root, 0, &rom, 1);
    region_add(&root, 0, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    assert_log(&f, "slot 0 0+1000 ro;slot 1 1000+f000 ro;");
    region_fini(&rom);
}

Test(memslot, only_whole_pages_become_slots)
{
    struct region odd;
    /* Bytes 0x1800..0x47ff, hidden by nothing: pages 2 and 3 are whole. */
    region_init_ram(&odd, topo, "odd", 0x3000, host + 0x800);
    region_add(&root, 0x1800, &odd, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    assert_log(&f, "slot 0 2000+2000;");
    region_fini(&odd);
}

Test(memslot, less_than_a_page_is_no_slot)
{
    struct region small;
    region_init_ram(&small, topo, "small", 0x900, host + 0x100);
    region_add(&root, 0x100, &small, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    region_fini(&small);
    assert_log(&f, "");
}

Test(memslot, host_memory_out_of_step_with_guest_pages_is_no_slot)
{
    struct region odd;
    region_init_ram(&odd, topo, "odd", 0x3000, host + 0x10);
    region_add(&root, 0, &odd, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    region_fini(&odd);
    assert_log(&f, "");
}

Test(memslot, the_last_page_of_all_is_a_slot)
{
    region_add(&root, UINT64_MAX - 0xffff, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    assert_log(&f, "slot 0 ffffffffffff0000+10000;");
}

Test(memslot, running_out_of_slots_is_an_error_that_says_so)
{
    struct region part[9];
    for (unsigned i = 0; i < 9; i++) {
        region_init_ram(&part[i], topo, "part", 4096, host);
        region_add(&root, i * 0x2000, &part[i], 0);
    }
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), -ENOSPC);
    cr_assert_not_null(strstr(e.what, "8 slots"), "%s", e.what);
    for (unsigned i = 0; i < 9; i++) {
        region_fini(&part[i]);
    }
}

Test(memslot, what_kvm_refuses_is_reported_and_not_deleted_later)
{
    f.fail_request = KVM_SET_USER_MEMORY_REGION;
    f.fail_code = -EINVAL;
    region_add(&root, 0x3000, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), -EINVAL);
    cr_assert_not_null(strstr(e.what, "0x3000"), "%s", e.what);
    f.fail_code = 0;
    region_del(&ram);
    assert_log(&f, "");
}

Test(memslot, detaching_deletes_the_slots)
{
    region_add(&root, 0, &ram, 0);
    cr_assert_eq(memslots_attach(&slots, &f.kvm, as, &e), 0);
    memslots_detach(&slots);
    assert_log(&f, "slot 0 0+10000;slot 0 0+0;");
    memslots_detach(&slots);
    assert_log(&f, "slot 0 0+10000;slot 0 0+0;");
}
