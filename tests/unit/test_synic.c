/*
 * Hyper-V's SynIC, the part KVM leaves to its user: pages, messages, events, hypercalls.
 */
#include "tests/unit/fake_kvm.h"

#include "src/arch/arch.h"
#include "src/base/le.h"
#include "src/kvm/synic.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>

#define VCPUS    2
#define MESSAGES 0x10000 /* pages of vCPU 1 */
#define FLAGS    0x11000
#define INPUT    0x20000 /* of hypercalls */
#define SINT     8
#define CONN     0x10
#define POST     0x5cU
#define SIGNAL   0x5dU
#define FAST     0x10000U

#define SLOT      (m.ram + MESSAGES + SINT * 256)
#define FLAG_BYTE (m.ram[FLAGS + SINT * 256 + CONN / 8])

static struct fake_kvm f;
static struct err e;
static struct irqchip chip;
static struct msi_table table;
static struct fake_machine m;
static struct synic *s;
static struct hyperv *h;

/* KVM's side. */
static int raise_fd[64], acked_fd, event_fd[256]; /* by GSI - pins; by connection */

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    const struct kvm_irqfd *irqfd = arg;
    const struct kvm_hyperv_eventfd *event = arg;
    (void)fake;
    (void)fd;
    if (request == KVM_IRQFD) {
        cr_assert_eq(irqfd->flags, KVM_IRQFD_FLAG_RESAMPLE);
        raise_fd[irqfd->gsi - ARCH_IRQ_PINS] = (int)irqfd->fd;
        acked_fd = (int)irqfd->resamplefd;
    } else if (request == KVM_HYPERV_EVENTFD) {
        event_fd[event->conn_id] = event->fd;
    }
    return -ENOSYS;
}

static void setup(void)
{
    fake_kvm_init(&f);
    f.answer = answer;
    e = ERR_INIT;
    fake_machine_init(&m, 1);
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
    msi_table_init(&table, &chip);
    s = synic_new(&f.kvm, &table, m.mem, m.loop, VCPUS, &e);
    cr_assert_not_null(s, "%s", e.what);
    h = &s->hyperv;
    fake_kvm_clear(&f);
}

static void teardown(void)
{
    synic_free(s);
    msi_table_destroy(&table);
    fake_machine_free(&m);
}

TestSuite(synic, .init = setup, .fini = teardown);

/* How often the SINT that was connected as number n was raised since the last look. */
static unsigned raised(unsigned n)
{
    eventfd_t count;
    return eventfd_read(raise_fd[n], &count) == 0 ? (unsigned)count : 0;
}

static void write_registers(unsigned vcpu, uint64_t control, uint64_t messages, uint64_t flags)
{
    struct kvm_hyperv_exit x = {
        .type = KVM_EXIT_HYPERV_SYNIC,
        .u.synic = {.control = control, .msg_page = messages, .evt_page = flags}};
    cr_assert(synic_exit(s, vcpu, &x));
}

static uint64_t hypercall(uint64_t control, uint64_t param)
{
    struct kvm_hyperv_exit x = {.type = KVM_EXIT_HYPERV_HCALL,
                                .u.hcall = {.input = control, .result = 99, .params = {param}}};
    cr_assert(synic_exit(s, 0, &x));
    return x.u.hcall.result;
}

static uint64_t post(uint32_t conn, uint32_t type, uint32_t size, uint8_t first)
{
    put_le32(m.ram + INPUT, conn);
    put_le32(m.ram + INPUT + 8, type);
    put_le32(m.ram + INPUT + 12, size);
    m.ram[INPUT + 16] = first;
    return hypercall(POST, INPUT);
}

static void connect_and_enable(void)
{
    cr_assert_eq(h->connect_messages(h, CONN, 1, SINT), 0);
    write_registers(1, 1, MESSAGES | 1, FLAGS | 1);
}

/* --- SINTs ------------------------------------------------------------ */

Test(synic, a_sint_is_a_route_and_an_eventfd)
{
    cr_assert_eq(h->connect_sint(h, 1, 15), 0);
    char expected[100];
    snprintf(expected, sizeof(expected), "+irqfd %u resample;routes %zu: %u=vcpu 1 sint 15;",
             ARCH_IRQ_PINS, arch_irq_routes(NULL) + 1, ARCH_IRQ_PINS);
    assert_log(&f, expected);
    cr_assert_eq(raised(0), 0);
    cr_assert_eq(h->raise_sint(h, 1, 15), 0);
    cr_assert_eq(raised(0), 1);
    cr_assert_eq(h->disconnect_sint(h, 1, 15), 0);
    cr_assert_eq(h->raise_sint(h, 1, 15), -ENOENT);
    cr_assert_eq(h->disconnect_sint(h, 1, 15), -ENOENT);
}

