/*
 * Fakes for unit tests: a clock driven by hand, interrupt lines that remember,
 * a character back end in memory, and a small machine around them that gives
 * devices their struct device_env. No KVM, no terminal, no root.
 *
 * A typical test of a device:
 *
 *     struct fake_machine m;
 *     fake_machine_init(&m, 1);
 *     struct device *d = fake_device(&m, "rtc-cmos", NULL);
 *     fake_write(m.io, 0x70, 0x0a, 1);
 *     cr_assert_eq(fake_read(m.io, 0x71, 1), 0x26);
 *     device_free(d);
 *     fake_machine_free(&m);
 *
 * A fake that cannot be made fails the test (Criterion).
 */
#ifndef TESTS_FAKES_H
#define TESTS_FAKES_H

#include "src/clock.h"
#include "src/console/backend.h"
#include "src/device.h"
#include "src/loop.h"
#include "src/mem/aspace.h"
#include "src/mem/region.h"
#include "src/mem/topology.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- clock ------------------------------------------------------------ */

/* Starts at 1 s of monotonic time and 2024-02-29 12:34:56 UTC. */
#define FAKE_START_NS          NS_PER_SEC
#define FAKE_START_REALTIME_NS (1709210096ULL * NS_PER_SEC)

struct fake_clock {
    struct clock clock;
    _Atomic uint64_t ns;
    _Atomic uint64_t realtime_ns;
};

void fake_clock_init(struct fake_clock *c);
/* Move both times forward. Timers fire at the next loop_poll(). */
void fake_clock_advance(struct fake_clock *c, uint64_t ns);

/* --- interrupts ------------------------------------------------------- */

#define FAKE_GSIS 64

struct fake_irqs {
    _Atomic bool level[FAKE_GSIS];
    _Atomic unsigned raised[FAKE_GSIS]; /* times a level line went from low to high */
    _Atomic unsigned calls[FAKE_GSIS];  /* times a level line was driven at all */
    _Atomic unsigned pulses[FAKE_GSIS]; /* of edge sources */
    _Atomic int edges_out;              /* edge sources taken and not given back */
};

/* Message sources: what was set last, and how often it was sent (edge pulses are counted here too).
 */
#define FAKE_MSIS 64

struct fake_msi {
    _Atomic bool taken;
    _Atomic uint32_t requester;
    _Atomic uint64_t address;
    _Atomic uint32_t data;
    _Atomic unsigned sets;
    _Atomic unsigned sent;
};

/* A line that remembers in f, outside any machine. */
struct irq fake_irq(struct fake_irqs *f, unsigned gsi);

/* --- character back end ----------------------------------------------- */

struct fake_chardev {
    struct chardev chardev; /* pass &fake.chardev where a chardev is wanted */
    const struct chardev_frontend *frontend;
    uint8_t out[65536]; /* what the front end wrote */
    size_t out_len;
    size_t room; /* how many more bytes chardev_write() takes; SIZE_MAX at first */
    bool short_write;
    const uint8_t *in; /* fed and not yet received; borrowed */
    size_t in_len;
    unsigned accepts; /* calls of chardev_accept_input() */
    unsigned flushes;
};

void fake_chardev_init(struct fake_chardev *c);
/*
 * Offer input; the front end receives what it has room for, the rest stays
 * (data is borrowed until then) for fake_chardev_pump().
 */
void fake_chardev_feed(struct fake_chardev *c, const void *data, size_t len);
/* Deliver waiting input for as long as the front end has room. Returns how many bytes still wait.
 * Called by the test, as the loop would: chardev_accept_input() alone delivers nothing. */
size_t fake_chardev_pump(struct fake_chardev *c);
/* Let the reader take n more bytes; tells the front end if it had been cut short. */
void fake_chardev_set_room(struct fake_chardev *c, size_t n);

/* --- bus -------------------------------------------------------------- */

/*
 * A bus for a device whose class has pci or compatible, and is not at ports: its block 0 is at
 * FAKE_SLOT_GPA(n), n counting the devices, and what it does is remembered in
 * fake_machine.slots[n].
 */
#define FAKE_SLOTS       4
#define FAKE_SLOT_GPA(n) (0xd0000000ULL + (n)*0x1000000ULL)

struct fake_slot {
    _Atomic bool no_dma; /* set by a test: bus mastering is off */
    _Atomic uint32_t raised;
    _Atomic unsigned raises; /* calls of device_raise(), as messages would be sent */
    _Atomic unsigned lowers;
};

/* --- machine ---------------------------------------------------------- */

#define FAKE_EVENTS_MAX 16

struct fake_machine {
    struct device_env env; /* for device_new() */
    struct topology *topo;
    struct aspace *mem, *io;
    struct region mem_root, io_root; /* all 2^64 bytes, all 64 Ki ports */
    struct region ram_region;
    uint8_t *ram; /* at guest-physical 0; host heap memory, so that ASan sees overruns */
    uint64_t ram_size;
    struct loop *loop; /* turn it with loop_poll() */
    struct fake_clock clock;
    struct fake_irqs irqs;
    struct fake_msi msis[FAKE_MSIS];
    struct fake_slot slots[FAKE_SLOTS];
    unsigned slot_count;
    struct fake_chardev console;
    struct {
        enum machine_event event;
        int value;
    } events[FAKE_EVENTS_MAX]; /* the first ones reported */
    unsigned event_count;
};

/* ram_mib MiB of zeroed RAM at 0 (0: none). */
void fake_machine_init(struct fake_machine *m, unsigned ram_mib);
/* Its devices must have been freed. */
void fake_machine_free(struct fake_machine *m);

/*
 * Make and realize a device of a registered class. props: "key=value,..." as
 * after --device NAME, or NULL. One of a bus gets the next fake slot. Free with device_free().
 */
struct device *fake_device(struct fake_machine *m, const char *name, const char *props);
/* The same for a class that is not registered. */
struct device *fake_device_of(struct fake_machine *m, const struct device_class *cls,
                              const char *props);

/* Only make it, with its properties set: for a test that plugs it in and realizes it. */
struct device *fake_device_new(struct fake_machine *m, const struct device_class *cls,
                               const char *props);

/* device_raise() and device_lower(), with the device's lock. */
void fake_raise(struct device *d, unsigned vector);
void fake_lower(struct device *d, unsigned vector);

/* Byte i of a text in which a lost, doubled or swapped byte shows. */
static inline uint8_t fake_pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}
void fake_fill_pattern(uint8_t *bytes, size_t len);

/* Guest accesses of 1, 2, 4 or 8 bytes, little-endian. */
uint64_t fake_read(struct aspace *as, uint64_t addr, unsigned size);
void fake_write(struct aspace *as, uint64_t addr, uint64_t value, unsigned size);

#endif
