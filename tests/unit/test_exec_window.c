/*
 * The window to an --exec guest: frames through guest memory, and addresses and
 * indexes that cannot be.
 */
#include "src/base/le.h"
#include "src/exec/channel.h"
#include "src/exec/window.h"
#include "tests/unit/session_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(exec_window, .init = session_setup, .fini = session_teardown);

#define WINDOW_GPA 0x40000u

#define PAYLOAD_MAX (8 + WINDOW_PAGES_MAX * 8)

/* The payload of FRAME_WINDOW; its length. */
static size_t describe_window(uint8_t payload[PAYLOAD_MAX], uint32_t page, uint64_t gpa)
{
    const uint32_t count = WINDOW_SIZE / page;

    memset(payload, 0, PAYLOAD_MAX);
    put_le32(payload, page);
    for (uint32_t i = 0; i < count; i++) { /* in the opposite order */
        put_le64(payload + 8 + (size_t)i * 8, gpa + (uint64_t)(count - 1 - i) * page);
    }
    return 8 + (size_t)count * 8;
}

static void send_window(uint32_t page, uint64_t gpa)
{
    uint8_t payload[PAYLOAD_MAX];
    const size_t len = describe_window(payload, page, gpa);

    send_u32(FRAME_HELLO, 0, EXEC_PROTOCOL);
    send(FRAME_WINDOW, 0, payload, len);
}

/* A byte of the window, whose pages of 4 KiB are in the opposite order. */
static uint8_t *window_at(uint32_t offset)
{
    const uint32_t page = WINDOW_PAGES_MAX - 1 - offset / 4096;

    return m.ram + WINDOW_GPA + (size_t)page * 4096 + offset % 4096;
}

static void window_send(const void *data, size_t len, uint32_t *produced)
{
    for (size_t i = 0; i < len; i++) {
        *window_at(WINDOW_TO_HOST + (*produced + (uint32_t)i) % WINDOW_TO_HOST_SIZE) =
            ((const uint8_t *)data)[i];
    }
    *produced += (uint32_t)len;
    put_le32(window_at(WINDOW_GUEST_PRODUCED), *produced);
    write_line("", 1);
}

static void window_frame(enum frame_type type, enum frame_stream stream, const void *data,
                         size_t len, uint32_t *produced)
{
    uint8_t header[FRAME_HEADER];

    frame_header(header, type, stream, &(struct frame_piece){data, len}, 1);
    window_send(header, sizeof(header), produced);
    window_send(data, len, produced);
}

Test(exec_window, frames_through_the_window)
{
    static uint8_t sent[1000], got[sizeof(sent)];
    uint32_t produced = 0, credit = STREAM_WINDOW;

    loop_set_topology(m.loop, m.topo);
    send_window(4096, WINDOW_GPA);
    turns();
    cr_assert(got_frame());
    cr_assert_eq(frame_type(&guest.reader), FRAME_WINDOW);
    window_frame(FRAME_STARTED, 0, NULL, 0, &produced);
    cr_assert_gt(get_le32(window_at(WINDOW_HOST_PRODUCED)), 0, "credit through the window");
    cr_assert_eq(guest.len - guest.seen, 1, "and one bell");
    fake_fill_pattern(sent, sizeof(sent));
    for (unsigned i = 0; i < 100; i++) { /* around the ring several times */
        window_frame(FRAME_DATA, STREAM_STDOUT, sent, sizeof(sent), &produced);
        cr_assert_eq(drain(from_stdout, got, sizeof(got)), sizeof(got));
        cr_assert_eq(memcmp(sent, got, sizeof(got)), 0);
        cr_assert_eq(get_le32(window_at(WINDOW_HOST_CONSUMED)), produced);
        credit -= (uint32_t)sizeof(sent);
        /* Take all that was sent, as a guest would. */
        put_le32(window_at(WINDOW_GUEST_CONSUMED), get_le32(window_at(WINDOW_HOST_PRODUCED)));
    }
    window_frame(FRAME_EXIT, 0, "\5\0\0\0", 4, &produced);
    cr_assert_eq(status, 5);
    loop_set_topology(m.loop, NULL);
}

/* The frame with this page size and place must end the run. */
static void bad_window(uint32_t page, uint64_t gpa)
{
    loop_set_topology(m.loop, m.topo);
    send_window(page, gpa);
    cr_assert_eq(status, EXIT_HOST, "page %u at %llx", page, (unsigned long long)gpa);
    loop_set_topology(m.loop, NULL);
    session_again();
}

Test(exec_window, windows_that_cannot_be)
{
    bad_window(4096, 1 << 20);             /* behind RAM */
    bad_window(4096, (1 << 20) - 4096);    /* one page of it */
    bad_window(4096, WINDOW_GPA + 8);      /* no page */
    bad_window(4096, UINT64_MAX - 0xffff); /* wraps */
    bad_window(WINDOW_SIZE * 1U, 1 << 20);
}

Test(exec_window, indexes_that_cannot_be)
{
    static const uint32_t bad[] = {WINDOW_TO_HOST_SIZE + 1, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        loop_set_topology(m.loop, m.topo);
        send_window(4096, WINDOW_GPA);
        put_le32(window_at(WINDOW_GUEST_PRODUCED), bad[i]);
        write_line("", 1);
        cr_assert_eq(status, EXIT_HOST);
        loop_set_topology(m.loop, NULL);
        session_again();
    }
}

/* --- a guest that is as fast as vmm ------------------------------------------ */

enum { RING_FRAMES = WINDOW_TO_HOST_SIZE / FRAME_HEADER };

static struct channel flooded;
static unsigned frames_taken;

/* Whenever vmm looks, the ring is full again. Ends in any case. */
static bool take_and_refill(void *opaque, const struct frame_reader *frame)
{
    (void)opaque;
    if (frame_type(frame) == FRAME_WINDOW) {
        return channel_open_window(&flooded, m.mem, frame);
    }
    put_le32(window_at(WINDOW_GUEST_PRODUCED),
             get_le32(window_at(WINDOW_HOST_CONSUMED)) + WINDOW_TO_HOST_SIZE);
    return ++frames_taken < 100 * RING_FRAMES;
}

static void nothing(void *opaque)
{
    (void)opaque;
}

Test(exec_window, a_ring_that_is_always_full_does_not_keep_the_loop)
{
    const struct channel_owner owner = {
        .take = take_and_refill, .broken = nothing, .turn = nothing};
    uint8_t payload[PAYLOAD_MAX], header[FRAME_HEADER];
    struct frame_piece piece = {payload, describe_window(payload, 4096, WINDOW_GPA)};

    loop_set_topology(m.loop, m.topo);
    channel_init(&flooded, m.loop, &owner);
    frame_header(header, FRAME_WINDOW, 0, &piece, 1);
    chardev_write(&flooded.chardev, header, sizeof(header));
    chardev_write(&flooded.chardev, payload, piece.len);
    frame_header(header, FRAME_SKIPPED, 0, NULL, 0);
    for (uint32_t at = 0; at < WINDOW_TO_HOST_SIZE; at += FRAME_HEADER) {
        memcpy(window_at(WINDOW_TO_HOST + at), header, sizeof(header));
    }
    put_le32(window_at(WINDOW_GUEST_PRODUCED), WINDOW_TO_HOST_SIZE);
    for (unsigned i = 1; i <= 3; i++) {
        loop_poll(m.loop);
        cr_assert_eq(frames_taken, i * RING_FRAMES, "%u in turn %u", frames_taken, i);
    }
    channel_destroy(&flooded);
    loop_set_topology(m.loop, NULL);
}