Test(synic, sints_and_messages_share_one_table)
{
    struct irq_msi msi;
    cr_assert_eq(h->connect_sint(h, 0, 2), 0);
    cr_assert_eq(msi_get(&table, 0, &msi, &e), 0);
    f.answer = NULL;
    fake_kvm_clear(&f);
#ifdef __x86_64__
    cr_assert_eq(msi_set(&table, &msi, 0xfee00000, 0x41), 0);
    assert_log(&f, "+irqfd 25;routes 42: 24=vcpu 0 sint 2 25=0fee00000:41;");
#endif
    msi_put(&table, &msi);
}

Test(synic, wrong_numbers_are_refused)
{
    cr_assert_eq(h->connect_sint(h, VCPUS, 0), -EINVAL);
    cr_assert_eq(h->connect_sint(h, 0, 16), -EINVAL);
    cr_assert_eq(h->raise_sint(h, VCPUS, 0), -EINVAL);
    cr_assert_eq(h->disconnect_sint(h, 0, UINT32_MAX), -EINVAL);
    cr_assert_eq(h->connect_messages(h, 256, 0, 0), -EINVAL);
    cr_assert_eq(h->connect_messages(h, 0, 0, 16), -EINVAL);
    cr_assert_eq(h->connect_events(h, 0, VCPUS, 0, 0), -EINVAL);
    cr_assert_eq(h->connect_events(h, 0, 0, 0, 2048), -EINVAL);
    cr_assert_eq(h->disconnect(h, 256), -EINVAL);
    cr_assert_eq(h->disconnect(h, 255), -ENOENT);
    assert_log(&f, "");
}

Test(synic, what_is_connected_is_not_connected_again)
{
    cr_assert_eq(h->connect_sint(h, 0, 3), 0);
    cr_assert_eq(h->connect_sint(h, 0, 3), -EEXIST);
    cr_assert_eq(h->connect_messages(h, CONN, 0, 3), 0, "a SINT may be several's");
    cr_assert_eq(h->connect_messages(h, CONN, 0, 4), -EEXIST);
    cr_assert_eq(h->connect_events(h, CONN, 0, 4, 0), -EEXIST);
    cr_assert_eq(h->disconnect(h, CONN), 0);
    cr_assert_eq(h->raise_sint(h, 0, 3), 0, "the other user's is there still");
}

Test(synic, kvms_refusal_leaves_nothing_behind)
{
    f.fail_code = -ENOSPC;
    f.fail_request = KVM_SET_GSI_ROUTING;
    cr_assert_eq(h->connect_sint(h, 0, 3), -ENOSPC);
    f.fail_request = KVM_HYPERV_EVENTFD;
    cr_assert_eq(h->connect_events(h, CONN, 0, 3, 0), -ENOSPC);
    f.fail_code = 0;
    cr_assert_eq(h->disconnect(h, CONN), -ENOENT);
    cr_assert_eq(h->connect_events(h, CONN, 0, 3, 0), 0);
}

/* --- pages ------------------------------------------------------------ */

Test(synic, a_page_covers_ram_and_gives_it_back)
{
    m.ram[MESSAGES] = 0x5a;
    m.ram[MESSAGES + 4095] = 0xa5;
    write_registers(0, 1, MESSAGES | 1, 0);
    cr_assert_eq(m.ram[MESSAGES] | m.ram[MESSAGES + 4095], 0, "it starts empty");
    m.ram[MESSAGES] = 1;
    write_registers(0, 1, FLAGS | 1, 0);
    cr_assert_eq(m.ram[MESSAGES], 0x5a);
    cr_assert_eq(m.ram[FLAGS], 1, "its contents move with it");
    write_registers(0, 1, FLAGS, 0);
    cr_assert_eq(m.ram[FLAGS], 0);
    write_registers(0, 1, MESSAGES | 1, 0);
    cr_assert_eq(m.ram[MESSAGES], 1);
    cr_assert_eq(m.ram[MESSAGES + 4095], 0);
}

Test(synic, a_page_over_no_ram_is_nowhere)
{
    cr_assert_eq(h->connect_messages(h, CONN, 1, SINT), 0);
    write_registers(1, 1, 0xfee00000 | 1, UINT64_MAX);
    cr_assert_eq(guest_error_count(&s->errors), 2);
    cr_assert_eq(post(CONN, 1, 8, 7), HV_SUCCESS, "it waits for a better place");
    cr_assert_eq(raised(0), 0);
    write_registers(1, 1, MESSAGES | 1, 0);
    cr_assert_eq(raised(0), 1);
    cr_assert_eq(SLOT[16], 7);
}

