/*
 * rtc-cmos: a PC's real-time clock with 128 bytes of battery-backed memory.
 *
 * Model: Motorola MC146818 data sheet; century at 0x32 and memory sizes as PC
 * firmware leaves them (there is none here). Port 0x70 selects a byte, 0x71 is
 * that byte:
 *
 *     00-09 time and alarm    0a-0d registers A to D    0e-7f memory
 *
 * The time is the host's plus an offset that a guest changes by setting the
 * clock; nothing ticks. The time bytes are worked out when they are read, and
 * registers A and C tell what a ticking chip would have done since:
 *  - UIP is set in the last 244 us of each second, as on the chip.
 *  - Reading the seconds takes a copy of the time; the other time bytes come from it
 *    for 2 ms, so that a slow reader gets bytes of one second.
 *  - Flags in C are worked out when read. A timer runs only while an enabled
 *    interrupt waits for its event.
 * While B.SET is on, or A holds the divider in reset, the time stands still and
 * its bytes are memory; then what they hold becomes the time. Any bytes do:
 * impossible dates run over into possible ones. No daylight saving, no square wave.
 *
 * Locking: the device's own; the timer takes it.
 */
#include "devices/rtc_cmos.h"

#include <errno.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* Memory sizes, low byte first; 16 bits where nothing else is said. */
enum {
    CMOS_BASE_KIB = 0x15,
    CMOS_EXTENDED_KIB = 0x17,   /* above 1 MiB */
    CMOS_EXTENDED_KIB_2 = 0x30, /* the same */
    CMOS_ABOVE_16M = 0x34,      /* in 64 KiB, below 4 GiB */
    CMOS_ABOVE_4G = 0x5b,       /* in 64 KiB, 24 bits */
};

#define A_RESET 0x26 /* crystal of 32768 Hz, rate 1024 Hz */
#define D_VALID 0x80

enum {
    C_UPDATE = 0x10,
    C_ALARM = 0x20,
    C_PERIODIC = 0x40,
    C_FLAGS = 0x70,
    C_IRQ = 0x80,
};

#define UIP_NS        244000
#define COPY_NS       (2 * NS_PER_MS)
#define FIRST_TICK_NS (NS_PER_SEC / 2) /* from divider reset to the first update */
#define CRYSTAL_HZ    32768

/* --- events ----------------------------------------------------------- */

static uint64_t crystal_now(const struct rtc *r)
{
    uint64_t ns = clock_now(r->dev.env->clock);
    return ns / NS_PER_SEC * CRYSTAL_HZ + ns % NS_PER_SEC * CRYSTAL_HZ / NS_PER_SEC;
}

