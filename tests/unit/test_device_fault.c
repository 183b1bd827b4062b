/*
 * Faults of devices: which accesses they strike.
 */
#include "src/device.h"
#include "tests/unit/edu_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(device_fault, .init = edu_setup, .fini = edu_teardown);

static void fault(struct device_fault f)
{
    cr_assert_eq(device_fault_add(edu, &f, NULL), 0);
}

Test(device_fault, none)
{
    cr_assert_eq(device_fault_count(edu), 0);
    device_fault_clear(edu);
    cr_assert_not(device_faulty(edu, DEVICE_FAULT_READ, 0));
}

Test(device_fault, read_of_one_register)
{
    fault((struct device_fault){.kind = DEVICE_FAULT_READ, .offset = ID, .after = 1, .times = 2});
    cr_assert_eq(get(LIVENESS), 0);
    cr_assert_eq(get(ID), 0x010000ed);
    cr_assert_eq(get(ID), UINT32_MAX);
    cr_assert_eq(get(LIVENESS), 0, "another register");
    cr_assert_eq(get(ID), UINT32_MAX);
    cr_assert_eq(get(ID), 0x010000ed);
    cr_assert_eq(device_fault_count(edu), 2);
}

Test(device_fault, writes_are_lost)
{
    fault(
        (struct device_fault){.kind = DEVICE_FAULT_WRITE, .any_offset = true, .times = UINT64_MAX});
    put(LIVENESS, 5);
    cr_assert_eq(get(LIVENESS), 0, "reads are not struck");
    device_fault_clear(edu);
    put(LIVENESS, 5);
    cr_assert_eq(get(LIVENESS), (uint32_t)~5);
    cr_assert_eq(device_fault_count(edu), 1, "the count stays");
}

/* The register table judges first: what it refuses is no access. */
Test(device_fault, misfits_do_not_count)
{
    fault((struct device_fault){.kind = DEVICE_FAULT_READ, .any_offset = true, .times = 1});
    cr_assert_eq(fake_read(machine.mem, FAKE_SLOT_GPA(0) + 1, 1), 0xff);
    cr_assert_eq(device_fault_count(edu), 0);
}

Test(device_fault, dma)
{
    uint8_t byte = 0;
    machine.ram[0x1000] = 0x5a;
    fault((struct device_fault){
        .kind = DEVICE_FAULT_DMA, .any_offset = true, .after = 1, .times = 2});
    cr_assert_eq(device_dma_read(edu, 0x1000, &byte, 1), 0);
    cr_assert_eq(byte, 0x5a);
    cr_assert_eq(device_dma_read(edu, 0x1000, &byte, 1), -EFAULT);
    cr_assert_eq(device_dma_write(edu, 0x1000, "x", 1), -EFAULT);
    cr_assert_eq(machine.ram[0x1000], 0x5a);
    cr_assert_eq(device_dma_write(edu, 0x1000, "x", 1), 0);
}

/* Each fault has turns of its own; one access is struck once. */
Test(device_fault, several)
{
    fault((struct device_fault){.kind = DEVICE_FAULT_READ, .offset = ID, .times = 1});
    fault((struct device_fault){
        .kind = DEVICE_FAULT_READ, .any_offset = true, .after = 2, .times = 1});
    cr_assert_eq(get(ID), UINT32_MAX);
    cr_assert_eq(get(ID), 0x010000ed);
    cr_assert_eq(get(ID), UINT32_MAX);
    cr_assert_eq(get(ID), 0x010000ed);
    cr_assert_eq(device_fault_count(edu), 2);
}

Test(device_fault, at_most_eight)
{
    struct err e = ERR_INIT;
    const struct device_fault f = {.kind = DEVICE_FAULT_IO};
    for (int i = 0; i < 8; i++) {
        fault(f);
    }
    cr_assert_eq(device_fault_add(edu, &f, &e), -ENOSPC);
    cr_assert_not_null(strstr(e.what, "edu"));
    device_fault_clear(edu);
    fault(f);
}
