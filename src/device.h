/*
 * Devices. A device is one file: a register table, a state struct, a class and
 * one line in the registry (src/registry.c). This header is all it needs.
 *
 * The core makes the instance, sets its properties, checks every guest access
 * against the register table, and holds the device's lock around callbacks.
 *
 * Locking: realize, unrealize run on the main thread; reset and register
 * callbacks run with the device's lock held (device.guard), from any thread.
 * A device's own timers, bottom halves and descriptors take the lock
 * themselves (device_lock/unlock).
 */
#ifndef DEVICE_H
#define DEVICE_H

#include "src/base/err.h"
#include "src/base/log.h"
#include "src/base/opts.h"
#include "src/irq.h"
#include "src/loop.h"
#include "src/mem/aspace.h"
#include "src/mem/region.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

struct device;
struct chardev;
struct hyperv;

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Initialises two members at once: a table, and after it the number of its elements. So
 * ".props = TABLE(edu_props)" sets props and prop_count.
 */
#define TABLE(a) (a), ARRAY_LEN(a)

/* What a guest can ask of the machine through a device. */
enum machine_event {
    MACHINE_READY, /* what comes before a snapshot is over (--snapshot-save) */
    MACHINE_POWEROFF,
    MACHINE_REBOOT,
    MACHINE_SLEEP,      /* ACPI S3: nothing runs until MACHINE_WAKE, RAM stays */
    MACHINE_WAKE,       /* all but RAM is reset, the guest goes on at its waking vector */
    MACHINE_PANIC,      /* pvpanic: the kernel panicked */
    MACHINE_DEBUG_EXIT, /* value: the exit status, 0..255 */
};

/*
 * What a machine gives its devices. Tests fill one with fakes. Borrowed by all
 * devices; outlives them.
 */
struct device_env {
    struct topology *topo;
    struct aspace *mem; /* guest-physical memory: DMA goes here */
    struct region *mem_root;
    struct aspace *io; /* x86 ports; NULL where there are none */
    struct region *io_root;
    struct loop *loop; /* the main loop */
    struct clock *clock;
    struct chardev *console; /* what the first UART is wired to */
    struct chardev *channel; /* and one that has `channel` on; NULL: there is none */
    uint64_t low_ram;        /* bytes of RAM below 4 GiB (CMOS tells the guest) */
    uint64_t high_ram;       /* bytes of RAM at and above 4 GiB */
    unsigned cpus;           /* vCPUs */
    struct hyperv *hyperv;   /* src/hyperv.h; NULL: the guest's CPUs have no such interface */
    /* Interrupt line by GSI; n out of range gives a line that does nothing. */
    struct irq (*irq)(void *opaque, unsigned gsi);
    /* An edge source by GSI, through irqfd where the machine has it. 0 or -errno; release with
     * irq_edge_put. */
    int (*irq_edge_get)(void *opaque, unsigned gsi, struct irq_edge *out, struct err *e);
    void (*irq_edge_put)(void *opaque, unsigned gsi, struct irq_edge *edge);
    /*
     * A source of a level line that several sources may share; at the guest's end of interrupt the
     * line is sampled again. 0 or -errno. It lasts as long as the machine.
     */
    int (*irq_level_get)(void *opaque, unsigned gsi, struct irq *out, struct err *e);
    /*
     * A message source, silent until msi_set gave it a message. requester: who sends, bus << 8 |
     * slot << 3 | function, by which some interrupt controllers tell messages apart. 0 or -errno;
     * release with msi_put.
     */
    int (*msi_get)(void *opaque, uint32_t requester, struct irq_msi *out, struct err *e);
    /* What to send from now on. -EINVAL: no interrupt controller listens at address; it is silent.
     */
    int (*msi_set)(void *opaque, struct irq_msi *msi, uint64_t address, uint32_t data);
    void (*msi_put)(void *opaque, struct irq_msi *msi);
    /*
     * Carry out coalesced writes that wait (POSTED_COALESCED). On the main loop, with no device
     * lock held. NULL: there never are any.
     */
    void (*drain_posted)(void *opaque);
    /* Report an event; returns at once, the machine acts on its own thread. */
    void (*event)(void *opaque, enum machine_event event, int value);
    void *opaque;
};

/* --- properties ------------------------------------------------------- */

enum prop_type {
    PROP_BOOL,   /* bool */
    PROP_U32,    /* uint32_t */
    PROP_U64,    /* uint64_t */
    PROP_SIZE,   /* uint64_t, with K M G T */
    PROP_STRING, /* char *, owned by the device */
};

