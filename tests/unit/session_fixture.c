/* See session_fixture.h. */
#include "tests/unit/session_fixture.h"

#include "tests/unit/exec_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct fake_machine m;
struct config config;
struct exec *x;
int status; /* -1: the run goes on */
int to_stdin, from_stdout, from_stderr;

struct session_guest guest;

static void ended(void *opaque, int value)
{
    (void)opaque;
    cr_assert_eq(status, -1, "it ended twice");
    status = value;
}

static size_t uart_room(void *opaque)
{
    (void)opaque;
    return guest.room;
}

static void uart_receive(void *opaque, const uint8_t *data, size_t len)
{
    (void)opaque;
    cr_assert(len <= guest.room && guest.len + len <= sizeof(guest.bytes));
    memcpy(guest.bytes + guest.len, data, len);
    guest.len += len;
}

static const struct chardev_frontend uart = {.can_receive = uart_room, .receive = uart_receive};

static void make_pipe(int end, int fd, int *other)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(dup2(ends[end], fd), fd);
    close(ends[end]);
    *other = ends[1 - end];
    fcntl(*other, F_SETFL, O_NONBLOCK);
}

void turns(void)
{
    for (unsigned i = 0; i < 20; i++) {
        loop_poll(m.loop);
    }
}

void session_setup(void)
{
    exec_fixture_setup();
    exec_write_elf("prog", &(struct test_elf){0});
    fake_machine_init(&m, 1);
    make_pipe(0, STDIN_FILENO, &to_stdin);
    make_pipe(1, STDOUT_FILENO, &from_stdout);
    make_pipe(1, STDERR_FILENO, &from_stderr);
    config = (struct config){.memory = 256ULL << 20, .console = "null"};
    config.exec.program = "./prog";
    config.exec.out = "back";
    session_again();
}

void session_again(void)
{
    exec_free(x);
    x = exec_new(&config, "/dev/ttyS1", m.loop, m.mem, ended, NULL, &exec_err);
    cr_assert_not_null(x, "%s", exec_err.what);
    chardev_attach(exec_channel(x), &uart);
    guest.room = 16;
    guest.len = guest.seen = guest.reader.have = 0;
    status = -1;
}

void session_teardown(void)
{
    exec_free(x);
    x = NULL;
    fake_machine_free(&m);
    exec_fixture_teardown();
}

/* --- the guest -------------------------------------------------------------- */

void write_line(const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        const size_t n = chardev_write(exec_channel(x), at, len);
        at += n;
        len -= n;
        turns();
    }
}

void send(enum frame_type type, enum frame_stream stream, const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER];
    const struct frame_piece piece = {data, len};

    frame_header(header, type, stream, &piece, 1);
    write_line(header, sizeof(header));
    write_line(data, len);
}

void send_u32(enum frame_type type, enum frame_stream stream, uint32_t value)
{
    send(type, stream,
         (uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), 0}, 4);
}

void start(void)
{
    send_u32(FRAME_HELLO, 0, EXEC_PROTOCOL);
    send(FRAME_STARTED, 0, NULL, 0);
    send_u32(FRAME_CREDIT, STREAM_STDIN, STREAM_WINDOW);
    turns();
}

/* The next frame from vmm; false: there is none. */
bool got_frame(void)
{
    const uint8_t *data = guest.bytes + guest.seen;
    size_t left = guest.len - guest.seen;
    const enum frame_state state = frame_read(&guest.reader, &data, &left);

    cr_assert_neq(state, FRAME_BAD);
    guest.seen = guest.len - left;
    return state == FRAME_READY;
}

/* The sum of what vmm granted for a stream, of all frames that are there. */
uint32_t granted(enum frame_stream stream)
{
    uint32_t sum = 0, value;

    while (got_frame()) {
        if (frame_type(&guest.reader) == FRAME_CREDIT && frame_stream(&guest.reader) == stream) {
            cr_assert(frame_u32(&guest.reader, &value));
            sum += value;
        }
    }
    return sum;
}

/* What arrives at fd. */
size_t drain(int fd, void *buf, size_t size)
{
    const ssize_t n = read(fd, buf, size);

    turns();
    return n > 0 ? (size_t)n : 0;
}
