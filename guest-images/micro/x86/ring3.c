/*
 * User mode: code runs at CPL 3, computes what it should, and comes back.
 */
#include "guest.h"

#define ROUNDS 10000000

/* A linear congruential sequence, whose end is known. */
static uint64_t last_of_sequence(uint64_t rounds)
{
    uint32_t x = 1;
    while (rounds-- > 0) {
        x = x * 1664525 + 1013904223;
    }
    return x;
}

static uint64_t privilege_level(uint64_t arg)
{
    uint16_t cs;
    (void)arg;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return cs & 3;
}

int guest_main(void)
{
    CHECK_EQ(privilege_level(0), 0);
    CHECK_EQ(user_call(privilege_level, 0), 3);
    CHECK_EQ(user_call(last_of_sequence, 3), last_of_sequence(3));
    print("ring3: %lx\n", user_call(last_of_sequence, ROUNDS));
    return 0;
}
