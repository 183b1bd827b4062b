/*
 * Frames between vmm and the init of an --exec guest: any split of the bytes
 * gives the same frames, any damage is found, nothing is read beyond a frame.
 */
#include "src/exec/frame.h"

#include <criterion/criterion.h>
#include <string.h>

static struct frame_reader reader;

/* xorshift64: the same sequence each time. */
static uint64_t next(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A frame in bytes; returns its length. */
static size_t make(uint8_t *bytes, enum frame_type type, enum frame_stream stream, size_t len)
{
    uint8_t *payload = bytes + FRAME_HEADER;

    for (size_t i = 0; i < len; i++) {
        payload[i] = (uint8_t)next();
    }
    const struct frame_piece pieces[] = {{payload, len / 3}, {payload + len / 3, len - len / 3}};
    frame_header(bytes, type, stream, pieces, 2);
    return FRAME_HEADER + len;
}

Test(exec_frame, any_split_gives_the_same_frames)
{
    enum { FRAMES = 200 };
    static uint8_t bytes[FRAMES * FRAME_MAX];
    size_t ends[FRAMES], total = 0, at = 0;
    unsigned seen = 0;

    for (unsigned i = 0; i < FRAMES; i++) {
        const size_t len = i % 5 == 0 ? i % 2 * FRAME_PAYLOAD_MAX : next() % FRAME_PAYLOAD_MAX;
        total += make(bytes + total, 1 + i % (FRAME_TYPES - 1), i % STREAM_COUNT, len);
        ends[i] = total;
    }
    while (at < total) {
        size_t left = total - at < 700 ? total - at : 1 + next() % 700;
        const uint8_t *data = bytes + at;
        at += left;
        for (;;) {
            const enum frame_state state = frame_read(&reader, &data, &left);
            cr_assert_neq(state, FRAME_BAD);
            if (state == FRAME_MORE) {
                cr_assert_eq(left, 0);
                break;
            }
            const size_t start = seen > 0 ? ends[seen - 1] : 0;
            cr_assert_eq(data, bytes + ends[seen], "frame %u ends elsewhere", seen);
            cr_assert_eq(frame_type(&reader), 1 + seen % (FRAME_TYPES - 1));
            cr_assert_eq(frame_stream(&reader), seen % STREAM_COUNT);
            cr_assert_eq(frame_len(&reader), ends[seen] - start - FRAME_HEADER);
            cr_assert_arr_eq(frame_payload(&reader), bytes + start + FRAME_HEADER,
                             frame_len(&reader));
            seen++;
        }
    }
    cr_assert_eq(seen, FRAMES);
}

/* CRC-16/IBM-3740, a bit at a time. */
static unsigned crc16(unsigned crc, const uint8_t *bytes, size_t len)
{
    for (size_t bit = 0; bit < len * 8; bit++) {
        const unsigned in = bytes[bit / 8] >> (7 - bit % 8) & 1;
        const unsigned out = crc >> 15 & 1;

        crc = (crc << 1 & 0xffff) ^ (in != out ? 0x1021 : 0);
    }
    return crc;
}

Test(exec_frame, the_crc_is_the_documented_one)
{
    uint8_t bytes[FRAME_MAX];
    const size_t len = make(bytes, FRAME_DATA, STREAM_STDERR, 300);

    cr_assert_eq(crc16(0xffff, (const uint8_t *)"123456789", 9), 0x29b1);
    cr_assert_eq(bytes[0], FRAME_SYNC);
    cr_assert_eq(bytes[4] | bytes[5] << 8, 300);
    cr_assert_eq(bytes[6] | bytes[7] << 8,
                 (int)crc16(crc16(0xffff, bytes + 1, 5), bytes + FRAME_HEADER, len - FRAME_HEADER));
}

/* No single bit may change without being found, or being waited for (a longer length). */
Test(exec_frame, every_flipped_bit_is_found)
{
    uint8_t good[FRAME_MAX], bytes[FRAME_MAX];
    const size_t len = make(good, FRAME_DATA, STREAM_STDOUT, 40);

    for (size_t bit = 0; bit < len * 8; bit++) {
        memcpy(bytes, good, len);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        const uint8_t *data = bytes;
        size_t left = len;
        memset(&reader, 0, sizeof(reader));
        cr_assert_neq(frame_read(&reader, &data, &left), FRAME_READY, "bit %zu", bit);
    }
}

Test(exec_frame, what_is_no_frame_is_refused_at_its_first_wrong_byte)
{
    static const struct {
        uint8_t bytes[6];
        size_t bad; /* index of the first wrong one */
    } cases[] = {
        {{0x00}, 0},
        {{FRAME_SYNC, 0}, 1},
        {{FRAME_SYNC, FRAME_TYPES}, 1},
        {{FRAME_SYNC, FRAME_DATA, STREAM_COUNT}, 2},
        {{FRAME_SYNC, FRAME_DATA, 0, 1}, 3},
        {{FRAME_SYNC, FRAME_DATA, 0, 0, 0x01, 0x04}, 5},
        {{FRAME_SYNC, FRAME_DATA, 0, 0, 0xff, 0xff}, 5},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint8_t *data = cases[i].bytes;
        size_t left = sizeof(cases[i].bytes);
        memset(&reader, 0, sizeof(reader));
        cr_assert_eq(frame_read(&reader, &data, &left), FRAME_BAD, "case %zu", i);
        cr_assert_eq(data, cases[i].bytes + cases[i].bad + 1, "case %zu", i);
    }
}

/* Whatever comes, also after a bad frame, the reader stays within its buffer (ASan watches). */
Test(exec_frame, noise_does_no_harm)
{
    uint8_t noise[256];

    for (unsigned i = 0; i < 20000; i++) {
        for (size_t n = 0; n < sizeof(noise); n++) {
            noise[n] = (uint8_t)next();
        }
        noise[0] = FRAME_SYNC;
        noise[1] = 1 + noise[1] % (FRAME_TYPES - 1);
        noise[2] %= STREAM_COUNT;
        noise[3] = 0;
        noise[5] %= 5;
        const uint8_t *data = noise;
        size_t left = sizeof(noise);
        while (left > 0) {
            frame_read(&reader, &data, &left);
        }
    }
}

Test(exec_frame, numbers_need_four_bytes)
{
    uint8_t bytes[FRAME_MAX];
    uint32_t value = 0;

    for (size_t len = 0; len <= 4; len++) {
        const uint8_t *data = bytes;
        size_t left = make(bytes, FRAME_CREDIT, STREAM_STDIN, len);
        cr_assert_eq(frame_read(&reader, &data, &left), FRAME_READY);
        cr_assert_eq(frame_u32(&reader, &value), len == 4);
    }
    cr_assert_eq(value, (uint32_t)bytes[8] | (uint32_t)bytes[9] << 8 | (uint32_t)bytes[10] << 16 |
                            (uint32_t)bytes[11] << 24);
}