Test(synic, a_reset_gives_ram_back_and_forgets)
{
    m.ram[FLAGS] = 0x5a;
    connect_and_enable();
    cr_assert_eq(h->connect_events(h, 1, 1, SINT, 1), 0);
    m.ram[FLAGS] = 1;
    fake_kvm_clear(&f);
    synic_reset(s);
    assert_log(&f, "-event 1;");
    cr_assert_eq(m.ram[FLAGS], 0x5a);
    cr_assert_eq(post(CONN, 1, 8, 0), HV_INVALID_CONNECTION_ID);
    write_registers(1, 1, 0, FLAGS | 1);
    cr_assert_eq(m.ram[FLAGS], 0, "a page after a reset is empty");
}

/* --- messages --------------------------------------------------------- */

Test(synic, a_message_fills_its_slot_and_interrupts)
{
    connect_and_enable();
    memset(SLOT, 0xff, 256);
    put_le32(SLOT, 0);
    fake_fill_pattern(m.ram + INPUT + 16, 240);
    cr_assert_eq(post(CONN, 0x12345678, 240, 0x77), HV_SUCCESS);
    cr_assert_eq(raised(0), 1);
    cr_assert_eq(get_le32(SLOT), 0x12345678);
    cr_assert_eq(SLOT[4], 240);
    cr_assert_eq(SLOT[5], 0);
    cr_assert_eq(get_le64(SLOT + 8), 0);
    cr_assert_eq(memcmp(SLOT + 16, m.ram + INPUT + 16, 240), 0);
}

Test(synic, a_message_for_a_taken_slot_waits_until_the_guest_says)
{
    connect_and_enable();
    cr_assert_eq(post(CONN, 5, 8, 1), HV_SUCCESS);
    cr_assert_eq(post(CONN, 6, 8, 2), HV_SUCCESS);
    cr_assert_eq(raised(0), 1);
    cr_assert_eq(SLOT[16], 1);
    cr_assert_eq(SLOT[5], 1, "pending");
    cr_assert_eq(post(CONN, 7, 8, 3), HV_INSUFFICIENT_BUFFERS, "one waits already");
    eventfd_write(acked_fd, 1);
    loop_poll(m.loop);
    cr_assert_eq(raised(0), 0, "the slot is taken still");
    put_le32(SLOT, 0);
    eventfd_write(acked_fd, 1); /* EOM */
    loop_poll(m.loop);
    cr_assert_eq(raised(0), 1);
    cr_assert_eq(get_le32(SLOT), 6);
    cr_assert_eq(SLOT[16], 2);
    cr_assert_eq(SLOT[5], 0);
    eventfd_write(acked_fd, 1);
    loop_poll(m.loop);
    cr_assert_eq(raised(0), 0, "delivered once");
}

Test(synic, no_message_comes_while_the_controller_is_off)
{
    connect_and_enable();
    write_registers(1, 0, MESSAGES | 1, 0);
    cr_assert_eq(post(CONN, 5, 8, 1), HV_SUCCESS);
    cr_assert_eq(get_le32(SLOT), 0);
    write_registers(1, 1, MESSAGES | 1, 0);
    cr_assert_eq(get_le32(SLOT), 5);
}

Test(synic, a_message_that_waits_ends_with_its_connection)
{
    connect_and_enable();
    post(CONN, 5, 8, 1);
    post(CONN, 6, 8, 2);
    cr_assert_eq(h->disconnect(h, CONN), 0);
    cr_assert_eq(h->connect_messages(h, CONN, 1, SINT), 0);
    put_le32(SLOT, 0);
    eventfd_write(acked_fd, 1);
    loop_poll(m.loop);
    cr_assert_eq(get_le32(SLOT), 0);
    cr_assert_eq(post(CONN, 7, 8, 3), HV_SUCCESS);
}

