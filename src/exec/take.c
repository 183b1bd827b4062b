/*
 * Frames from the init of an --exec guest, in the state of the session: see
 * session.h. They are hostile: each is checked to make sense now.
 */
#include "src/exec/session.h"

#include <errno.h>

static bool take_hello(struct exec *x, const struct frame_reader *f)
{
    uint32_t version;

    if (x->state != BOOTING || !frame_u32(f, &version) || version != EXEC_PROTOCOL) {
        return false;
    }
    x->state = SETUP;
    return true;
}

static bool take_started(struct exec *x)
{
    if (x->state != SETUP) {
        return false;
    }
    x->state = RUNNING;
    x->ran = true;
    return true;
}

static bool take_data(struct exec *x, const struct frame_reader *f)
{
    const uint8_t stream = frame_stream(f);
    const size_t len = frame_len(f);

    if (x->state != RUNNING || stream == STREAM_STDIN || len > x->granted[stream]) {
        return false;
    }
    x->granted[stream] -= (uint32_t)len;
    if (stream != STREAM_FILES) {
        sink_put(&x->sinks[stream - STREAM_STDOUT], frame_payload(f), len);
        return true;
    }
    if (x->out.file_fd < 0) {
        return false;
    }
    if (out_data(&x->out, frame_payload(f), len, &x->err) < 0) {
        exec_fail(x);
    }
    return true;
}

static bool take_credit(struct exec *x, const struct frame_reader *f)
{
    uint32_t more;

    if (frame_stream(f) != STREAM_STDIN || !frame_u32(f, &more) ||
        more > STREAM_WINDOW - x->stdin_credit) {
        return false;
    }
    x->stdin_credit += more;
    return true;
}

static bool take_closed(struct exec *x, const struct frame_reader *f)
{
    if (frame_stream(f) != STREAM_STDIN) {
        return false;
    }
    x->stdin_ended = x->stdin_told = true;
    source_close(&x->source);
    return true;
}

/* An entry of /out, or the end of one. */
static bool take_file(struct exec *x, const struct frame_reader *f)
{
    const char *path = (const char *)frame_payload(f);
    const size_t len = frame_len(f);
    const bool open = x->out.file_fd >= 0;
    uint32_t mode = 0;
    int ret;

    if (x->state != RUNNING || x->out.fd < 0 || open != (frame_type(f) == FRAME_FILE_END)) {
        return false;
    }
    switch (frame_type(f)) {
    case FRAME_DIR:
        ret = out_add_dir(&x->out, path, len, &x->err);
        break;
    case FRAME_FILE:
        if (!frame_u32(f, &mode)) {
            return false;
        }
        ret = out_begin_file(&x->out, path + 4, len - 4, mode, &x->err);
        break;
    default:
        ret = out_end_file(&x->out, &x->err);
        break;
    }
    if (ret < 0) {
        exec_fail(x);
    }
    return true;
}

/* Init could not do what it was to do, and says why. */
static bool take_failed(struct exec *x, const struct frame_reader *f)
{
    err_set(&x->err, EIO, "the guest could not run %s: %.*s", x->config->exec.program,
            (int)frame_len(f), (const char *)frame_payload(f));
    exec_fail(x);
    return true;
}

static bool take_exit(struct exec *x, const struct frame_reader *f)
{
    uint32_t status;

    if (x->state != RUNNING || !frame_u32(f, &status) || status > 255 || x->out.file_fd >= 0) {
        return false;
    }
    exec_finish(x, (int)status);
    return true;
}

bool exec_take(void *opaque, const struct frame_reader *f)
{
    struct exec *x = opaque;

    if (x->state >= ENDING) { /* nothing matters any more */
        return true;
    }
    if (x->state == BOOTING && frame_type(f) != FRAME_HELLO) {
        return false;
    }
    switch (frame_type(f)) {
    case FRAME_HELLO:
        return take_hello(x, f);
    case FRAME_WINDOW:
        return x->state == SETUP && channel_open_window(&x->channel, x->mem, f);
    case FRAME_STARTED:
        return take_started(x);
    case FRAME_DATA:
        return take_data(x, f);
    case FRAME_CREDIT:
        return take_credit(x, f);
    case FRAME_CLOSED:
        return take_closed(x, f);
    case FRAME_DIR:
    case FRAME_FILE:
    case FRAME_FILE_END:
        return take_file(x, f);
    case FRAME_SKIPPED:
        x->skipped++;
        return true;
    case FRAME_FAILED:
        return take_failed(x, f);
    case FRAME_EXIT:
        return take_exit(x, f);
    default:
        return false;
    }
}