/* Machine time at which the crystal has made that many ticks. */
static uint64_t crystal_ns(uint64_t tick)
{
    uint64_t part = tick % CRYSTAL_HZ * NS_PER_SEC;
    return tick / CRYSTAL_HZ * NS_PER_SEC + (part + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

/* A period is 2^n ticks; -1: there is none. */
static int period_log2(const struct rtc *r)
{
    int rate = r->cmos[CMOS_A] & A_RATE;
    if (rate == 0 || rtc_divider_reset(r)) {
        return -1;
    }
    return rate < 3 ? rate + 6 : rate - 1; /* 1 and 2 are 256 and 128 Hz again */
}

static void update_line(struct rtc *r)
{
    uint8_t *c = &r->cmos[CMOS_C];
    bool level = (*c & r->cmos[CMOS_B] & C_FLAGS) != 0;
    *c = (uint8_t)((*c & C_FLAGS) | (level ? C_IRQ : 0));
    if (level != r->line) {
        r->line = level;
        irq_set(&r->out, level);
    }
}

/* Set the flags of what has happened since the last call. */
static void catch_up(struct rtc *r)
{
    uint8_t flags = 0;
    uint64_t tick = crystal_now(r);
    int period = period_log2(r);
    if (period >= 0 && tick >> period != r->seen_tick >> period) {
        flags |= C_PERIODIC;
    }
    r->seen_tick = tick;
    int64_t s = rtc_now(r).s;
    if (rtc_running(r) && s != r->seen_s) {
        int wait = rtc_seconds_to_alarm(r, r->seen_s);
        flags |= C_UPDATE;
        flags |= wait > 0 && s - r->seen_s >= wait ? C_ALARM : 0;
    }
    r->seen_s = s;
    r->cmos[CMOS_C] |= flags;
    update_line(r);
    if ((flags & r->cmos[CMOS_B] & C_ALARM) != 0 && r->on_alarm != NULL) {
        bh_schedule(r->on_alarm);
    }
}

void rtc_cmos_on_alarm(struct device *rtc, struct bh *bh)
{
    DEVICE_STATE(struct rtc, rtc)->on_alarm = bh;
}

/* Let the timer fire at the next event whose interrupt is on and not yet pending. */
static void arm_timer(struct rtc *r)
{
    uint8_t awaited = r->cmos[CMOS_B] & C_FLAGS & ~r->cmos[CMOS_C];
    uint64_t now = clock_now(r->dev.env->clock);
    uint64_t deadline = UINT64_MAX;
    int period = period_log2(r);
    if (awaited & C_PERIODIC && period >= 0) {
        deadline = crystal_ns(((r->seen_tick >> period) + 1) << period);
    }
    struct moment m = rtc_now(r);
    int wait = awaited & C_UPDATE ? 1 : awaited & C_ALARM ? rtc_seconds_to_alarm(r, m.s) : 0;
    if (rtc_running(r) && wait > 0) {
        uint64_t at = now + (uint64_t)wait * NS_PER_SEC - m.ns;
        deadline = at < deadline ? at : deadline;
    }
    if (deadline != UINT64_MAX) {
        timer_arm(&r->timer, deadline);
    } else {
        timer_cancel(&r->timer);
    }
}

static void event_due(void *opaque)
{
    struct rtc *r = opaque;
    device_lock(&r->dev);
    catch_up(r);
    arm_timer(r);
    device_unlock(&r->dev);
}

/* --- ports ------------------------------------------------------------ */

static uint8_t read_byte(struct rtc *r, unsigned index)
{
    if (index == CMOS_A) {
        r->copied_at = 0; /* the guest looks for the right moment: what it reads next is new */
        bool uip = rtc_running(r) && rtc_now(r).ns >= NS_PER_SEC - UIP_NS;
        return r->cmos[CMOS_A] | (uip ? A_UIP : 0);
    }
    if (index == CMOS_C) {
        catch_up(r);
        uint8_t flags = r->cmos[CMOS_C];
        r->cmos[CMOS_C] = 0;
        update_line(r);
        arm_timer(r);
        return flags;
    }
    bool stale =
        index == CMOS_SECONDS || clock_realtime(r->dev.env->clock) - r->copied_at > COPY_NS;
    if (rtc_is_time_byte(index) && rtc_running(r) && stale) {
        rtc_time_to_bytes(r, rtc_now(r));
    }
    return r->cmos[index];
}

static void store_byte(struct rtc *r, unsigned index, uint8_t value)
{
    switch (index) {
    case CMOS_A:
        r->cmos[CMOS_A] = value & ~A_UIP;
        break;
    case CMOS_B:
        r->cmos[CMOS_B] = value & B_SET ? value & ~B_UPDATE : value;
        break;
    case CMOS_C:
    case CMOS_D:
        break;
    default:
        r->cmos[index] = value;
        break;
    }
}

static void write_byte(struct rtc *r, unsigned index, uint8_t value)
{
    catch_up(r);
    struct moment m = rtc_now(r);
    uint32_t ns = rtc_divider_reset(r) ? FIRST_TICK_NS : m.ns;
    bool ran = rtc_running(r);
    if (ran) {
        rtc_time_to_bytes(r, m);
    }
    store_byte(r, index, value);
    if (rtc_running(r) && (!ran || rtc_is_time_byte(index))) {
        rtc_bytes_to_time(r, ns);
    }
    r->copied_at = 0;
    update_line(r);
    arm_timer(r);
}

static uint64_t rtc_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    return read_byte(r, r->index);
}

static void rtc_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)size;
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    if (offset == 0) {
        r->index = value % CMOS_SIZE; /* bit 7 masks NMIs, of which there are none */
        posted_count(&r->index_writes);
    } else {
        write_byte(r, r->index, (uint8_t)value);
    }
}

static const struct reg rtc_regs[] = {
    {"index", 0, 1, 1, REG_WO, 0, "number of the byte that data is; bit 7 ignored"},
    {"data", 1, 1, 1, REG_RW, 0, "the byte: 0-9 time and alarm, a-d registers, e-7f memory"},
};

/* --- class ------------------------------------------------------------ */

static void put_le(struct rtc *r, unsigned index, unsigned bytes, uint64_t value)
{
    uint64_t max = (UINT64_C(1) << 8 * bytes) - 1;
    value = value < max ? value : max;
    for (unsigned i = 0; i < bytes; i++) {
        r->cmos[index + i] = (uint8_t)(value >> 8 * i);
    }
}

