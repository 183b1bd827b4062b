/*
 * The list of all device classes, in the order `--device help` shows them.
 * An explicit list: what is registered does not depend on link order.
 */
#include "src/device.h"

const struct device_class *const device_classes[] = {
    NULL,
};
