/*
 * The init of an --exec guest (docs/exec.md): one static program of a few KiB
 * that needs nothing of the kernel but its serial driver. main.c sets the guest
 * up and runs the program, line.c speaks with vmm, streams.c moves the
 * program's bytes, files.c sends what the program left in /out.
 *
 * It is one thread; nothing here allocates.
 */
#ifndef EXEC_INIT_INIT_H
#define EXEC_INIT_INIT_H

#include "guest-images/exec-init/sys.h"
#include "src/exec/frame.h"
#include "src/exec/ring.h"

/* --- strings (string.c) ------------------------------------------------ */

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
size_t text_len(const char *s);
bool text_equal(const char *a, const char *b);
/* The rest of s after prefix; NULL: s does not begin with it. */
const char *text_after(const char *s, const char *prefix);

/* A text that is put together from pieces; what does not fit is cut. */
struct text {
    size_t len;
    char bytes[512];
};
void text_add(struct text *t, const char *s);
void text_add_number(struct text *t, unsigned long n);

/* --- the line to vmm (line.c) ------------------------------------------- */

/* Open the terminal at path and say hello. Does not return without it: nothing works then. */
void line_open(const char *path);

/* For poll(): the line's descriptor and what it waits for; true: do not wait, there is something.
 * Then act on what poll() found. */
bool line_prepare(struct pollfd *p);
void line_ready(const struct pollfd *p);

/* Is there room for a frame with a full payload? */
bool line_has_room(void);

/* Queue a frame; the caller looked for room, or waits for it here (turning the program's streams
 * meanwhile). */
void line_send(enum frame_type type, enum frame_stream stream, const void *data, size_t len);
void line_send_u32(enum frame_type type, enum frame_stream stream, uint32_t value);

/* Send what is queued, and wait until it has left. */
void line_drain(void);

/* Write to the kernel's log and power off: vmm shows the end of the log. */
void give_up(const char *what, const char *name, long error) __attribute__((noreturn));

/* Tell vmm why the program cannot run, and power off. */
void fail(const char *what, const char *name, long error) __attribute__((noreturn));

void power_off(void) __attribute__((noreturn));

/* --- the window to vmm (window.c) ------------------------------------------ */

/* Make one, and describe it for FRAME_WINDOW in *len bytes of payload. false: this kernel does not
 * tell where memory is; the line will do. */
bool window_make(uint8_t payload[FRAME_PAYLOAD_MAX], size_t *len);

/* Take bytes from vmm; move bytes of r to vmm. *ring: ring the bell. */
size_t window_take(uint8_t *buf, size_t size, bool *ring);
void window_put(struct ring *r, bool *ring);

/* --- the program's streams (streams.c) ---------------------------------- */

struct program {
    long pid;
    int signals;  /* signalfd for SIGCHLD */
    int stdin_fd; /* our end of each pipe; -1: closed */
    int out_fd[STREAM_STDERR + 1];
    bool exited;
    int status; /* as of wait(2) */
};

extern struct program program;

/* A frame from vmm. */
void streams_take(const struct frame_reader *frame);

/* Wait for something to happen on the line or on a pipe, and act on it. */
void streams_turn(void);

/* How many more bytes of a stream vmm takes; use: they were sent. */
uint32_t streams_credit(enum frame_stream stream);
void streams_use(enum frame_stream stream, uint32_t len);

/* --- files (files.c) ----------------------------------------------------- */

/* Send all that is in the folder. */
void files_send(const char *folder);

#endif
