/*
 * pci-testdev: counts writes to a byte, with and without an eventfd behind it.
 *
 * Model: QEMU's pci-testdev (docs/specs/pci-testdev.rst, hw/misc/pci-testdev.c). BAR 0
 * is memory and BAR 1 ports, each with the same header of the test that runs:
 *
 *     0 test (write: start test n)   1 width   4 offset   8 data   c count   10 name
 *
 * A guest starts test n, writes `data` at `offset`, `width` bytes wide, some times, and
 * reads how many of them arrived. Test 0 counts each write; tests 1 and 2 put an
 * eventfd there, so that KVM counts: any value for 1, only `data` for 2. A BAR's own
 * tests are those three; starting another stops the one before, and the header is 0.
 * The writes reach the count also where KVM takes no eventfd. (QEMU's count leaves out
 * what its eventfd took; here it has all.) There is no interrupt, no BAR 2.
 *
 * Locking: the device's own; the topology's nests inside where an eventfd is put there.
 */
#include "devices/pci.h"
#include "src/base/le.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TEST = 0x00,
    WIDTH = 0x01,
    OFFSET = 0x04,
    DATA = 0x08,
    COUNT = 0x0c,
    NAME = 0x10,
};

#define NAME_MAX_SIZE 32 /* with the NUL */
#define HEADER_SIZE   (NAME + NAME_MAX_SIZE)

#define MEMORY_SIZE 4096 /* bytes of BAR 0; the second half is where the tests write */
#define PORTS_SIZE  256  /* of BAR 1, likewise */

enum {
    BLOCK_MEMORY,
    BLOCK_PORTS,
    BLOCKS,
};

enum {
    TEST_EXIT,
    TEST_EVENTFD,
    TEST_DATAMATCH,
    TESTS, /* in each BAR */
};

#define NO_TEST    UINT32_MAX
#define DATA_MATCH 0xfa
#define DATA_OTHER 0xce

struct pci_testdev {
    struct device dev;
    uint32_t block; /* of the test that runs */
    uint32_t test;  /* NO_TEST: none */
    uint32_t count; /* less what the eventfd still holds */
    int fd;         /* the eventfd; -1 before realize */
    struct posted_write doorbell;
    struct region *doorbell_region; /* NULL: there is none */
};

/* --- tests ------------------------------------------------------------------ */

static uint32_t test_offset(uint32_t block, uint32_t test)
{
    return block == BLOCK_MEMORY ? MEMORY_SIZE / 2 + test : PORTS_SIZE / 2 + TESTS + test;
}

static uint8_t test_data(uint32_t test)
{
    return test == TEST_EVENTFD ? DATA_OTHER : DATA_MATCH;
}

static void test_name(uint32_t block, uint32_t test, char name[NAME_MAX_SIZE])
{
    static const char *const what[TESTS] = {"no-eventfd", "wildcard-eventfd", "datamatch-eventfd"};

    snprintf(name, NAME_MAX_SIZE, "%s-%s", block == BLOCK_MEMORY ? "mmio" : "portio", what[test]);
}

/* Add to the count what KVM counted since the last time. */
static void collect(struct pci_testdev *t)
{
    eventfd_t writes;

    if (t->doorbell_region != NULL && eventfd_read(t->fd, &writes) == 0) {
        t->count += (uint32_t)writes;
    }
}

static void stop(struct pci_testdev *t)
{
    if (t->doorbell_region != NULL) {
        region_del_posted(t->doorbell_region, &t->doorbell);
        collect(t);
        t->doorbell_region = NULL;
    }
    t->test = NO_TEST;
}

static struct region *block_region(struct pci_testdev *t, uint32_t block)
{
    return &t->dev.regions[block].region;
}

/* Have KVM count the writes of the test that runs, if it wants that. */
static void put_doorbell(struct pci_testdev *t)
{
    if (t->test == TEST_EXIT) {
        return;
    }
    t->doorbell = (struct posted_write){
        .kind = POSTED_EVENTFD,
        .offset = test_offset(t->block, t->test),
        .size = 1,
        .match = t->test == TEST_DATAMATCH,
        .value = t->test == TEST_DATAMATCH ? DATA_MATCH : 0,
        .fd = t->fd,
    };
    t->doorbell_region = block_region(t, t->block);
    if (region_add_posted(t->doorbell_region, &t->doorbell) < 0) {
        region_del_posted(t->doorbell_region, &t->doorbell);
        t->doorbell_region = NULL; /* the writes come here instead */
    }
}

static void start(struct pci_testdev *t, uint32_t block, uint32_t test)
{
    stop(t);
    if (test >= TESTS) {
        return;
    }
    t->block = block;
    t->test = test;
    t->count = 0;
    put_doorbell(t);
}

/* --- registers --------------------------------------------------------------- */

static uint64_t header_read(struct device *d, uint32_t offset, unsigned size)
{
    struct pci_testdev *t = DEVICE_STATE(struct pci_testdev, d);
    uint8_t header[HEADER_SIZE] = {0};

    if (t->test == NO_TEST || offset >= HEADER_SIZE) {
        return 0;
    }
    collect(t);
    header[TEST] = (uint8_t)t->test;
    header[WIDTH] = 1;
    put_le32(header + OFFSET, test_offset(t->block, t->test));
    header[DATA] = test_data(t->test);
    put_le32(header + COUNT, t->count);
    test_name(t->block, t->test, (char *)header + NAME);
    return get_le_n(header + offset, size);
}

