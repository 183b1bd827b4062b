/*
 * pcitest: drives edu and dma-engine from a Linux user space, without a driver, by polling.
 *
 * usage: pcitest [DMA_BITS]
 *
 * Tests every 1234:11e8 and 1234:3456 of /sys/bus/pci/devices that no driver has. DMA_BITS: how
 * long the addresses are that edu's dma_mask lets through (28). BAR 0 is the file resource0,
 * mapped. DMA needs the address of a page, which the kernel tells root in /proc/self/pagemap.
 * Prints a line for each check that fails and one with the count of each device; the exit status is
 * 1 when one failed, and 2 when there was no device. Source: the devices' data sheets
 * (docs/devices/edu.md, docs/devices/dma-engine.md).
 */
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u

enum { PCI_COMMAND = 0x04, PCI_COMMAND_MEMORY = 0x002, PCI_COMMAND_MASTER = 0x004 };
enum { PCI_COMMAND_INTX_OFF = 0x400 };

static const char *name; /* of the device that is tested */
static volatile uint8_t *regs;
static unsigned edu_dma_bits;
static unsigned checks, failures;

/* A page of memory that stays where it is, and its bus address; 0: not known. */
static uint8_t *page;
static uint64_t page_bus;

static void check(bool right, const char *what)
{
    checks++;
    if (!right) {
        failures++;
        printf("pcitest: %s: wrong: %s\n", name, what);
    }
}

static uint32_t read4(uint32_t offset)
{
    return *(volatile uint32_t *)(regs + offset);
}

static void write4(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(regs + offset) = value;
}

/* An 8-byte access is one instruction on every 64-bit machine this runs on. */
static uint64_t read8(uint32_t offset)
{
    return *(volatile uint64_t *)(regs + offset);
}

static void write8(uint32_t offset, uint64_t value)
{
    *(volatile uint64_t *)(regs + offset) = value;
}

/* Whether the bits of mask become all zero (or one of them one) within two seconds. */
static bool poll4(uint32_t offset, uint32_t mask, bool one)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (((read4(offset) & mask) != 0) == one) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static void fill(uint8_t *bytes, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 31 + seed);
    }
}

/* --- edu -------------------------------------------------------------- */

enum {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04,
    EDU_FACTORIAL = 0x08,
    EDU_STATUS = 0x20,
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA_SRC = 0x80,
    EDU_DMA_DST = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_CMD = 0x98,
    EDU_BUFFER = 0x40000,
};

static void edu_registers(void)
{
    static const uint32_t values[] = {0, 1, 0x12345678, 0x80000000, 0xffffffff};
    check(read4(EDU_ID) == 0x010000ed, "identification");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        write4(EDU_LIVENESS, values[i]);
        check(read4(EDU_LIVENESS) == ~values[i], "liveness");
    }
    check(read4(0x0c) == UINT32_MAX, "an unknown register reads all ones");
    check(read4(EDU_BUFFER) == UINT32_MAX, "the buffer is not in the BAR");
    check(read4(EDU_IRQ_RAISE) == UINT32_MAX, "a write-only register reads all ones");
    check(read8(EDU_ID) == UINT64_MAX, "a 4-byte register read as 8 bytes gives all ones");
    write4(EDU_STATUS, UINT32_MAX);
    check(read4(EDU_STATUS) == 0x80, "STATUS takes bit 7 only");
    write4(EDU_STATUS, 0);
}

static void edu_factorial(void)
{
    uint32_t factorial = 1;
    for (uint32_t n = 0; n <= 13; n++) { /* 13! does not fit and wraps, here as there */
        factorial *= n == 0 ? 1 : n;
        write4(EDU_FACTORIAL, n);
        check(poll4(EDU_STATUS, 1, false), "a factorial ends");
        check(read4(EDU_FACTORIAL) == factorial, "factorial");
    }
}

static void edu_interrupts(void)
{
    write4(EDU_IRQ_RAISE, 5);
    write4(EDU_IRQ_RAISE, 2);
    check(read4(EDU_IRQ_STATUS) == 7, "raises collect");
    write4(EDU_IRQ_ACK, 1);
    check(read4(EDU_IRQ_STATUS) == 6, "an acknowledge clears its bits");
    write4(EDU_IRQ_ACK, 6);
    check(read4(EDU_IRQ_STATUS) == 0, "all acknowledged");
}

