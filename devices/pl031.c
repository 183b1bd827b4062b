/*
 * pl031: the real-time clock of ARM boards, which counts seconds since 1970.
 *
 * Model: ARM PrimeCell Real Time Clock (PL031) Technical Reference Manual, ARM
 * DDI 0224. The time is the host's plus an offset that a guest changes by
 * writing LR; nothing ticks, and seconds begin when the host's do. When DR comes
 * to MR the interrupt is raised: this is worked out when RIS is read, and a
 * timer runs only while the interrupt is enabled and not pending. Time and LR live
 * on a battery: a reset leaves them alone. The clock cannot be stopped (CR).
 *
 * Locking: the device's own; the timer takes it.
 */
#include "src/device.h"

enum {
    RTC_DR = 0x00,
    RTC_MR = 0x04,
    RTC_LR = 0x08,
    RTC_CR = 0x0c,
    RTC_IMSC = 0x10,
    RTC_RIS = 0x14,
    RTC_MIS = 0x18,
    RTC_ICR = 0x1c,
    RTC_ID = 0xfe0,
    RTC_SIZE = 0x1000,
};

#define CR_STARTED 1u

struct pl031 {
    struct device dev;
    /* properties */
    uint64_t addr;
    uint32_t gsi;
    /* registers */
    uint32_t mr, lr;
    bool imsc, ris;
    uint32_t offset_s; /* DR is the host's seconds plus this, modulo 2^32 */
    uint64_t match_s;  /* the host's seconds when DR is MR next */
    bool line;
    struct irq out;
    struct timer match;
};

static uint64_t host_seconds(const struct pl031 *r)
{
    return clock_realtime(r->dev.env->clock) / NS_PER_SEC;
}

static uint32_t count(const struct pl031 *r)
{
    return (uint32_t)host_seconds(r) + r->offset_s;
}

static void update_line(struct pl031 *r)
{
    bool level = r->ris && r->imsc;
    if (level != r->line) {
        r->line = level;
        irq_set(&r->out, level);
    }
}

/* Raise the interrupt if DR has come to MR since the last call. */
static void catch_up(struct pl031 *r)
{
    if (host_seconds(r) >= r->match_s) {
        r->ris = true;
        r->match_s += UINT64_C(1) << 32;
    }
    update_line(r);
}

/* The wall clock may be set: whether it is time, catch_up() decides. */
static void arm_timer(struct pl031 *r)
{
    const struct clock *clock = r->dev.env->clock;
    if (r->imsc && !r->ris) {
        timer_arm(&r->match, clock_now(clock) + r->match_s * NS_PER_SEC - clock_realtime(clock));
    } else {
        timer_cancel(&r->match);
    }
}

static void match_due(void *opaque)
{
    struct pl031 *r = opaque;
    device_lock(&r->dev);
    catch_up(r);
    arm_timer(r);
    device_unlock(&r->dev);
}

/* MR or the time is another; MR that is the time already matches at once. */
static void set_match(struct pl031 *r)
{
    r->match_s = host_seconds(r) + (uint32_t)(r->mr - count(r));
    catch_up(r);
}

static uint64_t pl031_read(struct device *d, uint32_t offset, unsigned size)
{
    static const uint8_t id[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    (void)size;
    catch_up(r);
    switch (offset) {
    case RTC_DR:
        return count(r);
    case RTC_MR:
        return r->mr;
    case RTC_LR:
        return r->lr;
    case RTC_CR:
        return CR_STARTED;
    case RTC_IMSC:
        return r->imsc;
    case RTC_RIS:
        return r->ris;
    case RTC_MIS:
        return r->ris && r->imsc;
    default:
        return id[(offset - RTC_ID) / 4];
    }
}

static void pl031_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    (void)size;
    catch_up(r);
    switch (offset) {
    case RTC_MR:
        r->mr = (uint32_t)value;
        set_match(r);
        break;
    case RTC_LR:
        r->lr = (uint32_t)value;
        r->offset_s = r->lr - (uint32_t)host_seconds(r);
        set_match(r);
        break;
    case RTC_IMSC:
        r->imsc = value & 1;
        break;
    case RTC_ICR:
        r->ris = r->ris && !(value & 1);
        break;
    default: /* CR: it is started */
        break;
    }
    update_line(r);
    arm_timer(r);
}

static const struct reg pl031_regs[] = {
    {"DR", RTC_DR, 4, 4, REG_RO, 0, "seconds since 1970"},
    {"MR", RTC_MR, 4, 4, REG_RW, 0, "interrupt when DR comes to this"},
    {"LR", RTC_LR, 4, 4, REG_RW, 0, "a write sets DR; reads what was written last"},
    {"CR", RTC_CR, 4, 4, REG_RW, CR_STARTED, "1 started; a write has no effect"},
    {"IMSC", RTC_IMSC, 4, 4, REG_RW, 0, "1: interrupt enabled"},
    {"RIS", RTC_RIS, 4, 4, REG_RO, 0, "1: DR came to MR"},
    {"MIS", RTC_MIS, 4, 4, REG_RO, 0, "RIS & IMSC: the interrupt"},
    {"ICR", RTC_ICR, 4, 4, REG_WO, 0, "write 1 to clear RIS"},
    {"ID", RTC_ID, 32, 4, REG_RO, 0x31, "PrimeCell identification, a byte a word"},
};

static const struct reg_block pl031_blocks[] = {
    {
        .name = "registers",
        .size = RTC_SIZE,
        .regs = TABLE(pl031_regs),
        .misfit_reads_zero = true,
        .read = pl031_read,
        .write = pl031_write,
    },
};

static const struct prop pl031_props[] = {
    PROP(struct pl031, addr, PROP_U64, "0x09010000", 0, 0, "guest-physical address"),
    PROP(struct pl031, gsi, PROP_U32, "2", 0, 0, "GSI"),
};

static int pl031_realize(struct device *d, struct err *e)
{
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    int ret = device_map_block(d, 0, d->env->mem_root, r->addr, NULL, e);
    if (ret < 0) {
        return ret;
    }
    r->out = d->env->irq(d->env->opaque, r->gsi);
    timer_init(&r->match, d->env->loop, match_due, r);
    return 0;
}

static void pl031_unrealize(struct device *d)
{
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    timer_cancel(&r->match);
    irq_set(&r->out, false);
}

static void pl031_reset(struct device *d)
{
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    r->mr = 0;
    r->imsc = false;
    set_match(r);
    r->ris = false;
    arm_timer(r);
}

static int pl031_loaded(struct device *d, struct err *e)
{
    struct pl031 *r = DEVICE_STATE(struct pl031, d);
    (void)e;
    r->line = false; /* of the new machine */
    catch_up(r);
    arm_timer(r);
    return 0;
}

static const struct field pl031_fields[] = {
    FIELD(struct pl031, mr, 1),   FIELD(struct pl031, lr, 1),       FIELD(struct pl031, imsc, 1),
    FIELD(struct pl031, ris, 1),  FIELD(struct pl031, offset_s, 1), FIELD(struct pl031, match_s, 1),
    FIELD(struct pl031, line, 1),
};

const struct device_class pl031_class = {
    .name = "pl031",
    .summary = "real-time clock of ARM boards (PrimeCell PL031)",
    .state_size = sizeof(struct pl031),
    .props = TABLE(pl031_props),
    .blocks = TABLE(pl031_blocks),
    .fields = TABLE(pl031_fields),
    .version = 1,
    .internal = true,
    .realize = pl031_realize,
    .unrealize = pl031_unrealize,
    .reset = pl031_reset,
    .loaded = pl031_loaded,
};