Test(synic, hypercalls_with_mistakes_get_their_status)
{
    connect_and_enable();
    cr_assert_eq(h->connect_events(h, 1, 1, SINT, 1), 0);
    cr_assert_eq(post(CONN + 1, 5, 8, 1), HV_INVALID_CONNECTION_ID);
    cr_assert_eq(post(1, 5, 8, 1), HV_INVALID_CONNECTION_ID, "it is for events");
    cr_assert_eq(post(0x01000000 | CONN, 5, 8, 1), HV_INVALID_CONNECTION_ID);
    cr_assert_eq(post(CONN, 0, 8, 1), HV_INVALID_PARAMETER);
    cr_assert_eq(post(CONN, 0x80000010, 8, 1), HV_INVALID_PARAMETER, "a timer's");
    cr_assert_eq(post(CONN, 5, 241, 1), HV_INVALID_PARAMETER);
    cr_assert_eq(post(CONN, 5, UINT32_MAX, 1), HV_INVALID_PARAMETER);
    cr_assert_eq(hypercall(POST, INPUT + 4), HV_INVALID_ALIGNMENT);
    cr_assert_eq(hypercall(POST, INPUT + 4096 - 248), HV_INVALID_ALIGNMENT);
    cr_assert_eq(hypercall(POST, 0x10000000), HV_INVALID_HYPERCALL_INPUT, "no RAM");
    cr_assert_eq(hypercall(POST, UINT64_MAX & ~7ULL), HV_INVALID_ALIGNMENT);
    cr_assert_eq(hypercall(POST | FAST, INPUT), HV_INVALID_HYPERCALL_INPUT);
    cr_assert_eq(hypercall(SIGNAL | FAST, 0x1234), HV_INVALID_CONNECTION_ID);
    cr_assert_eq(hypercall(0x8001, 0), HV_INVALID_HYPERCALL_CODE);
    cr_assert_eq(get_le32(SLOT), 0);
    cr_assert_eq(raised(0), 0);
}

Test(synic, the_last_place_of_a_page_will_do)
{
    connect_and_enable();
    put_le32(m.ram + INPUT + 4096 - 256, CONN);
    put_le32(m.ram + INPUT + 4096 - 256 + 8, 5);
    cr_assert_eq(hypercall(POST, INPUT + 4096 - 256), HV_SUCCESS);
    cr_assert_eq(get_le32(SLOT), 5);
    cr_assert_eq(SLOT[4], 0);
}

/* --- events ----------------------------------------------------------- */

static void signal_event(unsigned conn)
{
    eventfd_write(event_fd[conn], 1);
    loop_poll(m.loop);
}

Test(synic, a_signal_sets_a_flag_and_interrupts_if_it_was_not_set)
{
    connect_and_enable();
    cr_assert_eq(h->connect_events(h, CONN + 1, 1, SINT, CONN), 0);
    signal_event(CONN + 1);
    cr_assert_eq(FLAG_BYTE, 1 << CONN % 8);
    cr_assert_eq(raised(0), 1);
    signal_event(CONN + 1);
    cr_assert_eq(raised(0), 0);
    FLAG_BYTE = 0x80;
    signal_event(CONN + 1);
    cr_assert_eq(FLAG_BYTE, 0x80 | 1 << CONN % 8);
    cr_assert_eq(raised(0), 1);
}

Test(synic, signals_of_many_connections_all_arrive)
{
    write_registers(0, 1, 0, FLAGS | 1);
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(h->connect_events(h, i, 0, 1, i), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        eventfd_write(event_fd[i], 1);
    }
    for (unsigned i = 0; i < 40; i++) {
        loop_poll(m.loop);
    }
    cr_assert_eq(get_le64(m.ram + FLAGS + 256), (1ULL << 40) - 1);
    cr_assert_eq(raised(0), 40);
}

Test(synic, a_signal_without_a_page_is_lost)
{
    cr_assert_eq(h->connect_events(h, CONN, 1, SINT, CONN), 0);
    signal_event(CONN);
    write_registers(1, 1, 0, FLAGS | 1);
    cr_assert_eq(FLAG_BYTE, 0);
    write_registers(1, 0, 0, FLAGS | 1);
    signal_event(CONN);
    cr_assert_eq(FLAG_BYTE, 0, "the controller is off");
    cr_assert_eq(raised(0), 0);
}

Test(synic, a_connection_of_events_comes_and_goes_in_kvm)
{
    cr_assert_eq(h->connect_events(h, CONN, 1, SINT, 2047), 0);
    cr_assert_eq(h->disconnect(h, CONN), 0);
    cr_assert_not_null(strstr(f.log, "+event 16;-event 16;"), "%s", f.log);
    cr_assert_eq(h->disconnect(h, CONN), -ENOENT);
}

Test(synic, other_exits_are_not_its)
{
    struct kvm_hyperv_exit x = {.type = KVM_EXIT_HYPERV_SYNDBG};
    cr_assert_not(synic_exit(s, 0, &x));
}