/* wide: by 8-byte writes, else by 4-byte writes of the low halves. */
static bool edu_transfer(uint64_t src, uint64_t dst, uint32_t count, bool from_device, bool wide)
{
    if (wide) {
        write8(EDU_DMA_SRC, src);
        write8(EDU_DMA_DST, dst);
        write8(EDU_DMA_COUNT, count);
    } else {
        write4(EDU_DMA_SRC, (uint32_t)src);
        write4(EDU_DMA_DST, (uint32_t)dst);
        write4(EDU_DMA_COUNT, count);
    }
    write4(EDU_DMA_CMD, from_device ? 3 : 1);
    return poll4(EDU_DMA_CMD, 1, false);
}

static void edu_dma(void)
{
    const uint32_t half = PAGE / 2;
    if (page_bus == 0 || page_bus >> edu_dma_bits != 0) {
        printf("pcitest: %s: no page below 2^%u: DMA left out\n", name, edu_dma_bits);
        return;
    }
    for (unsigned wide = 0; wide <= 1; wide++) {
        fill(page, half, wide);
        memset(page + half, 0, half);
        check(edu_transfer(page_bus, EDU_BUFFER, half, false, wide), "DMA to the device ends");
        check(edu_transfer(EDU_BUFFER, page_bus + half, half, true, wide),
              "DMA from the device ends");
        check(memcmp(page, page + half, half) == 0, "DMA brings the bytes back");
    }
}

static void test_edu(void)
{
    edu_registers();
    edu_factorial();
    edu_interrupts();
    edu_dma();
}

/* --- dma-engine ------------------------------------------------------- */

enum {
    DMA_ID = 0x00,
    DMA_CAPS = 0x04,
    DMA_MAX_SIZE = 0x08,
    DMA_IRQ_STATUS = 0x0c,
    DMA_IRQ_ENABLE = 0x10,
    DMA_CHANNEL = 0x1000, /* of channel 0, and the stride of the others */
    DMA_SRC = 0x00,
    DMA_DST = 0x08,
    DMA_FLAGS = 0x10,
    DMA_SIZE = 0x14,
    DMA_START = 0x18,
    DMA_DONE = 0x1c,
    DMA_ERROR = 0x20,
    DMA_COPIED = 0x24,
};

#define DMA_FAILED 0x80000000u

/* Start a copy on the channel at base, and wait for its end. */
static void dma_start(uint32_t base, uint64_t src, uint64_t dst, uint32_t size, uint32_t flags)
{
    write8(base + DMA_SRC, src);
    write8(base + DMA_DST, dst);
    write4(base + DMA_FLAGS, flags);
    write4(base + DMA_SIZE, size);
    write4(base + DMA_START, 1);
    check(poll4(base + DMA_DONE, UINT32_MAX, true), "a copy ends");
    write4(base + DMA_FLAGS, 0);
}

static void dma_registers(void)
{
    const unsigned channels = read4(DMA_CAPS) & 0xff;
    check(read4(DMA_ID) == 0x34560100, "identification");
    check(channels >= 1 && channels <= 15, "one to 15 channels");
    check((read4(DMA_CAPS) & 0x300) == 0x300, "there are interrupt and error registers");
    write4(DMA_IRQ_ENABLE, 0);
    write4(DMA_IRQ_STATUS, UINT32_MAX);
    check(read4(DMA_IRQ_STATUS) == 0, "interrupt status is cleared by ones");
    check(read4(0x14) == UINT32_MAX, "an unknown register reads all ones");
    check(read8(DMA_ID) == UINT64_MAX, "a 4-byte register read as 8 bytes gives all ones");
    check(read4(DMA_CHANNEL + DMA_START) == 0, "START reads 0");
}

/* An address is two halves that can be written in any order. */
static void dma_halves(void)
{
    const uint32_t src = DMA_CHANNEL + DMA_SRC;
    write4(src, 0x55667788);
    write4(src + 4, 0x11223344);
    check(read8(src) == UINT64_C(0x1122334455667788), "low half, then high half");
    write4(src + 4, 0x99aabbcc);
    write4(src, 0xddeeff00);
    check(read8(src) == UINT64_C(0x99aabbccddeeff00), "high half, then low half");
    check(read4(src + 4) == 0x99aabbcc, "a half read alone");
}

