/*
 * edu's interrupts, by line and, on PCI, by MSI: reasons add up, each request
 * is one interrupt, and what is not acknowledged comes again. Wants an edu.
 */
#include "edu.h"

#define REQUESTS      100
#define USER_REQUESTS 200

#define SILENT_REQUESTS 10
#define LEFTOVERS       3

/* No interrupt controller listens there. */
#define NOWHERE 0x10000000UL

static struct edu edu;

/* Reasons add up until they are acknowledged; the line follows them. No handler is there yet. */
static void reasons_add_up(void)
{
    static const struct {
        uint32_t reg, value, status;
    } steps[] = {
        {EDU_IRQ_RAISE, 5, 5}, {EDU_IRQ_RAISE, 2, 7},         {EDU_IRQ_ACK, 1, 6},
        {EDU_IRQ_RAISE, 0, 6}, {EDU_IRQ_ACK, 0x80000000U, 6}, {EDU_IRQ_ACK, 6, 0},
        {EDU_IRQ_RAISE, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        edu_write(&edu, steps[i].reg, steps[i].value);
        CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), steps[i].status);
        if (edu.dev.on_pci) {
            CHECK_EQ(pci_intx_asserted(&edu.dev.pci), steps[i].status != 0);
        }
    }
}

/* As many interrupts as requests, each with its reason. */
static void one_for_each_request(void)
{
    const unsigned before = edu.interrupts;
    for (unsigned i = 0; i < REQUESTS; i++) {
        edu.reasons = 0;
        edu_write(&edu, EDU_IRQ_RAISE, 1U << i % 32);
        edu_wait(&edu, before + i + 1);
        CHECK_EQ(edu.reasons, 1U << i % 32);
    }
    irq_settle();
    CHECK_EQ(edu.interrupts, before + REQUESTS);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
}

/* Two requests that the guest handles later are one interrupt with both reasons. */
static void handled_together(void)
{
    const unsigned before = edu.interrupts;
    edu.reasons = 0;
    edu_write(&edu, EDU_IRQ_RAISE, 5);
    edu_write(&edu, EDU_IRQ_RAISE, 2);
    edu_wait(&edu, before + 1);
    irq_settle();
    CHECK_EQ(edu.reasons, 7);
    CHECK_EQ(edu.interrupts, before + 1);
}

/* The end of a factorial interrupts if asked to, once. */
static void after_factorial(void)
{
    const unsigned before = edu.interrupts;
    edu.reasons = 0;
    edu_write(&edu, EDU_STATUS, EDU_IRQ_AFTER);
    edu_write(&edu, EDU_FACTORIAL, 12);
    edu_wait(&edu, before + 1);
    CHECK_EQ(edu.reasons, EDU_IRQ_FACTORIAL);
    CHECK_EQ(edu_read(&edu, EDU_FACTORIAL), 479001600);
    edu_write(&edu, EDU_STATUS, 0);
    CHECK_EQ(edu_factorial(&edu, 3), 6);
    irq_settle();
    CHECK_EQ(edu.interrupts, before + 1);
}

/* The interrupt finds the CPU in user mode. */
static uint64_t raise_and_spin(uint64_t count)
{
    while (count-- > 0) {
        const unsigned before = edu.interrupts;
        edu_write(&edu, EDU_IRQ_RAISE, 1);
        while (edu.interrupts == before) {
            cpu_relax();
        }
    }
    return edu.interrupts;
}

static void in_user_mode(void)
{
    const unsigned before = edu.interrupts;
    CHECK_EQ(user_call_interruptible(raise_and_spin, USER_REQUESTS), before + USER_REQUESTS);
}

static void every_source(void)
{
    one_for_each_request();
    handled_together();
    after_factorial();
    in_user_mode();
}

/* Acknowledges one reason at a time. */
static void on_one_reason(void *arg)
{
    const uint32_t reasons = edu_read(&edu, EDU_IRQ_STATUS);
    (void)arg;
    edu.interrupts += reasons != 0;
    edu_write(&edu, EDU_IRQ_ACK, reasons & -reasons);
}

