/*
 * Frames: see frame.h. The CRC is CRC-16/IBM-3740 (polynomial 0x1021, start
 * 0xffff), as in ITU-T V.41, four bits at a time.
 */
#include "src/exec/frame.h"

static uint16_t crc16(uint16_t crc, const uint8_t *p, size_t len)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};

    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc << 4 ^ table[crc >> 12 ^ p[i] >> 4]);
        crc = (uint16_t)(crc << 4 ^ table[crc >> 12 ^ (p[i] & 0xf)]);
    }
    return crc;
}

#define CRC_START 0xffff
#define CRC_FROM  1u /* bytes of the header that it covers: [1, 6) */
#define CRC_AT    6u

void frame_header(uint8_t *header, enum frame_type type, enum frame_stream stream,
                  const struct frame_piece *pieces, size_t count)
{
    size_t len = 0;
    uint16_t crc;

    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    header[0] = FRAME_SYNC;
    header[1] = (uint8_t)type;
    header[2] = (uint8_t)stream;
    header[3] = 0;
    header[4] = (uint8_t)len;
    header[5] = (uint8_t)(len >> 8);
    crc = crc16(CRC_START, header + CRC_FROM, CRC_AT - CRC_FROM);
    for (size_t i = 0; i < count; i++) {
        crc = crc16(crc, pieces[i].data, pieces[i].len);
    }
    header[6] = (uint8_t)crc;
    header[7] = (uint8_t)(crc >> 8);
}

/* Is the header, as far as it is there, one of a frame? */
static bool header_fits(const struct frame_reader *r)
{
    const uint8_t *h = r->bytes;

    return (r->have < 1 || h[0] == FRAME_SYNC) &&
           (r->have < 2 || (h[1] >= FRAME_HELLO && h[1] < FRAME_TYPES)) &&
           (r->have < 3 || h[2] < STREAM_COUNT) && (r->have < 4 || h[3] == 0) &&
           (r->have < 6 || frame_len(r) <= FRAME_PAYLOAD_MAX);
}

static bool crc_fits(const struct frame_reader *r)
{
    const uint16_t crc = crc16(crc16(CRC_START, r->bytes + CRC_FROM, CRC_AT - CRC_FROM),
                               frame_payload(r), frame_len(r));

    return r->bytes[6] == (uint8_t)crc && r->bytes[7] == crc >> 8;
}

enum frame_state frame_read(struct frame_reader *r, const uint8_t **data, size_t *len)
{
    if (r->have >= FRAME_HEADER && r->have == FRAME_HEADER + frame_len(r)) {
        r->have = 0; /* the one before was seen */
    }
    while (*len > 0) {
        r->bytes[r->have++] = *(*data)++;
        (*len)--;
        const bool whole = r->have >= FRAME_HEADER && r->have == FRAME_HEADER + frame_len(r);
        if ((r->have <= FRAME_HEADER && !header_fits(r)) || (whole && !crc_fits(r))) {
            r->have = 0;
            return FRAME_BAD;
        }
        if (whole) {
            return FRAME_READY;
        }
    }
    return FRAME_MORE;
}

bool frame_u32(const struct frame_reader *r, uint32_t *value)
{
    const uint8_t *p = frame_payload(r);

    if (frame_len(r) < 4) {
        return false;
    }
    *value = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return true;
}