struct prop {
    const char *name;
    enum prop_type type;
    size_t offset;     /* in the state struct */
    const char *value; /* default, as a user would type it; NULL: zero or no string */
    uint64_t min, max; /* for numbers; both 0: no limit */
    const char *meaning;
};

#define PROP(state, field, ptype, def, lo, hi, text)                                               \
    {                                                                                              \
        .name = #field, .type = (ptype), .offset = offsetof(state, field), .value = (def),         \
        .min = (lo), .max = (hi), .meaning = (text)                                                \
    }

/* --- registers -------------------------------------------------------- */

enum reg_access {
    REG_RO = 1,
    REG_WO = 2,
    REG_RW = 3,
};

/*
 * One register, or a run of bytes (a buffer). widths: OR of the access sizes
 * the guest may use (1|2|4|8). An access fits if its size is one of them, it
 * lies wholly inside, and it starts at a multiple of its size from the start;
 * so a 4-byte register of widths 1|4 is also four bytes. With REG_AT_START
 * among the widths only the register's first byte can be the access's, with
 * REG_ANYWHERE any byte can be, also one that is no multiple of its size. A wider
 * access than the table allows is refused, never split over neighbours. Two
 * entries may share bytes if one is RO and the other WO.
 */
#define REG_AT_START 0x80
#define REG_ANYWHERE 0x40
struct reg {
    const char *name;
    uint32_t offset;
    uint32_t length; /* bytes */
    uint8_t widths;  /* and REG_AT_START or REG_ANYWHERE */
    enum reg_access access;
    uint64_t reset; /* value after reset */
    const char *meaning;
};

/*
 * A block of registers that becomes one region. Accesses the table does not
 * allow never reach the callbacks: writes are dropped, reads give all ones (or
 * 0), and both are counted (device.guest_errors) and traced.
 */
struct reg_block {
    const char *name;
    uint64_t size; /* bytes of the region */
    const struct reg *regs;
    size_t count;
    bool misfit_reads_zero; /* else all ones */
    /* The registers from repeat_from on, all within stride bytes, are there `repeats` times, each
     * time stride bytes further. 0: nothing repeats. */
    uint32_t repeat_from, stride, repeats;
    /* offset is within the block; only widths the table allows arrive. */
    uint64_t (*read)(struct device *d, uint32_t offset, unsigned size);
    void (*write)(struct device *d, uint32_t offset, uint64_t value, unsigned size);
};

/* --- saved state ------------------------------------------------------ */

/* A field of the state struct that a snapshot keeps: count elements of size bytes. */
struct field {
    const char *name;
    size_t offset;
    uint32_t size;
    uint32_t count;
    size_t stride;  /* bytes from one element to the next */
    uint32_t since; /* class version that introduced it */
    bool boolean;   /* of type bool, where only 0 and 1 are values */
};

#define FIELD_IS_BOOL(value) _Generic((value), bool : true, default : false)

#define FIELD(state, member, ver)                                                                  \
    {                                                                                              \
        .name = #member, .offset = offsetof(state, member), .size = sizeof(((state *)0)->member),  \
        .count = 1, .stride = sizeof(((state *)0)->member), .since = (ver),                        \
        .boolean = FIELD_IS_BOOL(((state *)0)->member)                                             \
    }
#define FIELD_ARRAY(state, member, ver)                                                            \
    {                                                                                              \
        .name = #member, .offset = offsetof(state, member),                                        \
        .size = sizeof(((state *)0)->member[0]), .count = ARRAY_LEN(((state *)0)->member),         \
        .stride = sizeof(((state *)0)->member[0]), .since = (ver)                                  \
    }
/* A member of each struct of an array. */
#define FIELD_EACH(state, array, member, ver)                                                      \
    {                                                                                              \
        .name = #array "." #member, .offset = offsetof(state, array[0].member),                    \
        .size = sizeof(((state *)0)->array[0].member), .count = ARRAY_LEN(((state *)0)->array),    \
        .stride = sizeof(((state *)0)->array[0]), .since = (ver),                                  \
        .boolean = FIELD_IS_BOOL(((state *)0)->array[0].member)                                    \
    }

/* --- buses ------------------------------------------------------------ */