static void store_memory_sizes(struct rtc *r)
{
    uint64_t low = r->dev.env->low_ram;
    uint64_t extended_kib = low > MIB ? (low - MIB) / KIB : 0;
    put_le(r, CMOS_BASE_KIB, 2, low < 640 * KIB ? low / KIB : 640);
    put_le(r, CMOS_EXTENDED_KIB, 2, extended_kib);
    put_le(r, CMOS_EXTENDED_KIB_2, 2, extended_kib);
    put_le(r, CMOS_ABOVE_16M, 2, low > 16 * MIB ? (low - 16 * MIB) / (64 * KIB) : 0);
    put_le(r, CMOS_ABOVE_4G, 3, r->dev.env->high_ram / (64 * KIB));
}

/* An index has no effect until the access to data that follows, and that exits. */
static const struct posted_rule index_rule = {.offset = 0, .size = 1, .after = 1};

static int rtc_realize(struct device *d, struct err *e)
{
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    struct region *ports;
    int ret = device_map_block(d, 0, d->env->io_root, r->iobase, &ports, e);
    if (ret < 0) {
        return ret;
    }
    posted_init(&r->index_writes, d, ports, &index_rule, true);
    r->out = d->env->irq(d->env->opaque, r->irq);
    timer_init(&r->timer, d->env->loop, event_due, r);
    r->cmos[CMOS_A] = A_RESET;
    r->cmos[CMOS_B] = B_24H;
    r->cmos[CMOS_D] = D_VALID;
    store_memory_sizes(r);
    r->seen_s = rtc_now(r).s;
    r->seen_tick = crystal_now(r);
    return 0;
}

static void rtc_unrealize(struct device *d)
{
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    timer_cancel(&r->timer);
    posted_fini(&r->index_writes);
    irq_set(&r->out, false);
}

/* The reset pin stops interrupts; time and memory live on a battery. */
static void rtc_reset(struct device *d)
{
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    r->index = 0;
    r->copied_at = 0;
    r->cmos[CMOS_B] &= (uint8_t)~B_CLEARED_BY_RESET;
    r->cmos[CMOS_C] = 0;
    update_line(r);
    arm_timer(r);
}

/* Far beyond all years that the time bytes can say. */
#define OFFSET_MAX_S (INT64_C(1) << 40)

/* What has come due since the snapshot, on the host's clock of now, comes at once. */
static int rtc_loaded(struct device *d, struct err *e)
{
    struct rtc *r = DEVICE_STATE(struct rtc, d);
    if (r->offset_s < -OFFSET_MAX_S || r->offset_s > OFFSET_MAX_S || r->phase_ns >= NS_PER_SEC ||
        r->seen_s < -2 * OFFSET_MAX_S || r->seen_s > 2 * OFFSET_MAX_S || r->index >= CMOS_SIZE) {
        return err_set(e, EINVAL, "its time or index is impossible");
    }
    r->copied_at = 0;
    r->line = false; /* of the new machine */
    catch_up(r);
    arm_timer(r);
    return 0;
}

static const struct reg_block rtc_blocks[] = {
    {
        .name = "ports",
        .size = 2,
        .regs = TABLE(rtc_regs),
        .read = rtc_read,
        .write = rtc_write,
    },
};

static const struct prop rtc_props[] = {
    PROP(struct rtc, iobase, PROP_U32, "0x70", 0, 0xffff, "first I/O port"),
    PROP(struct rtc, irq, PROP_U32, "8", 0, 0, "GSI"),
};

static const struct field rtc_fields[] = {
    FIELD(struct rtc, index, 1),    FIELD_ARRAY(struct rtc, cmos, 1),
    FIELD(struct rtc, offset_s, 1), FIELD(struct rtc, phase_ns, 1),
    FIELD(struct rtc, seen_s, 1),   FIELD(struct rtc, seen_tick, 1),
    FIELD(struct rtc, line, 1),
};

const struct device_class rtc_cmos_class = {
    .name = "rtc-cmos",
    .summary = "real-time clock and battery-backed memory (MC146818)",
    .state_size = sizeof(struct rtc),
    .props = TABLE(rtc_props),
    .blocks = TABLE(rtc_blocks),
    .fields = TABLE(rtc_fields),
    .version = 1,
    .internal = true,
    .realize = rtc_realize,
    .unrealize = rtc_unrealize,
    .reset = rtc_reset,
    .loaded = rtc_loaded,
};
