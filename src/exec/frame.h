/*
 * What vmm and the init of an --exec guest say to each other over a serial
 * line (docs/exec.md): frames of
 *
 *     0  u8   FRAME_SYNC
 *     1  u8   type
 *     2  u8   stream
 *     3  u8   0
 *     4  u16  bytes of payload, at most FRAME_PAYLOAD_MAX
 *     6  u16  CRC-16 of the bytes 1 to 5 and the payload
 *     8  payload
 *
 * with numbers little-endian. The line loses nothing, so a bad frame is the end.
 * Data flows by credit: a side sends no more bytes of a stream than the other
 * has granted. Freestanding: both sides compile this file.
 *
 * Locking: none.
 */
#ifndef EXEC_FRAME_H
#define EXEC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SYNC        0xa6
#define FRAME_HEADER      8u
#define FRAME_PAYLOAD_MAX 1024u
#define FRAME_MAX         (FRAME_HEADER + FRAME_PAYLOAD_MAX)

#define EXEC_PROTOCOL 1u /* of FRAME_HELLO */

enum frame_type {
    FRAME_HELLO = 1, /* guest: u32 EXEC_PROTOCOL; the first frame */
    FRAME_WINDOW,    /* guest: where it is (window.h), by the line's last frame; host: yes */
    FRAME_STARTED,   /* guest: the program runs */
    FRAME_DATA,      /* bytes of a stream */
    FRAME_CREDIT,    /* u32: so many more bytes of the stream may come */
    FRAME_END,       /* host: stdin has no more */
    FRAME_CLOSED,    /* the reader of this stream is gone */
    FRAME_SIGNAL,    /* host: u32 number, for the program's process group */
    FRAME_DIR,       /* guest: path of a folder in /out */
    FRAME_FILE,      /* guest: u32 mode, path; its bytes follow in STREAM_FILES */
    FRAME_FILE_END,  /* guest: the file is complete */
    FRAME_SKIPPED,   /* guest: path in /out that is neither file nor folder */
    FRAME_FAILED,    /* guest: text: why there is no program to report of */
    FRAME_EXIT,      /* guest: u32 exit status, 128 + n for signal n; the last frame */
    FRAME_TYPES,
};

enum frame_stream {
    STREAM_STDIN,
    STREAM_STDOUT,
    STREAM_STDERR,
    STREAM_FILES,
    STREAM_COUNT,
};

/* Most credit that may be out for a stream, either way. */
#define STREAM_WINDOW 16384u

/* Fill header for a frame whose payload (at most FRAME_PAYLOAD_MAX) is two pieces. */
struct frame_piece {
    const void *data;
    size_t len;
};
void frame_header(uint8_t *header, enum frame_type type, enum frame_stream stream,
                  const struct frame_piece *pieces, size_t count);

/* Collects a frame from pieces of any size. Zeroed memory is ready. */
struct frame_reader {
    size_t have;
    uint8_t bytes[FRAME_MAX];
};

enum frame_state {
    FRAME_MORE,  /* all of data was taken; the frame goes on */
    FRAME_READY, /* a frame, until the next call */
    FRAME_BAD,   /* not a frame */
};

/* Take bytes from *data, *len, both moved on, up to the end of a frame. */
enum frame_state frame_read(struct frame_reader *r, const uint8_t **data, size_t *len);

/* Of a frame that is ready. */
static inline uint8_t frame_type(const struct frame_reader *r)
{
    return r->bytes[1];
}

static inline uint8_t frame_stream(const struct frame_reader *r)
{
    return r->bytes[2];
}

static inline size_t frame_len(const struct frame_reader *r)
{
    return (size_t)r->bytes[4] | (size_t)r->bytes[5] << 8;
}

static inline const uint8_t *frame_payload(const struct frame_reader *r)
{
    return r->bytes + FRAME_HEADER;
}

/* The u32 at the start of the payload; false: it is too short. */
bool frame_u32(const struct frame_reader *r, uint32_t *value);

#endif
