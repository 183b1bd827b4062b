/*
 * A session of --exec whose guest is the test: what init would send goes through
 * session_send(), what vmm sends is read by session_got_frame().
 */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include "src/exec/exec.h"
#include "src/exec/frame.h"
#include "tests/unit/fakes.h"

extern struct fake_machine m;
extern struct config config; /* of x: program ./prog, --out back */
extern struct exec *x;
extern int status; /* that the session ended with; -1: it goes on */

/* The other ends of vmm's standard streams; they do not block. */
extern int to_stdin, from_stdout, from_stderr;

/* What vmm sent on the line. */
extern struct session_guest {
    size_t room; /* of the UART, each time it is asked */
    uint8_t bytes[1 << 20];
    size_t len;
    size_t seen; /* bytes that were looked at */
    struct frame_reader reader;
} guest;

/* Init and fini of a suite. */
void session_setup(void);
void session_teardown(void);
/* A fresh session in the place of x, of the same machine. */
void session_again(void);

/* Let the loop do all there is. */
void turns(void);

/* On the line: bytes, and frames. */
void write_line(const void *data, size_t len);
void send(enum frame_type type, enum frame_stream stream, const void *data, size_t len);
void send_u32(enum frame_type type, enum frame_stream stream, uint32_t value);
/* HELLO to the first credit, as init without a window does. */
void start(void);

/* The next frame from vmm, to guest.reader; false: there is none. */
bool got_frame(void);
/* The sum of what vmm granted for a stream, of all frames that are there. */
uint32_t granted(enum frame_stream stream);

/* What arrives at fd; then the loop turns. */
size_t drain(int fd, void *buf, size_t size);

#endif