/*
 * What a device is plugged into: PCI (devices/pci.h) or, as a platform device, the memory map
 * itself (devices/platform.h). It shows the device's register blocks to the guest, carries its
 * interrupts, and says whether it may reach memory; so one device file serves both. src/machine.c
 * plugs a device in before it is realized. The state of a plug is device.slot.
 */
struct device_bus {
    const char *name; /* for --device NAME,bus= */
    /* Make the blocks ready to be mapped; before the class's realize. On failure unplug follows. */
    int (*realize)(struct device *d, struct err *e);
    /* Undo all of it and free device.slot; after the class's unrealize. */
    void (*unplug)(struct device *d);
    /* With the device's lock held, before the class's reset. */
    void (*reset)(struct device *d);
    void (*raise)(struct device *d, unsigned vector);
    void (*lower)(struct device *d, unsigned vector);
    bool (*may_dma)(const struct device *d);
    const struct field *fields; /* of what device.slot points to */
    size_t field_count;
    uint32_t version;
    /* As in a class; they come before the class's. */
    int (*loaded)(struct device *d, struct err *e);
    void (*resume)(struct device *d);
};

/*
 * A device's interrupts, on whatever bus. With the device's lock held, any thread. Where there is
 * one line, it is high while any vector is raised; where messages are in use, each device_raise()
 * sends the vector's message, also when it is raised already. Where one message serves all vectors,
 * lowering one of several sends it again for the others.
 */
#define DEVICE_VECTORS_MAX 32
void device_raise(struct device *d, unsigned vector);
void device_lower(struct device *d, unsigned vector);

/*
 * A device's accesses to guest memory: as dma.h, but -EACCES where its bus does not let it (PCI:
 * bus mastering is off). The thread is an online mem_reader.
 */
int device_dma_read(struct device *d, uint64_t gpa, void *buf, size_t len);
int device_dma_write(struct device *d, uint64_t gpa, const void *buf, size_t len);
int device_dma_map(struct device *d, uint64_t gpa, uint64_t len, bool write, struct iovec *iov,
                   int max);

/* --- faults -------------------------------------------------------------- */

/*
 * Faults that a test makes a device have. They are looked for where the device meets the guest's
 * accesses, guest memory and its back end; a device without any costs a load and a branch there.
 */
enum device_fault_kind {
    DEVICE_FAULT_READ,  /* a register's read; offset: in its block */
    DEVICE_FAULT_WRITE, /* a register's write */
    DEVICE_FAULT_DMA,   /* an access to guest memory; offset: its address */
    DEVICE_FAULT_IO,    /* a request to a back end; offset: byte of the disk */
};

struct device_fault {
    enum device_fault_kind kind;
    bool any_offset;
    uint64_t offset;
    uint64_t after; /* let so many pass first */
    uint64_t times; /* then fail so many */
};

/* One more fault. The vCPUs are paused. -ENOSPC: it has 8; -ENOMEM. */
int device_fault_add(struct device *d, const struct device_fault *f, struct err *e);
/* None any more; how often they struck stays. The vCPUs are paused. */
void device_fault_clear(struct device *d);
uint64_t device_fault_count(const struct device *d);

/* Is this one to fail? Counts it. Any thread. */
struct device_faults;
bool device_fault_strikes(struct device_faults *faults, enum device_fault_kind kind,
                          uint64_t offset);

/* --- classes and instances -------------------------------------------- */

struct pci_info;

struct device_class {
    const char *name;
    const char *summary;
    size_t state_size; /* the state struct begins with a struct device */
    const struct prop *props;
    size_t prop_count;
    const struct reg_block *blocks;
    size_t block_count;
    const struct field *fields;
    size_t field_count;
    uint32_t version; /* of the fields */
    bool internal;    /* made by the board; not offered to --device */
    bool lock_free;   /* callbacks are safe without the device's lock */
    bool virtio;      /* sits in a virtio-mmio slot: properties addr and gsi are the board's */
    const struct pci_info *pci; /* it can be a PCI function (devices/pci.h) */
    /* It can be a platform device: block 0 in the memory map, known to guests by this name
     * ("vmm,edu"). */
    const char *compatible;
    bool isa; /* without a bus it is at I/O ports, where its realize puts it; so on a PC */
    /* Claim resources, map regions. On failure undo what was done; unrealize is not called. */
    int (*realize)(struct device *d, struct err *e);
    void (*unrealize)(struct device *d);
    /* Back to power-on state. Called after realize and at every machine reset. */
    void (*reset)(struct device *d);
    /*
     * The fields have been read from a snapshot, and no vCPU runs. A file may say anything: judge
     * what could lead out of bounds, and bring up to date what follows from the fields (lines,
     * timers, addresses in guest memory). With the device's lock held. -EINVAL with e set.
     */
    int (*loaded)(struct device *d, struct err *e);
    /*
     * For classes that work on a thread of their own: come to rest, with all there is to save in
     * the fields; and go on, also after loaded. On the main thread, without the lock, while no vCPU
     * runs.
     */
    void (*pause)(struct device *d);
    void (*resume)(struct device *d);
};

