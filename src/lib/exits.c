/*
 * Guest events as values: with the region they met, as text, and as patterns.
 */
#include "src/base/opts.h"
#include "src/lib/internal.h"
#include "src/mem/aspace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- from the record --------------------------------------------------------- */

/* A device's only region goes by the device's id, others by their own name. */
static void name_region(const struct vmm *m, const char *name, char *out, size_t size)
{
    const size_t id = strcspn(name, ".");

    snprintf(out, size, "%s", name);
    for (const struct device *d = m->machine->devices; d != NULL; d = d->next) {
        if (d->region_count == 1 && strlen(d->id) == id && strncmp(d->id, name, id) == 0) {
            snprintf(out, size, "%s", d->id);
        }
    }
}

void lib_describe(const struct vmm *m, const struct exit_record *r, struct vmm_exit *out)
{
    const struct aspace *as = r->io ? m->machine->io : m->machine->mem;
    const struct flat_range *range = flatview_find(aspace_view(as), r->address);

    *out = (struct vmm_exit){
        .number = r->number,
        .space = r->io ? VMM_IO : VMM_MMIO,
        .write = r->write,
        .cpu = r->cpu,
        .size = r->size,
        .address = r->address,
        .value = r->value,
    };
    if (range != NULL) {
        name_region(m, range->region->name, out->region, sizeof(out->region));
        out->offset = range->offset + (r->address - range->addr.first);
    }
}

uint64_t vmm_events(const struct vmm *m)
{
    return atomic_load(&m->recorder->events);
}

size_t vmm_last_exits(struct vmm *m, struct vmm_exit *list, size_t n)
{
    struct exit_record *records = calloc(n != 0 ? n : 1, sizeof(*records));
    const size_t count = records != NULL ? recorder_last(m->recorder, 0, records, n) : 0;

    for (size_t i = 0; i < count; i++) {
        lib_describe(m, &records[i], &list[i]);
    }
    free(records);
    return count;
}

/* --- as text ----------------------------------------------------------------- */

int vmm_exit_print(const struct vmm_exit *x, char *text, size_t size)
{
    char place[80];

    if (x->region[0] != '\0') {
        snprintf(place, sizeof(place), "%s+0x%" PRIx64, x->region, x->offset);
    } else {
        snprintf(place, sizeof(place), "0x%" PRIx64, x->address);
    }
    return snprintf(text, size, "%s %s %u byte%s at %s value 0x%" PRIx64,
                    x->space == VMM_IO ? "IO" : "MMIO", x->write ? "write" : "read", x->size,
                    x->size == 1 ? "" : "s", place, x->value);
}

/* --- patterns ---------------------------------------------------------------- */

#define WORD_MAX 64

/* The next word of *text into word; false: there is none. */
static bool next_word(const char **text, char word[WORD_MAX])
{
    *text += strspn(*text, " \t");
    const size_t len = strcspn(*text, " \t");

    snprintf(word, WORD_MAX, "%.*s", (int)len, *text);
    *text += len;
    return len != 0;
}

static bool is_number(const char *word)
{
    return word[0] >= '0' && word[0] <= '9';
}

static int set_number(const char *word, bool *any, uint64_t *value, struct err *e)
{
    *any = strcmp(word, "any") == 0;
    return *any ? 0 : opt_u64(word, 0, UINT64_MAX, value, e);
}

static int set_place(struct vmm_pattern *p, char *word, struct err *e)
{
    char *plus = strchr(word, '+');

    p->any_place = strcmp(word, "any") == 0;
    p->any_offset = plus == NULL;
    if (p->any_place || is_number(word)) {
        return p->any_place ? 0 : opt_u64(word, 0, UINT64_MAX, &p->exit.address, e);
    }
    if (plus == word) {
        return err_set(e, EINVAL, "'%s' is an offset in no region", word);
    }
    if (plus != NULL) {
        *plus = '\0';
    }
    if ((size_t)snprintf(p->exit.region, sizeof(p->exit.region), "%s", word) >=
        sizeof(p->exit.region)) {
        return err_set(e, EINVAL, "'%s' is too long for a region", word);
    }
    return plus != NULL ? opt_u64(plus + 1, 0, UINT64_MAX, &p->exit.offset, e) : 0;
}

