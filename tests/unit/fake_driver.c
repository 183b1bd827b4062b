/*
 * A virtio-mmio driver and a disk in memory: see fake_driver.h.
 */
#include "tests/unit/fake_driver.h"

#include "src/base/le.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the disk --------------------------------------------------------------- */

static struct fake_block *fake_of(struct block *b)
{
    return (struct fake_block *)(void *)b;
}

static void transfer(struct fake_block *fb, struct block_request *r)
{
    uint8_t *at = fb->data + r->offset;
    uint64_t sum = 0;
    for (int i = 0; i < r->iov_count; i++) {
        struct iovec *v = &r->iov[i];
        if (r->op == BLOCK_READ) {
            memcpy(v->iov_base, at + sum, v->iov_len);
        } else {
            memcpy(at + sum, v->iov_base, v->iov_len);
        }
        sum += v->iov_len;
    }
    cr_assert_eq(sum, r->len);
}

static void complete(struct fake_block *fb, struct block_request *r)
{
    if (fb->error == 0 && (r->op == BLOCK_READ || r->op == BLOCK_WRITE)) {
        transfer(fb, r);
    } else if (fb->error == 0 && r->op != BLOCK_FLUSH) {
        memset(fb->data + r->offset, 0, r->len);
    }
    r->done(r, fb->error);
}

static void fake_submit(struct block *b, struct block_request *r)
{
    struct fake_block *fb = fake_of(b);
    cr_assert(r->offset <= b->size && r->len <= b->size - r->offset);
    cr_assert(r->offset % BLOCK_SECTOR == 0 && r->len % BLOCK_SECTOR == 0);
    cr_assert(!b->readonly || r->op == BLOCK_READ || r->op == BLOCK_FLUSH);
    fb->ops[r->op]++;
    if (fb->hold) {
        cr_assert_lt(fb->held_count, FAKE_HELD_MAX);
        fb->held[fb->held_count++] = r;
    } else {
        complete(fb, r);
    }
}

static void release_held(struct fake_block *fb)
{
    struct block_request *held[FAKE_HELD_MAX];
    unsigned n = fb->held_count;
    memcpy(held, fb->held, sizeof(held));
    fb->held_count = 0;
    for (unsigned i = 0; i < n; i++) {
        complete(fb, held[i]);
    }
}

static void fake_drain(struct block *b)
{
    struct fake_block *fb = fake_of(b);
    if (fb->held_count > 0 && fb->on_drain != NULL) {
        fb->on_drain(fb);
    }
    while (fb->held_count > 0) {
        fb->drained += fb->held_count;
        release_held(fb);
    }
}

static void fake_close(struct block *b)
{
    fake_of(b)->closed = true;
}

void fake_block_init(struct fake_block *fb, uint64_t size, bool readonly)
{
    static const struct block_ops ops = {
        .submit = fake_submit, .drain = fake_drain, .close = fake_close};
    *fb = (struct fake_block){.block = {.ops = &ops, .size = size, .readonly = readonly}};
    fb->data = malloc(size);
    cr_assert_not_null(fb->data);
    for (uint64_t i = 0; i < size; i++) {
        fb->data[i] = (uint8_t)(i / 512 + i);
    }
}

void fake_block_free(struct fake_block *fb)
{
    cr_assert(fb->closed, "the device did not close its disk");
    free(fb->data);
}

/* --- life --------------------------------------------------------------------- */

void drv_init(struct fake_driver *t, struct fake_block *fb, const char *props)
{
    char text[512];
    struct err e = ERR_INIT;
    struct opt_list list;
    memset(t, 0, sizeof(*t));
    fake_machine_init(&t->machine, 1);
    snprintf(text, sizeof(text), "virtio-blk,addr=0x%llx,gsi=%d%s%s%s", DRV_BASE, DRV_GSI,
             fb != NULL ? ",file=fake" : "", props != NULL ? "," : "", props != NULL ? props : "");
    cr_assert_eq(opt_list_parse(&list, text, &e), 0, "%s", e.what);
    t->d = device_new(&virtio_blk_class, "disk", &t->machine.env, &e);
    cr_assert_not_null(t->d, "%s", e.what);
    t->blk = DEVICE_STATE(struct virtio_blk, t->d);
    for (size_t i = 0; i < list.count; i++) {
        cr_assert_eq(device_set(t->d, list.opts[i].key, list.opts[i].value, &e), 0, "%s", e.what);
    }
    opt_list_free(&list);
    t->blk->block = fb != NULL ? &fb->block : NULL;
    cr_assert_eq(device_realize(t->d, &e), 0, "%s", e.what);
}

void drv_free(struct fake_driver *t)
{
    device_free(t->d);
    fake_machine_free(&t->machine);
}

/* --- registers ------------------------------------------------------------------ */

uint32_t drv_get(struct fake_driver *t, uint32_t reg)
{
    return (uint32_t)fake_read(t->machine.mem, DRV_BASE + reg, 4);
}

void drv_set(struct fake_driver *t, uint32_t reg, uint32_t value)
{
    fake_write(t->machine.mem, DRV_BASE + reg, value, 4);
}

uint64_t drv_errors(struct fake_driver *t)
{
    return guest_error_count(&t->d->guest_errors);
}

static void set64(struct fake_driver *t, uint32_t reg, uint64_t value)
{
    drv_set(t, reg, (uint32_t)value);
    drv_set(t, reg + 4, (uint32_t)(value >> 32));
}

