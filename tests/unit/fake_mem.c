/*
 * See fake_mem.h.
 */
#include "tests/unit/fake_mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void record(struct fake_io *io, bool write, uint64_t offset, uint64_t value, unsigned size)
{
    if (io->call_count < FAKE_IO_CALLS) {
        io->calls[io->call_count] = (struct fake_call){write, offset, value, size};
    }
    io->call_count++;
    if (io->on_call != NULL) {
        io->on_call(io);
    }
}

/* Byte i of a value of `size` bytes, counted in memory order. */
static unsigned shift(const struct fake_io *io, unsigned size, unsigned i)
{
    return 8 * (io->ops.endian == ENDIAN_BIG ? size - 1 - i : i);
}

static uint64_t fake_io_read(void *opaque, uint64_t offset, unsigned size)
{
    struct fake_io *io = opaque;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)io->bytes[(offset + i) % FAKE_IO_BYTES] << shift(io, size, i);
    }
    record(io, false, offset, value, size);
    return value;
}

static void fake_io_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct fake_io *io = opaque;

    for (unsigned i = 0; i < size; i++) {
        io->bytes[(offset + i) % FAKE_IO_BYTES] = (uint8_t)(value >> shift(io, size, i));
    }
    record(io, true, offset, value, size);
}

void fake_io_init(struct fake_io *io, struct topology *t, const char *name, uint64_t size)
{
    *io = (struct fake_io){
        .ops =
            {
                .read = fake_io_read,
                .write = fake_io_write,
                .guest = {.min = 1, .max = 8, .unaligned = true},
                .impl = {.min = 1, .max = 8, .unaligned = true},
            },
    };
    for (unsigned i = 0; i < FAKE_IO_BYTES; i++) {
        io->bytes[i] = (uint8_t)(i + 1);
    }
    io_guard_init(&io->guard);
    region_init_io(&io->region, t, name, size, &io->ops, io, &io->guard);
}

void fake_io_fini(struct fake_io *io)
{
    region_fini(&io->region);
    io_guard_destroy(&io->guard);
}

void fake_ram_init(struct fake_ram *ram, struct topology *t, enum region_kind kind,
                   const char *name, size_t size)
{
    ram->host = calloc(1, size);
    cr_assert_not_null(ram->host);
    if (kind == REGION_ROM) {
        region_init_rom(&ram->region, t, name, size, ram->host);
    } else {
        region_init_ram(&ram->region, t, name, size, ram->host);
    }
}

void fake_ram_fini(struct fake_ram *ram)
{
    region_fini(&ram->region);
    free(ram->host);
}
