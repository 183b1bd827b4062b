/*
 * What a snapshot says of its machine: the interrupt controller, which a host may have another of.
 */
#include "src/arch/board.h"
#include "src/base/pack.h"
#include "src/config.h"
#include "src/snapshot/describe.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct config c;
static struct err e;

static void start(void)
{
    memset(&c, 0, sizeof(c));
    e = ERR_INIT;
}

static void stop(void)
{
    for (size_t i = 0; i < c.owned_count; i++) {
        free(c.owned[i]);
    }
    free(c.owned);
}

TestSuite(snapshot_describe, .init = start, .fini = stop);

/* A machine without devices, with this controller. */
static int apply(unsigned gic)
{
    struct pack out = {0};
    pack_string(&out, board_machine);
    pack_u64(&out, 64 << 20);
    pack_u32(&out, 1);
    pack_string(&out, "host");
    pack_u32(&out, 0);
    pack_u32(&out, 1);
    pack_u32(&out, gic);
    for (unsigned i = 0; i < 5; i++) { /* no vmgenid, pm, testdev; no devices, no disks */
        pack_u32(&out, 0);
    }
    struct unpack in = {.data = out.data, .len = out.len};
    const int ret = describe_apply(&c, &in, &e);
    pack_free(&out);
    return ret;
}

Test(snapshot_describe, the_machine_gets_its_interrupt_controller)
{
    cr_assert_eq(apply(2), 0, "%s", e.what);
    cr_expect_eq(c.gic, 2);
}

Test(snapshot_describe, another_was_asked_for)
{
    c.machine_given = true;
    c.pci = true;
    c.gic = 3;
    cr_expect_eq(apply(2), -EINVAL);
    cr_expect_eq(e.status, EXIT_USAGE);
    cr_expect_not_null(strstr(e.what, "gic=2"), "%s", e.what);
}

Test(snapshot_describe, an_interrupt_controller_that_nothing_has)
{
    static const unsigned none[] = {1, 4, UINT32_MAX};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_expect_eq(apply(none[i]), -EINVAL);
        cr_expect_str_eq(e.what, "its description is damaged");
    }
}
