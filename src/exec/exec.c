/*
 * A session with the init of an --exec guest: see exec.h.
 */
#include "src/exec/session.h"

#include "src/base/log.h"
#include "src/exec/pack.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For the program to end after a signal. */
#define GRACE_NS      (5 * NS_PER_SEC)
#define CONSOLE_LINES 20
/* timeout(1) sends a signal twice: so soon it is the same. */
#define REPEAT_NS (500 * NS_PER_MS)

/* --- ends -------------------------------------------------------------------------------- */

static void tell_end(struct exec *x)
{
    if (x->state != ENDED) {
        x->state = ENDED;
        timer_cancel(&x->grace);
        x->ended(x->opaque, x->status);
    }
}

/* The status is known: all that is left is to write what the program wrote. */
void exec_finish(struct exec *x, int status)
{
    if (x->state < ENDING) {
        x->state = ENDING;
        x->status = x->timed_out ? EXIT_TIMEOUT : status;
        if (!x->timed_out) { /* a time-out does not wait for a reader either */
            timer_cancel(&x->grace);
        }
        source_close(&x->source);
        channel_wake(&x->channel);
    }
}

/* x->err says why. */
void exec_fail(struct exec *x)
{
    if (x->state < ENDING) {
        exec_finish(x, (int)x->err.status);
        x->status = (int)x->err.status;
    }
}

static void on_grace(void *opaque)
{
    struct exec *x = opaque;

    exec_finish(x, x->timed_out ? EXIT_TIMEOUT : EXIT_INTERRUPT);
    tell_end(x);
}

static void guest_ended(struct exec *x, int status)
{
    const bool panicked =
        status == EXIT_PANIC || (x->tail != NULL && tail_has(x->tail, "Kernel panic"));

    x->lost |= x->state < ENDING;
    exec_finish(x, panicked ? EXIT_PANIC : status);
}

static void broken(void *opaque)
{
    struct exec *x = opaque;

    if (x->state < ENDING) {
        err_set(&x->err, EPROTO, "what the guest sent is not from vmm's init, or makes no sense");
        err_hint(&x->err, "does the kernel's console, or a driver, use the second serial port?");
        exec_fail(x);
    }
}

/* --- frames to the guest -------------------------------------------------------------------- */

/* Small frames want only a little room, and keep the order in which they were asked for. */
static bool room_for_u32(const struct exec *x)
{
    return channel_has_room(&x->channel, 4);
}

/*
 * Grant what there is room for beside the `held` bytes that are not written yet; from half a window
 * on, so that the guest has some while this is on its way.
 */
static void grant(struct exec *x, enum frame_stream stream, size_t held)
{
    const uint32_t due = STREAM_WINDOW - x->granted[stream] - (uint32_t)held;

    if (due >= STREAM_WINDOW / 2 && room_for_u32(x)) {
        channel_send_u32(&x->channel, FRAME_CREDIT, stream, due);
        x->granted[stream] += due;
    }
}

static void update_sink(struct exec *x, unsigned i)
{
    struct sink *s = &x->sinks[i];
    const enum frame_stream stream = i == 0 ? STREAM_STDOUT : STREAM_STDERR;

    if (s->error != 0 && x->err.what[0] == '\0' && x->state != ENDED) {
        err_set(&x->err, s->error, "cannot write the program's standard %s, %s",
                i == 0 ? "output" : "error", strerror(s->error));
        exec_fail(x);
        x->status = EXIT_HOST;
    }
    if (sink_is_closed(s) && !x->told_closed[i] && channel_has_room(&x->channel, 0)) {
        channel_send(&x->channel, FRAME_CLOSED, stream, NULL, 0);
        x->told_closed[i] = true;
    }
    grant(x, stream, s->ring.count);
}

static void send_signals(struct exec *x)
{
    for (unsigned n = 1; n < 32 && x->signals != 0; n++) {
        if (x->signals >> n & 1 && room_for_u32(x)) {
            channel_send_u32(&x->channel, FRAME_SIGNAL, 0, n);
            x->signals &= ~(1U << n);
        }
    }
}

static void update_source(struct exec *x)
{
    if (x->source.watch.fd < 0) {
        x->stdin_ended = true;
    }
    if (x->stdin_ended && !x->stdin_told && channel_has_room(&x->channel, 0)) {
        channel_send(&x->channel, FRAME_END, STREAM_STDIN, NULL, 0);
        x->stdin_told = true;
    }
    source_update(&x->source);
}

/* On the loop's thread, whenever something may have changed. */
static void turn(void *opaque)
{
    struct exec *x = opaque;
    const int guest = atomic_load(&x->guest_status);

    if (guest >= 0 && x->saw_end) {
        guest_ended(x, guest);
    } else if (guest >= 0) { /* its last frames may have come a moment before */
        x->saw_end = true;
        channel_wake(&x->channel);
    }
    if (x->state == RUNNING) {
        update_sink(x, 0);
        update_sink(x, 1);
        grant(x, STREAM_FILES, 0);
        send_signals(x);
        update_source(x);
    }
    if (x->state == ENDING && sink_is_empty(&x->sinks[0]) && sink_is_empty(&x->sinks[1])) {
        update_sink(x, 0);
        update_sink(x, 1);
        tell_end(x);
    }
}

