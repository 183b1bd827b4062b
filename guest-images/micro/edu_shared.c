/*
 * Two edus on one interrupt line: each is served, and an acknowledge of one
 * leaves the other's request standing. Wants two edus whose INTA is the same line
 * (addr=4 and addr=8).
 */
#include "edu.h"

#define ROUNDS 100

static struct edu edus[2];
static volatile unsigned calls;

/* As a kernel does it: ask each device on the line. */
static void on_both(void *arg)
{
    (void)arg;
    calls++;
    edu_interrupt(&edus[0]);
    edu_interrupt(&edus[1]);
}

/* Serves one device a time, so the line stays high for the other. */
static void on_one(void *arg)
{
    (void)arg;
    calls++;
    const unsigned before = edus[0].interrupts;
    edu_interrupt(&edus[0]);
    if (edus[0].interrupts == before) {
        edu_interrupt(&edus[1]);
    }
}

static void wait_for(unsigned first, unsigned second)
{
    edu_wait(&edus[0], first);
    edu_wait(&edus[1], second);
    CHECK_EQ(edus[0].interrupts, first);
    CHECK_EQ(edus[1].interrupts, second);
}

/* In turn, then both before the guest looks. */
static void requests(irq_handler *handler)
{
    unsigned first = edus[0].interrupts, second = edus[1].interrupts;
    irq_attach_line(edus[0].dev.gsi, handler, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        edu_write(&edus[0], EDU_IRQ_RAISE, 1);
        wait_for(++first, second);
        edu_write(&edus[1], EDU_IRQ_RAISE, 1);
        wait_for(first, ++second);
        edu_write(&edus[i % 2], EDU_IRQ_RAISE, 1);
        edu_write(&edus[1 - i % 2], EDU_IRQ_RAISE, 1);
        wait_for(++first, ++second);
    }
}

/* Two reasons to be high: the line falls with the last. */
static void acknowledge_one(void)
{
    irq_detach_line(edus[0].dev.gsi);
    edu_write(&edus[0], EDU_IRQ_RAISE, 1);
    edu_write(&edus[1], EDU_IRQ_RAISE, 1);
    edu_write(&edus[0], EDU_IRQ_ACK, 1);
    CHECK(!pci_intx_asserted(&edus[0].dev.pci));
    CHECK(pci_intx_asserted(&edus[1].dev.pci));
    const unsigned second = edus[1].interrupts;
    irq_attach_line(edus[0].dev.gsi, on_both, NULL);
    wait_for(edus[0].interrupts, second + 1);
}

int guest_main(void)
{
    CHECK(edu_find(&edus[0], 0));
    CHECK(edu_find(&edus[1], 1));
    CHECK_EQ(edus[0].dev.gsi, edus[1].dev.gsi);
    requests(on_both);
    requests(on_one);
    acknowledge_one();
    print("edu_shared: %u interrupts for %u requests\n", calls,
          edus[0].interrupts + edus[1].interrupts);
    print("edu_shared: ok\n");
    return 0;
}
