/*
 * An interrupt storm: a million requests (requests=N on the command line) that
 * the guest does not handle meanwhile, by line and by MSI, and as many again of
 * raising and acknowledging. Nothing piles up; the last state holds. Wants an edu.
 */
#include "edu.h"

#define REQUESTS 1000000

static struct edu edu;

static uint64_t raise_only(uint64_t count)
{
    while (count-- > 0) {
        edu_write(&edu, EDU_IRQ_RAISE, 1U << count % 32);
    }
    return 0;
}

static uint64_t raise_and_acknowledge(uint64_t count)
{
    while (count-- > 0) {
        edu_write(&edu, EDU_IRQ_RAISE, 1);
        edu_write(&edu, EDU_IRQ_ACK, 1);
    }
    return 0;
}

/* What the storm left is handled; then one request is one interrupt, as ever. */
static void calm(unsigned before)
{
    edu_wait(&edu, before + 1);
    CHECK_EQ(edu.reasons, UINT32_MAX);
    irq_settle();
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
    const unsigned after = edu.interrupts;
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    edu_wait(&edu, after + 1);
    CHECK_EQ(edu.interrupts, after + 1);
}

static void storm(uint64_t requests)
{
    const unsigned before = edu.interrupts;
    edu.reasons = 0;
    user_call(raise_only, requests);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), UINT32_MAX);
    calm(before);
    user_call(raise_and_acknowledge, requests / 2);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
    irq_settle();
}

int guest_main(void)
{
    const uint64_t requests = cmdline_number("requests", REQUESTS);
    CHECK(edu_find(&edu, 0));
    edu_use_line(&edu);
    storm(requests);
    if (dev_has_messages(&edu.dev)) {
        edu_use_msi(&edu);
        storm(requests);
    }
    print("edu_storm: %lu requests\n", requests);
    print("edu_storm: ok\n");
    return 0;
}