#define DEVICE_ID_MAX      32
#define DEVICE_REGIONS_MAX 8

/* One mapped register block. The check of an access is one look-up. */
struct device_region {
    struct region region;
    struct device *dev;
    const struct reg_block *block;
    /* For each byte 0..span-1 the sizes of reads that may begin there; then the same for writes. */
    uint8_t *sizes;
    uint32_t span; /* the last register ends here */
};

struct device {
    const struct device_class *cls;
    const struct device_env *env;
    char id[DEVICE_ID_MAX];
    struct io_guard guard;
    struct guest_errors guest_errors;
    _Atomic(struct device_faults *) faults; /* NULL: never had one */
    struct device_region regions[DEVICE_REGIONS_MAX];
    size_t region_count;
    bool realized;
    const struct device_bus *bus; /* NULL: the class maps its blocks itself */
    void *slot;                   /* the bus's */
    struct {                      /* where the user wants it; only of classes that a bus takes */
        char *bus;                /* name; NULL: the first that takes the class */
        uint32_t addr;            /* PCI slot; 0: the first free one */
    } place;
    struct device *next; /* in the machine's list */
};

static inline bool device_faulty(struct device *d, enum device_fault_kind kind, uint64_t offset)
{
    struct device_faults *f = atomic_load_explicit(&d->faults, memory_order_acquire);
    return __builtin_expect(f != NULL, 0) && device_fault_strikes(f, kind, offset);
}

/* From a struct device to the state struct that begins with it. */
#define DEVICE_STATE(type, d) ((type *)(void *)(d))

/*
 * Make an instance (zeroed, properties at their defaults), not yet realized.
 * id: copied and cut. NULL with e set on failure.
 */
struct device *device_new(const struct device_class *cls, const char *id,
                          const struct device_env *env, struct err *e);

/*
 * Set one property from text, before device_realize(); value NULL is a bare
 * flag (bool: on). -ENOENT (unknown; the hint names the nearest), -EINVAL,
 * -ERANGE, -ENOMEM.
 */
int device_set(struct device *d, const char *prop, const char *value, struct err *e);

/* realize + reset. */
int device_realize(struct device *d, struct err *e);
void device_reset(struct device *d);
/* The same with the device's lock held: a guest can reset a device alone. */
void device_reset_locked(struct device *d);

/* unrealize if realized, unmap its regions, free strings and the instance. NULL is allowed. */
void device_free(struct device *d);

/*
 * Map register block number n of the class into parent at offset, as region
 * "<id>.<block>", returned through out (may be NULL). For realize; device_free()
 * takes it out again. parent NULL, as io_root is where there are no ports: -ENODEV.
 */
int device_map_block(struct device *d, size_t n, struct region *parent, uint64_t offset,
                     struct region **out, struct err *e);
/* The same without a place yet: the caller adds the region to a parent. */
int device_make_block(struct device *d, size_t n, struct region **out, struct err *e);

void device_lock(struct device *d);
void device_unlock(struct device *d);

/* Property number i of a class, its own first, then those of its buses; NULL after the last. */
const struct prop *device_prop(const struct device_class *cls, size_t i);

/* Does the register table allow a read (or write) of size bytes (1, 2, 4 or 8) at offset? */
bool device_access_fits(const struct device_region *r, uint64_t offset, unsigned size, bool write);

/* Texts for `--device NAME,help` (properties, then registers) and `--device help`. */
void device_class_help(const struct device_class *cls, FILE *out);
void device_list_help(FILE *out);

/* --- registry (src/registry.c) ---------------------------------------- */

/* All classes, an explicit list in one order, NULL-terminated. */
extern const struct device_class *const device_classes[];

/* By name, internal ones too; NULL with e set (hint: the nearest name) if there is none. */
const struct device_class *device_class_find(const char *name, struct err *e);

#endif