/* A line that is still high at the end of the interrupt interrupts again. */
static void line_stays_high(void)
{
    const unsigned before = edu.interrupts;
    irq_attach_line(edu.dev.gsi, on_one_reason, NULL);
    edu_write(&edu, EDU_IRQ_RAISE, 0x70);
    edu_wait(&edu, before + 3);
    CHECK_EQ(edu_read(&edu, EDU_IRQ_STATUS), 0);
    edu_use_line(&edu);
}

/*
 * The command register silences INTx, not its status bit; what waits comes when it is let. Some
 * interrupts of before may still be under way.
 */
static void line_disabled(void)
{
    irq_settle();
    unsigned before = edu.interrupts;
    pci_command(&edu.dev.pci, PCI_COMMAND_INTX_OFF, 0);
    for (unsigned i = 0; i < SILENT_REQUESTS; i++) {
        edu_write(&edu, EDU_IRQ_RAISE, 1);
        CHECK(pci_intx_asserted(&edu.dev.pci));
        irq_settle();
    }
    CHECK(edu.interrupts - before <= LEFTOVERS);
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    before = edu.interrupts;
    pci_command(&edu.dev.pci, 0, PCI_COMMAND_INTX_OFF);
    edu_wait(&edu, before + 1);
    CHECK(!pci_intx_asserted(&edu.dev.pci));
}

static volatile unsigned messages;

static void on_message(void *arg)
{
    (void)arg;
    messages++;
}

static void wait_for_messages(unsigned count)
{
    while (messages < count) {
        wait_for_interrupt();
    }
    CHECK_EQ(messages, count);
}

/* A request is a message also while reasons are pending; the line stays low. */
static void message_for_each_request(void)
{
    dev_use_msi(&edu.dev, on_message, NULL);
    edu_write(&edu, EDU_IRQ_RAISE, 4);
    wait_for_messages(1);
    CHECK(!pci_intx_asserted(&edu.dev.pci));
    edu_write(&edu, EDU_IRQ_RAISE, 4);
    wait_for_messages(2);
    edu_write(&edu, EDU_IRQ_RAISE, 0);
    wait_for_messages(3);
    edu_write(&edu, EDU_IRQ_ACK, 4);
    edu_write(&edu, EDU_IRQ_RAISE, 0);
    irq_settle();
    CHECK_EQ(messages, 3);
    CHECK(!pci_intx_asserted(&edu.dev.pci));
}

/* A message is a write to memory: without bus mastering there is none, and it may go nowhere. */
static void lost_messages(void)
{
    pci_command(&edu.dev.pci, 0, PCI_COMMAND_MASTER);
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    irq_settle();
    pci_command(&edu.dev.pci, PCI_COMMAND_MASTER, 0);
    pci_msi_on(&edu.dev.pci, (struct irq_message){NOWHERE, 0});
    edu_write(&edu, EDU_IRQ_RAISE, 2);
    edu_write(&edu, EDU_IRQ_ACK, UINT32_MAX);
    irq_settle();
    CHECK_EQ(messages, 3);
    dev_use_msi(&edu.dev, on_message, NULL);
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    wait_for_messages(4);
    edu_write(&edu, EDU_IRQ_ACK, 1);
}

int guest_main(void)
{
    CHECK(edu_find(&edu, 0));
    reasons_add_up();
    edu_use_line(&edu);
    every_source();
    line_stays_high();
    print("edu_irq: by line\n");
    if (edu.dev.on_pci) {
        line_disabled();
    }
    if (dev_has_messages(&edu.dev)) {
        edu_use_msi(&edu);
        every_source();
        message_for_each_request();
        lost_messages();
        print("edu_irq: by MSI\n");
    } else {
        print("edu_irq: no messages\n");
    }
    print("edu_irq: ok\n");
    return 0;
}
