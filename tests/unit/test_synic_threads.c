/*
 * Messages of the SynIC between a CPU that posts, a guest that takes them, and the main loop: each
 * arrives once and in order, and none stays behind.
 */
#include "tests/unit/fake_kvm.h"

#include "src/base/le.h"
#include "src/kvm/synic.h"
#include "tests/unit/fakes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#define COUNT 100000U
#define PAGE  0x10000
#define INPUT 0x20000
#define SINT  3
#define CONN  1

static struct fake_kvm f;
static struct fake_machine m;
static struct irqchip chip;
static struct msi_table table;
static struct synic *s;
static int acked_fd;
static atomic_bool done;

static int answer(struct fake_kvm *fake, int fd, unsigned long request, void *arg)
{
    (void)fake;
    (void)fd;
    if (request == KVM_IRQFD) {
        acked_fd = (int)((const struct kvm_irqfd *)arg)->resamplefd;
    }
    return -ENOSYS;
}

static void *post_all(void *unused)
{
    struct mem_reader reader;
    (void)unused;
    mem_reader_register(&reader, m.topo);
    mem_reader_online(&reader);
    put_le32(m.ram + INPUT, CONN);
    put_le32(m.ram + INPUT + 12, 4);
    for (uint32_t n = 1; n <= COUNT;) {
        put_le32(m.ram + INPUT + 8, n);
        put_le32(m.ram + INPUT + 16, n * 3);
        const enum hv_status status = synic_hypercall(s, 0x5c, INPUT);
        cr_assert(status == HV_SUCCESS || status == HV_INSUFFICIENT_BUFFERS);
        n += status == HV_SUCCESS;
        if (status != HV_SUCCESS) {
            sched_yield();
        }
    }
    mem_reader_offline(&reader);
    mem_reader_unregister(&reader);
    return NULL;
}

/* As the specification has it: empty the slot, look at the flag, say so. */
static void *take_all(void *unused)
{
    uint8_t *slot = m.ram + PAGE + SINT * 256;
    uint32_t *type = (uint32_t *)(void *)slot;
    (void)unused;
    for (uint32_t n = 1; n <= COUNT; n++) {
        uint32_t got = 0;
        while ((got = __atomic_load_n(type, __ATOMIC_ACQUIRE)) == 0) {
            sched_yield();
        }
        cr_assert_eq(got, n);
        cr_assert_eq(get_le32(slot + 16), n * 3);
        __atomic_store_n(type, 0, __ATOMIC_RELAXED);
        /* As a guest's: QEMU's user-mode emulation of arm64 lets loads pass what is weaker. */
        atomic_thread_fence(memory_order_seq_cst);
        if ((__atomic_load_n(slot + 5, __ATOMIC_RELAXED) & 1) != 0) {
            eventfd_write(acked_fd, 1); /* EOM */
        }
    }
    done = true;
    return NULL;
}

Test(synic_threads, no_message_is_lost_doubled_or_left_behind)
{
    struct err e = ERR_INIT;
    struct kvm_hyperv_exit on = {.type = KVM_EXIT_HYPERV_SYNIC,
                                 .u.synic = {.control = 1, .msg_page = PAGE | 1}};
    pthread_t poster, guest;
    fake_kvm_init(&f);
    f.answer = answer;
    fake_machine_init(&m, 1);
    cr_assert_eq(irqchip_create(&chip, &f.kvm, &e), 0);
    msi_table_init(&table, &chip);
    s = synic_new(&f.kvm, &table, m.mem, m.loop, 1, &e);
    cr_assert_not_null(s, "%s", e.what);
    cr_assert_eq(s->hyperv.connect_messages(&s->hyperv, CONN, 0, SINT), 0);
    cr_assert(synic_exit(s, 0, &on));
    pthread_create(&guest, NULL, take_all, NULL);
    pthread_create(&poster, NULL, post_all, NULL);
    while (!done) {
        loop_poll(m.loop);
        sched_yield();
    }
    pthread_join(poster, NULL);
    pthread_join(guest, NULL);
    synic_free(s);
    msi_table_destroy(&table);
    fake_machine_free(&m);
}
