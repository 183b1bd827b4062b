/*
 * edu: properties, reset and removal with work in flight, a BAR that comes and goes,
 * and accesses from several threads.
 */
#include "tests/unit/edu_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(edu_life, .init = edu_setup, .fini = edu_teardown);

/* --- set-up ----------------------------------------------------------- */

Test(edu_life, refuses_properties_out_of_range)
{
    static const struct {
        const char *name, *value;
        int error;
    } bad[] = {
        {"dma_mask", "0x10000000000000000", -ERANGE},
        {"dma_mask", "-1", -EINVAL},
        {"dma_mask", "", -EINVAL},
        {"dma_mask", "0xfffg", -EINVAL},
        {"dma_delay", "60001", -ERANGE},
        {"dma_delay", "4294967296", -ERANGE},
        {"dma_delay", "soon", -EINVAL},
        {"mask", "1", -ENOENT},
    };
    struct err e = ERR_INIT;
    struct device *d = device_new(device_class_find("edu", &e), "x", &machine.env, &e);
    cr_assert_not_null(d);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(device_set(d, bad[i].name, bad[i].value, &e), bad[i].error, "%s=%s",
                     bad[i].name, bad[i].value);
    }
    device_free(d);
}

Test(edu_life, says_why_it_has_no_worker)
{
    struct err e = ERR_INIT;
    struct device *d = device_new(device_class_find("edu", &e), "x", &machine.env, &e);
    struct rlimit old, none;
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    int ret = device_realize(d, &e);
    setrlimit(RLIMIT_NOFILE, &old);
    cr_expect_lt(ret, 0);
    cr_expect(e.what[0] != '\0' && e.hint[0] != '\0');
    device_free(d);
}

/* --- work in flight --------------------------------------------------- */

Test(edu_life, reset_ends_a_computation_without_result_or_interrupt)
{
    for (unsigned i = 0; i < 1000; i++) {
        put(STATUS, IRQ_AFTER);
        put(FACTORIAL, 7);
        device_reset(edu); /* before it is computed, or after */
        unsigned raises = slot->raises;
        put(STATUS, IRQ_AFTER);
        for (unsigned looks = i % 64; looks > 0; looks--) {
            cr_assert_eq(get(FACTORIAL), 0);
        }
        put(FACTORIAL, 3);
        cr_assert_eq(factorial_result(), 6);
        cr_assert_eq(slot->raises, raises + 1);
        put(IRQ_ACK, 1);
    }
}

Test(edu_life, a_computation_that_has_not_begun_ends_too)
{
    device_lock(edu);
    locked_write(STATUS, IRQ_AFTER);
    locked_write(FACTORIAL, 7);
    edu->cls->reset(edu);
    device_unlock(edu);
    put(FACTORIAL, 3);
    cr_expect_eq(factorial_result(), 6);
    cr_expect_eq(slot->raises, 0);
}

Test(edu_life, goes_away_in_mid_computation)
{
    for (unsigned i = 0; i < 100; i++) {
        put(STATUS, IRQ_AFTER);
        put(FACTORIAL, 33);
        edu_remake(NULL);
        cr_assert_eq(get(FACTORIAL), 0);
    }
}

Test(edu_life, work_goes_on_while_the_registers_are_not_to_be_seen)
{
    struct region *bar = &edu->regions[0].region;
    memset(machine.ram + 0x1000, 0x42, 16);
    for (unsigned i = 0; i < 200; i++) {
        put(STATUS, IRQ_AFTER);
        put(FACTORIAL, 6);
        dma_start(0x1000, BUFFER, 16, RUN | DMA_IRQ);
        cr_assert_eq(region_set_enabled(bar, false), 0);
        cr_assert_eq(get(STATUS), 0xffffffff);
        put(IRQ_RAISE, 2);
        pass(DELAY_NS);
        cr_assert_eq(region_set_enabled(bar, true), 0);
        cr_assert_eq(factorial_result(), 720);
        cr_assert_eq(get(DMA_CMD), DMA_IRQ);
        cr_assert_eq(get(IRQ_STATUS), 0x101);
        put(IRQ_ACK, 0x101);
        cr_assert_eq(slot->raised, 0);
    }
    cr_expect_eq(slot->raises, 400);
    cr_expect_eq(errors(), 0);
}

