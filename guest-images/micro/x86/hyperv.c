/*
 * Hyper-V's interface (--cpu host,hyperv=on --device hyperv-testdev): what CPUID says, pages over
 * RAM, a synthetic interrupt, messages, an event. It resets the machine with all of that in use,
 * after which nothing of it is left, does the same again and powers off.
 */
#include "guest.h"
#include "x86.h"

#define TESTDEV 0x3000

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL   0x40000001
#define MSR_SCONTROL    0x40000080
#define MSR_SIEFP       0x40000082
#define MSR_SIMP        0x40000083
#define MSR_EOM         0x40000084
#define MSR_SINT        0x40000090

#define SINT_MASKED   0x10000
#define SINT_AUTO_EOI 0x20000

#define CALL_POST          0x5c
#define CALL_SIGNAL        (0x5d | 0x10000) /* fast */
#define NO_SUCH_CONNECTION 0x12

#define VECTOR  (VECTOR_DEVICE + 1)
#define SINT    5
#define MESSAGE 0x11 /* connections */
#define EVENT   0x12

#define PAGE __attribute__((aligned(4096)))
static uint8_t call_page[4096] PAGE, input[256] PAGE;
static volatile uint8_t messages[4096] PAGE, flags[4096] PAGE;
static volatile unsigned interrupts;

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static uint32_t cpuid_eax(uint32_t leaf)
{
    uint32_t ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(leaf), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return leaf;
}

static uint64_t hypercall(uint64_t control, uint64_t param)
{
    uint64_t status;
    register uint64_t r8 __asm__("r8") = 0;
    __asm__ volatile("call *%[page]"
                     : "=a"(status), "+c"(control), "+d"(param), "+r"(r8)
                     : [page] "r"(call_page)
                     : "r9", "r10", "r11", "memory");
    return status;
}

static uint64_t post(uint8_t first)
{
    memset(input, 0, sizeof(input));
    input[0] = MESSAGE;
    input[8] = 0x33; /* type */
    input[12] = 8;   /* size */
    input[16] = first;
    return hypercall(CALL_POST, (uintptr_t)input);
}

static void testdev(unsigned command, unsigned conn)
{
    port_out32(TESTDEV, conn << 24 | command << 16 | SINT);
}

static void on_sint(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
}

static void wait_until(unsigned n)
{
    while (interrupts < n) {
        wait_for_interrupt();
    }
    irq_settle();
    CHECK_EQ(interrupts, n);
    interrupts = 0;
}

static void everything_is_fresh(void)
{
    static const uint32_t zero[] = {MSR_SIMP, MSR_SIEFP, MSR_HYPERCALL, MSR_GUEST_OS_ID};
    for (size_t i = 0; i < ARRAY_SIZE(zero); i++) {
        CHECK_EQ(read_msr(zero[i]), 0);
    }
    CHECK_EQ(read_msr(MSR_SINT + SINT), SINT_MASKED);
    CHECK_EQ(cpuid_eax(0x40000000), 0x40000005);
    CHECK_EQ(cpuid_eax(0x40000001), 0x31237648);
    CHECK_EQ(cpuid_eax(0x40000100), 0x40000101);
}

static void a_page_covers_ram(void)
{
    messages[7] = 0x5a;
    write_msr(MSR_SIMP, (uintptr_t)messages | 1);
    CHECK_EQ(messages[7], 0);
    write_msr(MSR_SIMP, 0);
    CHECK_EQ(messages[7], 0x5a);
}

static void switch_on(void)
{
    write_msr(MSR_GUEST_OS_ID, 0x8f00ULL << 48);
    write_msr(MSR_HYPERCALL, (uintptr_t)call_page | 1);
    CHECK_EQ(post(1), NO_SUCH_CONNECTION);
    CHECK_EQ(hypercall(CALL_SIGNAL, EVENT), NO_SUCH_CONNECTION);
    write_msr(MSR_SIMP, (uintptr_t)messages | 1);
    write_msr(MSR_SIEFP, (uintptr_t)flags | 1);
    write_msr(MSR_SCONTROL, 1);
    write_msr(MSR_SINT + SINT, VECTOR | SINT_AUTO_EOI);
}

static void a_sint_interrupts(void)
{
    testdev(1, 0);
    testdev(3, 0);
    wait_until(1);
    testdev(2, 0);
}

static void messages_come_one_by_one(void)
{
    volatile uint8_t *slot = messages + SINT * 256;
    testdev(4, MESSAGE);
    CHECK_EQ(post(1), 0);
    wait_until(1);
    CHECK_EQ(slot[0], 0x33);
    CHECK_EQ(slot[4], 8);
    CHECK_EQ(slot[16], 1);
    CHECK_EQ(post(2), 0);
    CHECK_EQ(slot[5], 1); /* pending */
    CHECK_EQ(slot[16], 1);
    slot[0] = 0;
    write_msr(MSR_EOM, 0);
    wait_until(1);
    CHECK_EQ(slot[5], 0);
    CHECK_EQ(slot[16], 2);
}

static void an_event_sets_a_flag(void)
{
    testdev(6, EVENT);
    CHECK_EQ(hypercall(CALL_SIGNAL, EVENT), 0);
    wait_until(1);
    CHECK_EQ(flags[SINT * 256 + EVENT / 8], 1 << EVENT % 8);
}

int guest_main(void)
{
    const unsigned starts = count_starts();
    lapic_enable();
    trap_set(VECTOR, on_sint);
    everything_is_fresh();
    a_page_covers_ram();
    switch_on();
    a_sint_interrupts();
    messages_come_one_by_one();
    an_event_sets_a_flag();
    if (starts < 2) {
        guest_reset();
    }
    print("hyperv: ok\n");
    return 0;
}
