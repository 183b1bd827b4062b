/*
 * Flat real-mode images: loaded and entered at 0000:7c00 as a PC's firmware
 * does with a boot sector, but whole, whatever their size up to the end of
 * conventional memory. The stack begins below the image.
 */
#include "src/arch/x86/map.h"
#include "src/boot/loader.h"

#include <errno.h>
#include <inttypes.h>

#define FLAT_MAX (PC_EBDA_GPA - PC_FLAT_LOAD_GPA)

int load_flat(struct loader *l)
{
    const uint64_t size = l->kernel.size;
    if (size > FLAT_MAX) {
        int rc = loader_err(l, ENOEXEC,
                            "not a kernel format vmm knows, and too large (%" PRIu64
                            " bytes) for a real-mode image",
                            size);
        err_hint(l->e,
                 "vmm takes a bzImage, an ELF vmlinux, a multiboot image or a real-mode "
                 "image of at most %llu KiB",
                 FLAT_MAX >> 10);
        return rc;
    }
    if (l->req->initrd_count > 0) {
        int rc = loader_err(l, EINVAL, "is a real-mode image, which takes no initrd");
        err_hint(l->e, "leave --initrd out");
        return rc;
    }
    l->entry->format = BOOT_FLAT;
    l->entry->mode = BOOT_REAL16;
    l->entry->ip = PC_FLAT_LOAD_GPA;
    l->entry->sp = PC_FLAT_LOAD_GPA;
    return image_load(&l->kernel, 0, l->req->mem, PC_FLAT_LOAD_GPA, size, l->e);
}
