/*
 * The line to vmm: a serial terminal in raw mode, frames in and out, until there is a
 * window (window.h).
 */
#include "guest-images/exec-init/init.h"

#include <linux/reboot.h>

static uint8_t tx_bytes[4 * FRAME_MAX];
static struct ring tx = {.data = tx_bytes, .size = sizeof(tx_bytes)};
static struct frame_reader rx;
static int line = -1;
static bool window_on; /* frames go through it; a byte on the line is a bell */

/* --- ends --------------------------------------------------------------- */

void power_off(void)
{
    sys_sync();
    sys_reboot(LINUX_REBOOT_CMD_POWER_OFF);
    for (;;) { /* no power switch */
        sys_reboot(LINUX_REBOOT_CMD_HALT);
    }
}

static void describe(struct text *t, const char *what, const char *name, long error)
{
    text_add(t, what);
    text_add(t, name);
    if (error < 0) {
        text_add(t, ": error ");
        text_add_number(t, (unsigned long)-error);
    }
}

void give_up(const char *what, const char *name, long error)
{
    struct text t = {0};
    const long log = sys_open("/dev/kmsg", O_WRONLY);

    text_add(&t, "<0>vmm exec: "); /* loud enough for a quiet kernel */
    describe(&t, what, name, error);
    text_add(&t, "\n");
    sys_write(log, t.bytes, t.len);
    power_off();
}

void fail(const char *what, const char *name, long error)
{
    struct text t = {0};

    describe(&t, what, name, error);
    line_send(FRAME_FAILED, 0, t.bytes, t.len);
    line_drain();
    power_off();
}

/* --- out ------------------------------------------------------------------- */

bool line_has_room(void)
{
    /* One more for credit and the like, which does not ask. */
    return ring_room(&tx) >= 2 * FRAME_MAX;
}

static void ring_bell(void)
{
    sys_write(line, "", 1); /* where there is no room for it, one is on its way */
}

static void write_line(void)
{
    size_t len;
    const uint8_t *data = ring_piece(&tx, &len);
    const long n = len > 0 ? sys_write(line, data, len) : 0;

    if (n > 0) {
        ring_drop(&tx, (size_t)n);
    } else if (n < 0 && n != -EAGAIN && n != -EINTR) {
        give_up("cannot write to the serial line", "", n);
    }
}

static void write_some(void)
{
    bool ring = false;

    if (!window_on) {
        write_line();
        return;
    }
    window_put(&tx, &ring);
    if (ring) {
        ring_bell();
    }
}

/* Wait until the other side has taken something. */
static void wait_for_room(void)
{
    struct pollfd p = {.fd = line, .events = window_on ? POLLIN : POLLOUT};
    uint8_t bells[64];

    sys_poll(&p, 1, true);
    if (window_on) {
        sys_read(line, bells, sizeof(bells));
    }
    write_some();
}

void line_send(enum frame_type type, enum frame_stream stream, const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER];
    const struct frame_piece piece = {data, len};

    frame_header(header, type, stream, &piece, 1);
    while (ring_room(&tx) < sizeof(header) + len) {
        wait_for_room();
    }
    ring_put(&tx, header, sizeof(header));
    ring_put(&tx, data, len);
    if (window_on) {
        write_some();
    }
}

void line_send_u32(enum frame_type type, enum frame_stream stream, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};

    line_send(type, stream, bytes, sizeof(bytes));
}

void line_drain(void)
{
    write_some();
    while (tx.count > 0) {
        wait_for_room();
    }
    sys_ioctl(line, TCSBRK, (const void *)1); /* tcdrain(3) */
}

/* --- in --------------------------------------------------------------------- */

static void parse(const uint8_t *data, size_t len)
{
    for (;;) {
        const enum frame_state state = frame_read(&rx, &data, &len);

        if (state == FRAME_BAD) {
            fail("what came from vmm is no frame", "", 0);
        }
        if (state == FRAME_MORE) {
            return;
        }
        if (frame_type(&rx) == FRAME_WINDOW) {
            window_on = true;
        } else {
            streams_take(&rx);
        }
    }
}

/* 0: there is nothing in the window. */
static size_t take_window(void)
{
    uint8_t bytes[FRAME_MAX];
    bool ring = false;
    const size_t len = window_take(bytes, sizeof(bytes), &ring);

    if (ring) {
        ring_bell();
    }
    parse(bytes, len);
    return len;
}

bool line_prepare(struct pollfd *p)
{
    p->fd = line;
    p->events = POLLIN;
    if (window_on) {
        write_some();
        return take_window() > 0;
    }
    p->events |= tx.count > 0 ? POLLOUT : 0;
    return false;
}

void line_ready(const struct pollfd *p)
{
    uint8_t bytes[FRAME_MAX];

    if (p->revents & POLLOUT) {
        write_some();
    }
    if (!(p->revents & POLLIN)) {
        return;
    }
    const long n = sys_read(line, bytes, sizeof(bytes));
    if (n > 0 && !window_on) {
        parse(bytes, (size_t)n);
    }
}

/* --- set-up -------------------------------------------------------------------- */

/* No echo, no signals, no translation: each byte as it is. */
static void make_raw(long fd)
{
    struct termios mode = {0};

    mode.c_cflag = B115200 | CS8 | CREAD | CLOCAL;
    mode.c_cc[VMIN] = 1;
    const long ret = sys_ioctl(fd, TCSETS, &mode);
    if (ret < 0) {
        give_up("cannot set the serial line up", "", ret);
    }
}

/* Offer a window, and wait for the answer. */
static void offer_window(void)
{
    uint8_t payload[FRAME_PAYLOAD_MAX];
    size_t len;

    if (!window_make(payload, &len)) {
        return;
    }
    line_send(FRAME_WINDOW, 0, payload, len);
    while (!window_on) {
        struct pollfd p;

        line_prepare(&p);
        sys_poll(&p, 1, true);
        line_ready(&p);
    }
}

void line_open(const char *path)
{
    const long fd = sys_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        give_up("the kernel has no serial line ", path, fd);
    }
    make_raw(fd);
    line = (int)fd;
    line_send_u32(FRAME_HELLO, 0, EXEC_PROTOCOL);
    offer_window();
}