static void changed(void *opaque)
{
    struct exec *x = opaque;

    channel_wake(&x->channel);
}

/* Room is left for small frames. */
static size_t stdin_room(void *opaque)
{
    const struct exec *x = opaque;
    const bool fits = channel_has_room(&x->channel, FRAME_MAX + FRAME_PAYLOAD_MAX);

    return x->state == RUNNING && fits ? x->stdin_credit : 0;
}

static void take_stdin(void *opaque, const uint8_t *data, size_t len)
{
    struct exec *x = opaque;

    if (len == 0) {
        x->stdin_ended = true;
        channel_wake(&x->channel);
        return;
    }
    x->stdin_credit -= (uint32_t)len;
    channel_send(&x->channel, FRAME_DATA, STREAM_STDIN, data, len);
}

/* --- from outside --------------------------------------------------------------------------------
 */

bool exec_signal(struct exec *x, int signo)
{
    const uint64_t now = clock_now(loop_clock(x->loop));

    if (x->state == RUNNING && signo == x->signalled && now - x->signal_time < REPEAT_NS) {
        return true;
    }
    if (x->state != RUNNING || x->signalled != 0) {
        return false;
    }
    x->signalled = signo;
    x->signal_time = now;
    x->signals |= 1U << signo;
    timer_arm(&x->grace, now + GRACE_NS);
    channel_wake(&x->channel);
    return true;
}

bool exec_timeout(struct exec *x)
{
    if (x->state != RUNNING) {
        return false;
    }
    x->timed_out = true;
    x->signals |= 1U << SIGTERM;
    timer_arm(&x->grace, clock_now(loop_clock(x->loop)) + GRACE_NS);
    channel_wake(&x->channel);
    return true;
}

void exec_guest_ended(struct exec *x, int status)
{
    int running = -1;

    atomic_compare_exchange_strong(&x->guest_status, &running, status);
    channel_wake(&x->channel);
}

void exec_explain(struct exec *x)
{
    struct err e = ERR_INIT;

    if (x->skipped > 0) {
        log_warn("%u of the files in " EXEC_OUT
                 " were left behind: neither files nor folders, or in too many folders",
                 x->skipped);
    }
    if (x->err.what[0] != '\0') {
        err_print(&x->err);
        return;
    }
    if (x->lost && x->status != EXIT_CRASH) { /* the crash tells more */
        err_set(&e, EIO, "the guest ended before it could tell the exit status of %s",
                x->config->exec.program);
        err_print(&e);
    }
    if ((x->lost || !x->ran) && x->tail != NULL) {
        tail_print(x->tail, CONSOLE_LINES);
    }
}

/* --- life
 * ------------------------------------------------------------------------------------------- */

struct chardev *exec_channel(struct exec *x)
{
    return &x->channel.chardev;
}

struct chardev *exec_open_console(struct exec *x, struct err *e)
{
    x->tail = tail_new(e);
    return x->tail != NULL ? &x->tail->chardev : NULL;
}

const char *exec_initrd(const struct exec *x)
{
    return x->image_path;
}

static void begin_session(struct exec *x)
{
    const struct channel_owner owner = {
        .take = exec_take, .broken = broken, .turn = turn, .opaque = x};

    channel_init(&x->channel, x->loop, &owner);
    timer_init(&x->grace, x->loop, on_grace, x);
    sink_init(&x->sinks[0], x->loop, STDOUT_FILENO, changed, x);
    sink_init(&x->sinks[1], x->loop, STDERR_FILENO, changed, x);
    source_init(&x->source, x->loop, STDIN_FILENO, stdin_room, take_stdin, x);
}

struct exec *exec_new(const struct config *config, const char *line, struct loop *loop,
                      struct aspace *mem, void (*ended)(void *opaque, int status), void *opaque,
                      struct err *e)
{
    struct exec *x = calloc(1, sizeof(*x));

    if (x == NULL) {
        err_set(e, ENOMEM, "out of memory for --exec");
        return NULL;
    }
    x->config = config;
    x->loop = loop;
    x->mem = mem;
    x->ended = ended;
    x->opaque = opaque;
    x->err = ERR_INIT;
    atomic_init(&x->guest_status, -1);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write() */
    begin_session(x);
    x->image = -1;
    if (out_open(&x->out, config->exec.out, e) == 0) {
        x->image = exec_pack(config, line, e);
    }
    if (x->image < 0) {
        exec_free(x);
        return NULL;
    }
    snprintf(x->image_path, sizeof(x->image_path), "/proc/self/fd/%d", x->image);
    return x;
}

void exec_free(struct exec *x)
{
    if (x == NULL) {
        return;
    }
    timer_cancel(&x->grace);
    source_close(&x->source);
    sink_destroy(&x->sinks[0]);
    sink_destroy(&x->sinks[1]);
    out_close(&x->out);
    channel_destroy(&x->channel);
    if (x->image >= 0) {
        close(x->image);
    }
    free(x);
}