uint32_t drv_negotiate(struct fake_driver *t, uint64_t features)
{
    drv_set(t, R_STATUS, 0);
    drv_set(t, R_STATUS, VIRTIO_ACKNOWLEDGE);
    drv_set(t, R_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    for (uint32_t word = 0; word < 2; word++) {
        drv_set(t, R_DRIVER_FEATURES_SEL, word);
        drv_set(t, R_DRIVER_FEATURES, (uint32_t)(features >> (32 * word)));
    }
    drv_set(t, R_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    return drv_get(t, R_STATUS);
}

void drv_setup_queue(struct fake_driver *t, uint16_t num)
{
    memset(drv_ram(t, DRV_DESC), 0, DRV_HEAD - DRV_DESC);
    t->num = num;
    t->avail_idx = 0;
    t->used_idx = 0;
    drv_set(t, R_QUEUE_SEL, 0);
    drv_set(t, R_QUEUE_NUM, num);
    set64(t, R_QUEUE_DESC, DRV_DESC);
    set64(t, R_QUEUE_DRIVER, DRV_AVAIL);
    set64(t, R_QUEUE_DEVICE, DRV_USED);
    drv_set(t, R_QUEUE_READY, 1);
}

void drv_start(struct fake_driver *t, uint64_t features)
{
    uint32_t status = drv_negotiate(t, features | VIRTIO_F_VERSION_1);
    cr_assert_eq(status, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    drv_setup_queue(t, BLK_QUEUE_MAX);
    cr_assert_eq(drv_get(t, R_QUEUE_READY), 1);
    drv_set(t, R_STATUS, status | VIRTIO_DRIVER_OK);
    cr_assert_eq(drv_get(t, R_STATUS), status | VIRTIO_DRIVER_OK);
}

/* --- the device's thread ----------------------------------------------------------- */

static void nothing(void *opaque)
{
    (void)opaque;
}

void drv_call(struct fake_driver *t, void (*fn)(void *opaque), void *opaque)
{
    iothread_call(t->blk->v.iothread, fn, opaque);
}

/*
 * A turn of the loop fetches kicks before it runs calls. The first call may run
 * in a turn that began before our kick; the second one's turn began after it.
 */
void drv_sync(struct fake_driver *t)
{
    drv_call(t, nothing, NULL);
    drv_call(t, nothing, NULL);
}

static void release_call(void *opaque)
{
    release_held(opaque);
}

void drv_release(struct fake_driver *t, struct fake_block *fb)
{
    drv_call(t, release_call, fb);
}

/* --- rings ---------------------------------------------------------------------------- */

uint8_t *drv_ram(struct fake_driver *t, uint64_t gpa)
{
    cr_assert_lt(gpa, t->machine.ram_size);
    return t->machine.ram + gpa;
}

void drv_desc(struct fake_driver *t, uint64_t table, unsigned i, uint64_t addr, uint32_t len,
              unsigned flags, unsigned next)
{
    uint8_t *d = drv_ram(t, table + 16 * i);
    put_le64(d, addr);
    put_le32(d + 8, len);
    put_le16(d + 12, (uint16_t)flags);
    put_le16(d + 14, (uint16_t)next);
}

void drv_offer(struct fake_driver *t, unsigned head)
{
    put_le16(drv_ram(t, DRV_AVAIL + 4 + 2 * (t->avail_idx % t->num)), (uint16_t)head);
    t->avail_idx++;
    _Atomic uint16_t *idx = (void *)drv_ram(t, DRV_AVAIL + 2);
    atomic_store_explicit(idx, t->avail_idx, memory_order_release);
}

void drv_kick(struct fake_driver *t)
{
    drv_set(t, R_QUEUE_NOTIFY, 0);
}

bool drv_used(struct fake_driver *t, uint32_t *id, uint32_t *len)
{
    _Atomic uint16_t *idx = (void *)drv_ram(t, DRV_USED + 2);
    if (atomic_load_explicit(idx, memory_order_acquire) == t->used_idx) {
        return false;
    }
    const uint8_t *slot = drv_ram(t, DRV_USED + 4 + 8 * (t->used_idx % t->num));
    t->used_idx++;
    *id = get_le32(slot);
    *len = get_le32(slot + 4);
    return true;
}

/* --- requests ------------------------------------------------------------------------- */

void drv_request(struct fake_driver *t, unsigned slot, uint32_t type, uint64_t sector, uint64_t at,
                 uint32_t len, bool device_writes)
{
    uint8_t *head = drv_ram(t, DRV_HEAD + 16 * slot);
    put_le32(head, type);
    put_le32(head + 4, 0);
    put_le64(head + 8, sector);
    *drv_ram(t, DRV_STAT + slot) = 0xee;
    drv_desc(t, DRV_DESC, slot, DRV_HEAD + 16 * slot, 16, DESC_NEXT,
             len != 0 ? slot + 1 : slot + 2);
    drv_desc(t, DRV_DESC, slot + 1, DRV_DATA + at, len,
             DESC_NEXT | (device_writes ? DESC_WRITE : 0), slot + 2);
    drv_desc(t, DRV_DESC, slot + 2, DRV_STAT + slot, 1, DESC_WRITE, 0);
    drv_offer(t, slot);
}

uint8_t drv_status(struct fake_driver *t, unsigned slot)
{
    return *drv_ram(t, DRV_STAT + slot);
}

uint8_t drv_run(struct fake_driver *t, uint32_t type, uint64_t sector, uint64_t at, uint32_t len,
                bool device_writes, uint32_t *used)
{
    uint32_t id, written;
    drv_request(t, 0, type, sector, at, len, device_writes);
    drv_kick(t);
    drv_sync(t);
    cr_assert(drv_used(t, &id, &written), "type %u was not answered", type);
    cr_assert_eq(id, 0);
    if (used != NULL) {
        *used = written;
    }
    return drv_status(t, 0);
}