static void dma_errors(uint32_t base)
{
    const struct {
        const char *what;
        uint64_t src, dst;
        uint32_t size, flags, error;
    } cases[] = {
        {"a size above the limit is error 1", 0, 0, UINT32_MAX, 0, 1},
        {"a source that wraps is error 2", UINT64_MAX - 7, 0x1000, 16, 0, 2},
        {"a destination that wraps is error 3", page_bus, UINT64_MAX - 7, 16, 0, 3},
        {"flags are error 5", 0x1000, 0x1000, 16, 1, 5},
        {"nothing to copy is no error", 0x1000, 0x1000, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].size > read4(DMA_MAX_SIZE) || cases[i].error != 1) {
            dma_start(base, cases[i].src, cases[i].dst, cases[i].size, cases[i].flags);
            check(read4(base + DMA_ERROR) == cases[i].error &&
                      read4(base + DMA_DONE) == (cases[i].error == 0 ? 1 : DMA_FAILED),
                  cases[i].what);
            check(read4(base + DMA_COPIED) == 0, "and nothing is copied");
        }
    }
}

static void dma_copy(uint32_t base, unsigned seed)
{
    const uint32_t half = PAGE / 2;
    if (page_bus == 0) {
        printf("pcitest: %s: no address of a page: copies left out\n", name);
        return;
    }
    fill(page, half, seed);
    memset(page + half, 0, half);
    dma_start(base, page_bus, page_bus + half, half, 0);
    check(read4(base + DMA_DONE) == 1 && read4(base + DMA_COPIED) == half, "a copy succeeds");
    check(memcmp(page, page + half, half) == 0, "a copy has the bytes");
}

static void test_dma(void)
{
    dma_registers();
    dma_halves();
    const unsigned channels = read4(DMA_CAPS) & 0xff;
    for (unsigned n = 0; n < channels && n < 15; n++) {
        dma_errors(DMA_CHANNEL * (n + 1));
        dma_copy(DMA_CHANNEL * (n + 1), n);
    }
}

/* --- finding devices -------------------------------------------------- */

static void find_page(void)
{
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    if (page == MAP_FAILED) {
        perror("pcitest: a page of memory");
        exit(1);
    }
    /* One 64-bit word a page: bit 63 is set where it is present, bits 54:0 are its frame. */
    uint64_t entry = 0;
    const int fd = open("/proc/self/pagemap", O_RDONLY);
    if (fd >= 0 && pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE * 8)) == 8 &&
        entry >> 63 != 0) {
        page_bus = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static unsigned long number_in(const char *folder, const char *file)
{
    char path[256], text[32] = "";
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(text, sizeof(text), f) == NULL) {
        fprintf(stderr, "pcitest: cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return strtoul(text, NULL, 0);
}

/* Switch on the registers and DMA; with no driver there is nobody to answer INTx. */
static bool enable(const char *folder)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/config", folder);
    const int fd = open(path, O_RDWR);
    uint16_t command;
    bool done = false;
    if (fd >= 0 && pread(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command)) {
        command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF;
        done = pwrite(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command);
    }
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

static void test_device(const char *folder, void (*test)(void))
{
    char path[256];
    struct stat st;
    name = strrchr(folder, '/') + 1;
    snprintf(path, sizeof(path), "%s/driver", folder);
    if (lstat(path, &st) == 0) {
        printf("pcitest: %s has a driver: left alone\n", name);
        return;
    }
    snprintf(path, sizeof(path), "%s/resource0", folder);
    const int fd = open(path, O_RDWR | O_SYNC);
    if (fd < 0 || fstat(fd, &st) != 0 || !enable(folder)) {
        perror(path);
        exit(1);
    }
    regs = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (regs == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    const unsigned checks_before = checks, failures_before = failures;
    test();
    printf("pcitest: %s: %u checks, %u failed\n", name, checks - checks_before,
           failures - failures_before);
    munmap((void *)(uintptr_t)regs, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    glob_t found;
    edu_dma_bits = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 28;
    if (glob("/sys/bus/pci/devices/*", 0, NULL, &found) != 0) {
        fputs("pcitest: there is no PCI bus\n", stderr);
        return 2;
    }
    find_page();
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *folder = found.gl_pathv[i];
        if (number_in(folder, "vendor") != 0x1234) {
            continue;
        }
        const unsigned long device = number_in(folder, "device");
        if (device == 0x11e8) {
            test_device(folder, test_edu);
        } else if (device == 0x3456) {
            test_device(folder, test_dma);
        }
    }
    globfree(&found);
    if (checks == 0) {
        fputs("pcitest: no device to test\n", stderr);
        return 2;
    }
    return failures != 0;
}
