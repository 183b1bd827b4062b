/*
 * Code without a file: what the boot CPU needs to begin at an address in one of the modes that
 * kernels are entered in.
 */
#include "src/arch/x86/map.h"
#include "src/boot/loader.h"

#include <errno.h>
#include <inttypes.h>

static int check_reach(enum boot_mode mode, uint64_t gpa, struct err *e)
{
    const uint64_t last = mode == BOOT_REAL16 ? 0xffff : UINT32_MAX;

    if (mode == BOOT_EL1) {
        return err_set(e, EINVAL, "EL1 is a mode of arm64");
    }
    if (gpa > last) {
        return err_set(e, EINVAL,
                       "code at 0x%" PRIx64 ": this mode begins at 0x%" PRIx64 " at most", gpa,
                       last);
    }
    return 0;
}

int boot_enter(struct aspace *mem, enum boot_mode mode, uint64_t gpa, struct boot_entry *entry,
               struct err *e)
{
    const struct boot_request req = {.mem = mem};
    struct loader l = {
        .req = &req, .entry = entry, .e = e, .kernel.role = "code", .kernel.path = ""};
    int ret = check_reach(mode, gpa, e);

    *entry = (struct boot_entry){.mode = mode, .ip = gpa, .sp = gpa};
    if (ret == 0 && mode != BOOT_REAL16) {
        ret = loader_gdt(&l, mode);
    }
    if (ret == 0 && mode == BOOT_LONG64) {
        ret = loader_page_tables(&l);
    }
    return ret;
}
