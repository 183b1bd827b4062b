/*
 * Options that say what the machine is: kernel, memory, CPUs, disks, devices.
 */
#include "src/config_rows.h"

#include "src/base/opts.h"

#include <errno.h>
#include <string.h>

#define MEMORY_MIN (1ULL << 20)
#define MEMORY_MAX (1ULL << 46)

static int set_kernel(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->kernel, value, "kernel", e);
}

static int set_initrd(struct config *c, const char *value, struct err *e)
{
    return config_list_add(&c->initrds, value, e);
}

static int set_append(struct config *c, const char *value, struct err *e)
{
    return config_list_add(&c->appends, value, e);
}

static int set_disk(struct config *c, const char *value, struct err *e)
{
    return config_list_add(&c->disks, value, e);
}

static int set_memory(struct config *c, const char *value, struct err *e)
{
    int ret = opt_size(value, MEMORY_MIN, MEMORY_MAX, &c->memory, e);

    if (ret == 0 && c->memory % 4096 != 0) {
        ret = err_set(e, EINVAL, "%s is not a multiple of 4K", value);
    }
    if (ret < 0) {
        err_hint(e, "the guest needs at least 1M; a Linux guest 128M or more: --memory 256M");
    }
    return ret;
}

static int set_cpus(struct config *c, const char *value, struct err *e)
{
    uint64_t n;
    int ret = opt_u64(value, 1, UINT32_MAX, &n, e);

    if (ret == 0) {
        c->cpus = (unsigned)n;
    }
    return ret;
}

static int set_cpu(struct config *c, const char *value, struct err *e)
{
    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_CPU_FEATURES;
        return 0;
    }
    return config_set_once(&c->cpu, value, "cpu", e);
}

static int set_device(struct config *c, const char *value, struct err *e)
{
    const char *comma = strchr(value, ',');

    if (strcmp(value, "help") == 0) {
        c->action = ACTION_LIST_DEVICES;
        return 0;
    }
    if (comma != NULL && strcmp(comma, ",help") == 0) {
        c->action = ACTION_DEVICE_HELP;
        c->help_topic = value;
        return 0;
    }
    return config_list_add(&c->devices, value, e);
}

static int set_console(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->console, value, "console", e);
}

static int set_dtb(struct config *c, const char *value, struct err *e)
{
    return config_set_once(&c->dtb, value, "dtb", e);
}

static const struct option_row rows[] = {
    {"kernel", "FILE",
     "x86-64: bzImage, ELF vmlinux, multiboot-1 or flat real-mode image; arm64: Image, Image.gz or "
     "flat image",
     set_kernel},
    {"initrd", "FILE", "initial RAM disk; several are concatenated", set_initrd},
    {"append", "STRING", "kernel command line; several are joined with a space", set_append},
    {"disk", "FILE[,ro][,overlay][,format=raw][,serial=S]",
     "a virtio disk: vda, vdb, ... in order; overlay: what is written ends with vmm", set_disk},
    {"memory", "SIZE", "guest RAM, with K M G T (256M)", set_memory},
    {"cpus", "N", "number of vCPUs (1)", set_cpus},
    {"cpu", "host[,-FEATURE][,+FEATURE][,hyperv=on]",
     "CPU features the guest sees; 'help' lists (host); hyperv=on: Hyper-V's interface, too "
     "(x86-64)",
     set_cpu},
    {"device", "NAME[,PROP=VALUE]", "add a device; 'help' lists, 'NAME,help' describes",
     set_device},
    {"machine", "NAME[,PROP=VALUE]", "machine type; 'help' lists", config_set_machine},
    {"console", "stdio|null|file:PATH|pty|unix:PATH", "where the first UART goes (stdio)",
     set_console},
    {"dtb", "FILE", "give the guest this device tree instead of vmm's", set_dtb},
};

const struct option_table config_guest_options = {TABLE_ROWS(rows), NULL};
