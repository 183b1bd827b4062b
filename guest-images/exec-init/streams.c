/*
 * The program's streams: between its pipes and the line. Input waits in a ring
 * as large as the credit that vmm got, so it always fits; output is read from a
 * pipe only when vmm has granted credit for it, so a program that vmm's reader
 * cannot follow waits in its write().
 */
#include "guest-images/exec-init/init.h"

struct program program = {.stdin_fd = -1, .out_fd = {-1, -1, -1}, .signals = -1};

static uint8_t in_bytes[STREAM_WINDOW];
static struct ring in = {.data = in_bytes, .size = sizeof(in_bytes)};
static uint32_t in_taken; /* bytes that the program took and vmm was not told of */
static bool in_ended;     /* no more will come */
static uint32_t credit[STREAM_COUNT];

uint32_t streams_credit(enum frame_stream stream)
{
    return credit[stream];
}

void streams_use(enum frame_stream stream, uint32_t len)
{
    credit[stream] -= len;
}

/* --- stdin ----------------------------------------------------------------- */

static void close_stdin(void)
{
    if (program.stdin_fd >= 0) {
        sys_close(program.stdin_fd);
        program.stdin_fd = -1;
    }
}

/* Let go of the pipe once all is in it. */
static void end_stdin(void)
{
    if (in_ended && in.count == 0) {
        close_stdin();
    }
}

static void take_input(const uint8_t *data, size_t len)
{
    if (len > ring_room(&in)) {
        fail("vmm sent more than it was allowed", "", 0);
    }
    if (program.stdin_fd >= 0) {
        ring_put(&in, data, len);
    }
}

static void stdin_ready(const struct pollfd *p)
{
    size_t len;
    const uint8_t *data = ring_piece(&in, &len);

    if (p->revents == 0) {
        return;
    }
    const long n = p->revents & POLLERR ? -EPIPE : sys_write(program.stdin_fd, data, len);
    if (n == -EPIPE) { /* the program closed its end */
        close_stdin();
        in.count = 0;
        line_send(FRAME_CLOSED, STREAM_STDIN, NULL, 0);
        return;
    }
    if (n > 0) {
        ring_drop(&in, (size_t)n);
        in_taken += (uint32_t)n;
    }
    if (in_taken >= STREAM_WINDOW / 2) {
        line_send_u32(FRAME_CREDIT, STREAM_STDIN, in_taken);
        in_taken = 0;
    }
    end_stdin();
}

/* --- frames ------------------------------------------------------------------ */

static void send_signal(int signo)
{
    if (program.pid > 0 && !program.exited && signo > 0 && signo <= SYS_SIGNALS) {
        sys_kill(-program.pid, signo); /* it leads a group of its own */
    }
}

static void close_output(unsigned stream)
{
    if (stream <= STREAM_STDERR && program.out_fd[stream] >= 0) {
        sys_close(program.out_fd[stream]);
        program.out_fd[stream] = -1;
    }
}

void streams_take(const struct frame_reader *frame)
{
    const unsigned stream = frame_stream(frame);
    uint32_t value = 0;

    frame_u32(frame, &value);
    switch (frame_type(frame)) {
    case FRAME_DATA:
        take_input(frame_payload(frame), frame_len(frame));
        break;
    case FRAME_END:
        in_ended = true;
        end_stdin();
        break;
    case FRAME_CREDIT:
        credit[stream] += value;
        break;
    case FRAME_CLOSED:
        close_output(stream);
        break;
    case FRAME_SIGNAL:
        send_signal((int)value);
        break;
    default:
        fail("vmm sent a frame that is not for a guest", "", 0);
    }
}

/* --- output ------------------------------------------------------------------- */

/* May the stream's pipe be read? */
static bool wants_output(enum frame_stream stream)
{
    return program.out_fd[stream] >= 0 && credit[stream] > 0 && line_has_room();
}

static void output_ready(enum frame_stream stream)
{
    uint8_t bytes[FRAME_PAYLOAD_MAX];
    const size_t most = credit[stream] < sizeof(bytes) ? credit[stream] : sizeof(bytes);
    const long n = sys_read(program.out_fd[stream], bytes, most);

    if (n > 0) {
        line_send(FRAME_DATA, stream, bytes, (size_t)n);
        streams_use(stream, (uint32_t)n);
    } else if (n != -EAGAIN || program.exited) {
        /* The end; or the program is gone, and what it left in the pipe was read. */
        close_output(stream);
    }
}

/* --- the turn ------------------------------------------------------------------ */

static void reap(void)
{
    uint8_t info[128]; /* struct signalfd_siginfo */
    int status;
    long pid;

    while (sys_read(program.signals, info, sizeof(info)) > 0) {
    }
    while ((pid = sys_wait_any(&status)) > 0) {
        if (pid == program.pid) {
            program.exited = true;
            program.status = status;
            sys_kill(-1, SYS_SIGKILL); /* what it left behind could fill the pipes for ever */
        }
    }
}

void streams_turn(void)
{
    enum { LINE, SIGNALS, IN, OUT, ERR, COUNT };
    struct pollfd line;
    const bool wait = !line_prepare(&line);
    struct pollfd p[COUNT] = {
        [LINE] = line,
        [SIGNALS] = {.fd = program.signals, .events = POLLIN},
        [IN] = {.fd = program.stdin_fd, .events = in.count > 0 ? POLLOUT : 0},
        [OUT] = {.fd = wants_output(STREAM_STDOUT) ? program.out_fd[STREAM_STDOUT] : -1,
                 .events = POLLIN},
        [ERR] = {.fd = wants_output(STREAM_STDERR) ? program.out_fd[STREAM_STDERR] : -1,
                 .events = POLLIN},
    };
    const bool drain = program.exited; /* a pipe that has nothing now has nothing at all */

    if (!drain || (p[OUT].fd < 0 && p[ERR].fd < 0)) {
        if (sys_poll(p, COUNT, wait) < 0) {
            return;
        }
        line_ready(&p[LINE]);
        stdin_ready(&p[IN]);
    }
    if (p[SIGNALS].revents != 0) {
        reap();
    }
    if (p[OUT].fd >= 0 && program.out_fd[STREAM_STDOUT] >= 0 && (drain || p[OUT].revents != 0)) {
        output_ready(STREAM_STDOUT);
    }
    if (p[ERR].fd >= 0 && program.out_fd[STREAM_STDERR] >= 0 && (drain || p[ERR].revents != 0)) {
        output_ready(STREAM_STDERR);
    }
}
