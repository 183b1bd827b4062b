/*
 * i8042: the PC's keyboard controller, with nothing plugged into it.
 *
 * Model: IBM PC AT Technical Reference (1984), "8042 keyboard controller", with
 * the PS/2 commands. What is here is what software that expects a controller
 * wants answered: self tests, configuration byte, output port, loop-back writes
 * and the reset pulse. Every command that has an answer gets it at once, so no
 * driver waits for a time-out; bytes for keyboard and mouse go nowhere. The
 * mouse port fails its test, so that no driver looks for a mouse. A20 is always
 * on. There are no interrupts, because nothing ever arrives.
 *
 * Locking: the device's own.
 */
#include "src/device.h"

#define I8042_DATA_PORT    0x60
#define I8042_COMMAND_PORT 0x64

enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_SYSTEM = 0x04,   /* self test passed */
    STATUS_COMMAND = 0x08,  /* the last write went to the command port */
    STATUS_UNLOCKED = 0x10, /* no key lock */
};

enum {
    CMD_READ_CONFIG = 0x20,
    CMD_WRITE_CONFIG = 0x60,
    CMD_AUX_DISABLE = 0xa7,
    CMD_AUX_ENABLE = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_DISABLE = 0xad,
    CMD_KBD_ENABLE = 0xae,
    CMD_READ_OUTPUT_PORT = 0xd0,
    CMD_WRITE_OUTPUT_PORT = 0xd1,
    CMD_KBD_LOOP = 0xd2,
    CMD_AUX_LOOP = 0xd3,
    CMD_AUX_SEND = 0xd4,
    CMD_PULSE = 0xf0, /* low nibble: a 0 bit pulses that line of the output port */
};

enum {
    CONFIG_SYSTEM = 0x04,
    CONFIG_KBD_OFF = 0x10,
    CONFIG_AUX_OFF = 0x20,
    CONFIG_TRANSLATE = 0x40,
    CONFIG_RESET = CONFIG_SYSTEM | CONFIG_KBD_OFF | CONFIG_AUX_OFF | CONFIG_TRANSLATE,
};

enum {
    OUTPUT_NOT_RESET = 0x01, /* 0 holds the CPU in reset */
    OUTPUT_A20 = 0x02,
};

#define SELF_TEST_PASSED 0x55
#define KBD_TEST_PASSED  0x00
#define AUX_TEST_STUCK   0x01 /* clock line stuck low */

struct i8042 {
    struct device dev;
    uint8_t config;
    uint8_t output_port;
    uint8_t output; /* byte waiting at the data port */
    bool output_full;
    uint8_t pending;      /* command whose parameter comes next; 0: none */
    bool command_written; /* STATUS_COMMAND */
};

static void answer(struct i8042 *k, uint8_t byte)
{
    k->output = byte;
    k->output_full = true;
}

static void request_reset(struct i8042 *k)
{
    k->dev.env->event(k->dev.env->opaque, MACHINE_REBOOT, 0);
}

static void take_parameter(struct i8042 *k, uint8_t command, uint8_t value)
{
    switch (command) {
    case CMD_WRITE_CONFIG:
        k->config = value;
        break;
    case CMD_WRITE_OUTPUT_PORT:
        k->output_port = value | OUTPUT_NOT_RESET;
        if (!(value & OUTPUT_NOT_RESET)) {
            request_reset(k);
        }
        break;
    case CMD_KBD_LOOP:
    case CMD_AUX_LOOP: /* comes back as if from the keyboard: there is no mouse port */
        answer(k, value);
        break;
    default: /* for keyboard or mouse: nobody there */
        break;
    }
}

/* The commands that switch an interface; false: it is none. */
static bool switch_interface(struct i8042 *k, uint8_t command)
{
    switch (command) {
    case CMD_AUX_DISABLE:
        k->config |= CONFIG_AUX_OFF;
        return true;
    case CMD_AUX_ENABLE:
        k->config &= (uint8_t)~CONFIG_AUX_OFF;
        return true;
    case CMD_KBD_DISABLE:
        k->config |= CONFIG_KBD_OFF;
        return true;
    case CMD_KBD_ENABLE:
        k->config &= (uint8_t)~CONFIG_KBD_OFF;
        return true;
    default:
        return false;
    }
}