/* --- threads ---------------------------------------------------------- */

#define STEPS 20000

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

/* Guest code on a vCPU: any register, any value. */
static void *access_at_random(void *opaque)
{
    static const uint32_t regs[] = {ID,      LIVENESS, FACTORIAL, STATUS,    IRQ_STATUS, IRQ_RAISE,
                                    IRQ_ACK, DMA_SRC,  DMA_DST,   DMA_COUNT, DMA_CMD,    0x84};
    struct mem_reader reader;
    uint32_t x = *(const uint32_t *)opaque;
    mem_reader_register(&reader, machine.topo);
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t reg = regs[next_random(&x) % ARRAY_LEN(regs)];
        uint32_t value = next_random(&x) % 0x1000;
        mem_reader_online(&reader);
        if (next_random(&x) % 2 == 0) {
            put(reg, reg == DMA_SRC ? BUFFER + value % 64 : value);
        } else {
            get8(reg);
        }
        mem_reader_offline(&reader);
    }
    mem_reader_unregister(&reader);
    return NULL;
}

static void *toggle_decoding(void *opaque)
{
    (void)opaque;
    for (unsigned i = 0; i < STEPS / 20; i++) {
        cr_assert_eq(region_set_enabled(&edu->regions[0].region, i % 2 != 0), 0);
    }
    return NULL;
}

Test(edu_life, vcpus_main_loop_worker_and_resets_at_once)
{
    static const uint32_t seeds[] = {1, 77};
    pthread_t vcpus[2], toggler;
    edu_remake("dma_delay=1,dma_mask=0xfff");
    loop_set_topology(machine.loop, machine.topo);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&vcpus[i], NULL, access_at_random, (void *)&seeds[i]), 0);
    }
    cr_assert_eq(pthread_create(&toggler, NULL, toggle_decoding, NULL), 0);
    for (unsigned i = 0; i < STEPS / 10; i++) {
        pass(NS_PER_MS);
        if (i % 16 == 0) {
            device_reset(edu);
        }
    }
    pthread_join(vcpus[0], NULL);
    pthread_join(vcpus[1], NULL);
    pthread_join(toggler, NULL);
    cr_assert_eq(region_set_enabled(&edu->regions[0].region, true), 0);
    device_reset(edu);
    pass(NS_PER_MS);
    put(FACTORIAL, 5);
    cr_expect_eq(factorial_result(), 120);
    cr_expect_eq(get(STATUS), 0);
    cr_expect_eq(get(IRQ_STATUS), 0);
    cr_expect_eq(slot->raised, 0);
    loop_set_topology(machine.loop, NULL);
}

struct raiser {
    pthread_t thread;
    uint32_t reasons;
};

/* Each driver has a reason of its own and waits for no other's. */
static void *raise_and_acknowledge(void *opaque)
{
    const struct raiser *r = opaque;
    struct mem_reader reader;
    mem_reader_register(&reader, machine.topo);
    mem_reader_online(&reader);
    for (unsigned i = 0; i < STEPS; i++) {
        put(IRQ_RAISE, r->reasons);
        cr_assert_eq(get(IRQ_STATUS) & r->reasons, r->reasons);
        cr_assert_eq(slot->raised, 1, "mine is pending");
        put(IRQ_ACK, r->reasons);
        cr_assert_eq(get(IRQ_STATUS) & r->reasons, 0);
    }
    mem_reader_offline(&reader);
    mem_reader_unregister(&reader);
    return NULL;
}

Test(edu_life, no_reason_is_lost_between_two_vcpus)
{
    struct raiser r[] = {{.reasons = 0x0f0f}, {.reasons = 0xf0f0}};
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        cr_assert_eq(pthread_create(&r[i].thread, NULL, raise_and_acknowledge, &r[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        pthread_join(r[i].thread, NULL);
    }
    cr_expect_eq(get(IRQ_STATUS), 0);
    cr_expect_eq(slot->raised, 0);
    cr_expect_eq(slot->raises, 2 * STEPS);
}
