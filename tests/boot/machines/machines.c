/*
 * Helpers of the tests of libvmm on KVM: see machines.h.
 */
#include "tests/boot/machines/machines.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* This program is in BUILD/tests/boot/machines. */
static const char *build_folder(void)
{
    static char folder[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

    folder[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(folder, '/');
        cr_assert(slash != NULL);
        *slash = '\0';
    }
    return folder;
}

const char *built(const char *name)
{
    static char path[PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/%s", build_folder(), name);
    return path;
}

const char *micro_guest(const char *name)
{
    static char option[PATH_MAX + 64];

    snprintf(option, sizeof(option), "kernel=%s/guests/%s", build_folder(), name);
    return option;
}

void crashes(struct vmm *m, const char *reason, const char *shown)
{
    struct vmm_stop stop;
    char *text = NULL;
    size_t size;

    cr_assert(vmm_run(m, NULL, &stop, NULL) == 0);
    cr_assert(stop.why == VMM_ENDED && stop.status == 126, "%s", stop.text);
    cr_assert(strstr(stop.text, reason) != NULL, "%s", stop.text);
    FILE *out = open_memstream(&text, &size);
    vmm_transcript(m, out);
    fclose(out);
    cr_assert(strstr(text, "when it crashed") != NULL, "%s", text);
    cr_assert(strstr(text, shown) != NULL, "%s", text);
    free(text);
    vmm_free(m);
}
