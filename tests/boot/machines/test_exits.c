/*
 * Guest events: what is recorded, in which order, and how they are waited for.
 */
#include "tests/boot/machines/machines.h"

GUEST(chatter);
extern const uint8_t guest_chatter_next[]; /* behind the instruction that writes */
GUEST(first);
GUEST(second);

/* The instruction that made the event is complete, and no further one has begun. */
Test(exits, stops_between_instructions)
{
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, chatter, "cpus=1");
    for (uint64_t i = 1; i <= 20; i++) {
        cr_assert(vmm_run_to_exit(m, NULL, NULL, &stop, NULL) == 0 && stop.why == VMM_MATCHED);
        cr_assert(stop.exit.number == i && stop.exit.value == i && stop.exit.size == 4);
        vmm_expect_reg(m, 0, REG_VALUE, i);
        vmm_expect_reg(m, 0, REG_PC, CODE + (uint64_t)(guest_chatter_next - guest_chatter));
        cr_assert(vmm_events(m) == i);
    }
    vmm_free(m);
}

Test(exits, last_ones_are_kept)
{
    struct vmm_exit list[20];
    struct vmm_stop stop;

    MACHINE(m, MODE, CODE, chatter, "exits=8");
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

    MACHINE(m, MODE, CODE, first, "cpus=2");
    cr_assert(vmm_write(m, RAM + 0x8000, guest_second, GUEST_SIZE(second), NULL) == 0);
    vmm_pattern_parse(&one, "write cpu 0", NULL);
    vmm_pattern_parse(&two, "write " SECOND " cpu 1", NULL);
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