static void write_to(struct pci_testdev *t, uint32_t block, uint32_t offset, uint64_t value,
                     unsigned size)
{
    const bool any = t->test == TEST_EVENTFD;

    if (offset == TEST) {
        start(t, block, (uint8_t)value);
    } else if (t->test != NO_TEST && offset == test_offset(t->block, t->test) &&
               (any || (size == 1 && value == DATA_MATCH))) {
        t->count++;
    }
}

static void memory_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    write_to(DEVICE_STATE(struct pci_testdev, d), BLOCK_MEMORY, offset, value, size);
}

static void ports_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    write_to(DEVICE_STATE(struct pci_testdev, d), BLOCK_PORTS, offset, value, size);
}

#define HEADER_REGS                                                                                \
    {"test", TEST, 1, 1, REG_RW, 0, "write n: start test n of this BAR"},                          \
        {"width", WIDTH, 1, 1, REG_RO, 0, "bytes of a write; 0: there is no such test"},           \
        {"offset", OFFSET, 4, 1 | 2 | 4, REG_RO, 0, "where to write, from the start of the BAR"},  \
        {"data", DATA, 4, 1 | 2 | 4, REG_RO, 0, "what to write"},                                  \
        {"count", COUNT, 4, 1 | 2 | 4, REG_RO, 0, "writes that arrived since the start"},          \
    {                                                                                              \
        "name", NAME, NAME_MAX_SIZE, 1 | 2 | 4, REG_RO, 0, "of the test, ends with a NUL"          \
    }

static const struct reg memory_regs[] = {
    HEADER_REGS,
    {"target", MEMORY_SIZE / 2, MEMORY_SIZE / 2, 1 | 2 | 4, REG_RW, 0,
     "where the tests write; reads 0"},
};

static const struct reg ports_regs[] = {
    HEADER_REGS,
    {"target", PORTS_SIZE / 2, PORTS_SIZE / 2, 1 | 2 | 4, REG_RW, 0,
     "where the tests write; reads 0"},
};

static const struct reg_block pci_testdev_blocks[BLOCKS] = {
    [BLOCK_MEMORY] =
        {
            .name = "memory",
            .size = MEMORY_SIZE,
            .regs = TABLE(memory_regs),
            .read = header_read,
            .write = memory_write,
        },
    [BLOCK_PORTS] =
        {
            .name = "ports",
            .size = PORTS_SIZE,
            .regs = TABLE(ports_regs),
            .read = header_read,
            .write = ports_write,
        },
};

/* --- class -------------------------------------------------------------------- */

static int pci_testdev_realize(struct device *d, struct err *e)
{
    struct pci_testdev *t = DEVICE_STATE(struct pci_testdev, d);

    t->test = NO_TEST;
    t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return t->fd >= 0 ? 0
                      : err_set(e, errno, "%s: cannot make an eventfd, %s", d->id, strerror(errno));
}

static void pci_testdev_unrealize(struct device *d)
{
    struct pci_testdev *t = DEVICE_STATE(struct pci_testdev, d);

    stop(t);
    close(t->fd);
}

static void pci_testdev_reset(struct device *d)
{
    struct pci_testdev *t = DEVICE_STATE(struct pci_testdev, d);

    stop(t);
    t->block = 0;
    t->count = 0;
}

/* What the eventfd holds goes into the count, which is saved. */
static void pci_testdev_pause(struct device *d)
{
    device_lock(d);
    collect(DEVICE_STATE(struct pci_testdev, d));
    device_unlock(d);
}

static int pci_testdev_loaded(struct device *d, struct err *e)
{
    struct pci_testdev *t = DEVICE_STATE(struct pci_testdev, d);

    if (t->block >= BLOCKS || (t->test >= TESTS && t->test != NO_TEST)) {
        return err_set(e, EINVAL, "there is no test %u in BAR %u", t->test, t->block);
    }
    if (t->test != NO_TEST) {
        put_doorbell(t);
    }
    return 0;
}

static const struct field pci_testdev_fields[] = {
    FIELD(struct pci_testdev, block, 1),
    FIELD(struct pci_testdev, test, 1),
    FIELD(struct pci_testdev, count, 1),
};

static const struct pci_info pci_testdev_pci = {
    .vendor = 0x1b36,
    .device = 0x0005,
    .class_code = 0x00ff00,
    .bar[0] = {.kind = PCI_BAR_MEM32, .block = BLOCK_MEMORY},
    .bar[1] = {.kind = PCI_BAR_IO, .block = BLOCK_PORTS},
};

const struct device_class pci_testdev_class = {
    .name = "pci-testdev",
    .summary = "counts writes with and without an eventfd, in memory and at ports",
    .state_size = sizeof(struct pci_testdev),
    .blocks = TABLE(pci_testdev_blocks),
    .fields = TABLE(pci_testdev_fields),
    .version = 1,
    .pci = &pci_testdev_pci,
    .realize = pci_testdev_realize,
    .unrealize = pci_testdev_unrealize,
    .reset = pci_testdev_reset,
    .loaded = pci_testdev_loaded,
    .pause = pci_testdev_pause,
};