static void run_command(struct i8042 *k, uint8_t command)
{
    k->pending = 0;
    switch (command) {
    case CMD_READ_CONFIG:
        answer(k, k->config);
        break;
    case CMD_AUX_TEST:
        answer(k, AUX_TEST_STUCK);
        break;
    case CMD_SELF_TEST:
        k->config = CONFIG_RESET;
        answer(k, SELF_TEST_PASSED);
        break;
    case CMD_KBD_TEST:
        answer(k, KBD_TEST_PASSED);
        break;
    case CMD_READ_OUTPUT_PORT:
        answer(k, k->output_port);
        break;
    case CMD_WRITE_CONFIG:
    case CMD_WRITE_OUTPUT_PORT:
    case CMD_KBD_LOOP:
    case CMD_AUX_LOOP:
    case CMD_AUX_SEND:
        k->pending = command;
        break;
    default:
        if ((command & 0xf0) == CMD_PULSE) {
            if (!(command & OUTPUT_NOT_RESET)) {
                request_reset(k);
            }
        } else if (!switch_interface(k, command)) {
            guest_error(&k->dev.guest_errors, "%s: unknown command 0x%x", k->dev.id, command);
        }
        break;
    }
}

static uint64_t data_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    struct i8042 *k = DEVICE_STATE(struct i8042, d);
    k->output_full = false;
    return k->output;
}

static void data_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    struct i8042 *k = DEVICE_STATE(struct i8042, d);
    uint8_t command = k->pending;
    k->pending = 0;
    k->command_written = false;
    take_parameter(k, command, (uint8_t)value);
}

static uint64_t status_read(struct device *d, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    const struct i8042 *k = DEVICE_STATE(struct i8042, d);
    return STATUS_UNLOCKED | (k->output_full ? STATUS_OUTPUT_FULL : 0) |
           (k->command_written ? STATUS_COMMAND : 0) |
           (k->config & CONFIG_SYSTEM ? STATUS_SYSTEM : 0);
}

static void command_write(struct device *d, uint32_t offset, uint64_t value, unsigned size)
{
    (void)offset, (void)size;
    struct i8042 *k = DEVICE_STATE(struct i8042, d);
    k->command_written = true;
    run_command(k, (uint8_t)value);
}

static const struct reg data_regs[] = {
    {"data", 0, 1, 1, REG_RW, 0, "answer of the last command; parameter of the next"},
};
static const struct reg command_regs[] = {
    {"status", 0, 1, 1, REG_RO, STATUS_UNLOCKED | STATUS_SYSTEM,
     "1 output full, 4 system, 8 command, 0x10 unlocked"},
    {"command", 0, 1, 1, REG_WO, 0, "controller command; 0xfe resets the machine"},
};

static const struct reg_block i8042_blocks[] = {
    {
        .name = "data",
        .size = 1,
        .regs = TABLE(data_regs),
        .read = data_read,
        .write = data_write,
    },
    {
        .name = "command",
        .size = 1,
        .regs = TABLE(command_regs),
        .read = status_read,
        .write = command_write,
    },
};

static int i8042_realize(struct device *d, struct err *e)
{
    int ret = device_map_block(d, 0, d->env->io_root, I8042_DATA_PORT, NULL, e);
    if (ret < 0) {
        return ret;
    }
    return device_map_block(d, 1, d->env->io_root, I8042_COMMAND_PORT, NULL, e);
}

static void i8042_reset(struct device *d)
{
    struct i8042 *k = DEVICE_STATE(struct i8042, d);
    k->config = CONFIG_RESET;
    k->output_port = OUTPUT_NOT_RESET | OUTPUT_A20;
    k->output = 0;
    k->output_full = false;
    k->pending = 0;
    k->command_written = false;
}

static const struct field i8042_fields[] = {
    FIELD(struct i8042, config, 1),  FIELD(struct i8042, output_port, 1),
    FIELD(struct i8042, output, 1),  FIELD(struct i8042, output_full, 1),
    FIELD(struct i8042, pending, 1), FIELD(struct i8042, command_written, 1),
};

const struct device_class i8042_class = {
    .name = "i8042",
    .summary = "keyboard controller without keyboard; resets the machine",
    .state_size = sizeof(struct i8042),
    .blocks = TABLE(i8042_blocks),
    .fields = TABLE(i8042_fields),
    .version = 1,
    .internal = true,
    .realize = i8042_realize,
    .reset = i8042_reset,
};