static int set_cpu(struct vmm_pattern *p, const char *word, struct err *e)
{
    uint64_t cpu = 0;
    const int ret = set_number(word, &p->any_cpu, &cpu, e);

    p->exit.cpu = (unsigned)cpu;
    return ret;
}

/* Words that say all themselves. */
static bool set_plain(struct vmm_pattern *p, const char *word)
{
    if (strcmp(word, "MMIO") == 0 || strcmp(word, "IO") == 0) {
        p->any_space = false;
        p->exit.space = word[0] == 'I' ? VMM_IO : VMM_MMIO;
    } else if (strcmp(word, "read") == 0 || strcmp(word, "write") == 0) {
        p->any_direction = false;
        p->exit.write = word[0] == 'w';
    } else {
        return strcmp(word, "any") == 0 || strcmp(word, "access") == 0 ||
               strcmp(word, "byte") == 0 || strcmp(word, "bytes") == 0;
    }
    return true;
}

/* A word and, where it has one, its value, cut off *text. */
static int take_word(struct vmm_pattern *p, char *word, const char **text, struct err *e)
{
    char value[WORD_MAX];
    uint64_t n;
    int ret;

    if (set_plain(p, word)) {
        return 0;
    }
    if (is_number(word)) {
        ret = opt_u64(word, 1, 8, &n, e);
        p->any_size = false;
        p->exit.size = ret == 0 ? (unsigned)n : 0;
        return ret;
    }
    if (strcmp(word, "at") != 0 && strcmp(word, "value") != 0 && strcmp(word, "cpu") != 0) {
        err_set(e, EINVAL, "'%s' says nothing here", word);
        err_hint(e, "[MMIO|IO] [read|write] [N bytes] [at ADDRESS|REGION[+OFFSET]] [value N] "
                    "[cpu N]");
        return -EINVAL;
    }
    if (!next_word(text, value)) {
        return err_set(e, EINVAL, "after '%s' something is missing", word);
    }
    switch (word[0]) {
    case 'a':
        return set_place(p, value, e);
    case 'v':
        return set_number(value, &p->any_value, &p->exit.value, e);
    default:
        return set_cpu(p, value, e);
    }
}

int vmm_pattern_parse(struct vmm_pattern *p, const char *text, struct vmm_error *e)
{
    const char *rest = text;
    char word[WORD_MAX];
    struct err inner = ERR_INIT;
    int ret = 0;

    *p = (struct vmm_pattern){.any_space = true,
                              .any_direction = true,
                              .any_size = true,
                              .any_place = true,
                              .any_offset = true,
                              .any_value = true,
                              .any_cpu = true};
    while (ret == 0 && next_word(&rest, word)) {
        ret = take_word(p, word, &rest, &inner);
    }
    if (ret < 0) {
        err_prefix(&inner, "guest event '%s'", text);
        lib_error(e, &inner);
    }
    return ret;
}

static bool place_matches(const struct vmm_pattern *p, const struct vmm_exit *x)
{
    if (p->any_place) {
        return true;
    }
    if (p->exit.region[0] == '\0') {
        return p->exit.address == x->address;
    }
    return strcmp(p->exit.region, x->region) == 0 && (p->any_offset || p->exit.offset == x->offset);
}

bool vmm_pattern_matches(const struct vmm_pattern *p, const struct vmm_exit *x)
{
    return (p->any_space || p->exit.space == x->space) &&
           (p->any_direction || p->exit.write == x->write) &&
           (p->any_size || p->exit.size == x->size) &&
           (p->any_value || p->exit.value == x->value) && (p->any_cpu || p->exit.cpu == x->cpu) &&
           place_matches(p, x);
}
