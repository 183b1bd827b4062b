/*
 * What a person sees while boots run: see screen.h.
 */
#include "tools/suite/screen.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80
#define CLEAR_LINE      "\r\033[K"

void screen_init(struct screen *s, FILE *to, struct pool *pool, size_t count)
{
    *s = (struct screen){.to = to, .live = isatty(fileno(to)) != 0, .pool = pool, .count = count};
}

static size_t columns(const struct screen *s)
{
    struct winsize size;
    bool known = ioctl(fileno(s->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : DEFAULT_COLUMNS;
}

/* "[12/50] 1 failed, running: edu-irq edu-dma": as much as fits in one line. */
static void draw(const struct screen *s)
{
    char line[512];
    size_t room = columns(s) < sizeof(line) ? columns(s) : sizeof(line);
    size_t n;

    if (!s->live) {
        return;
    }
    n = (size_t)snprintf(line, room, "[%zu/%zu] %zu failed, running:", s->ended, s->count,
                         s->failed);
    for (size_t i = 0; i < s->running.count && n < room; i++) {
        const struct boot *b = list_at(&s->running, i);
        n += (size_t)snprintf(line + n, room - n, " %s", b->name);
    }
    fprintf(s->to, CLEAR_LINE "%s", line);
    fflush(s->to);
}

static void forget(struct list *running, const struct boot *b)
{
    for (size_t i = 0; i < running->count; i++) {
        if (list_at(running, i) == b) {
            running->count--;
            memmove(&running->items[i], &running->items[i + 1],
                    (running->count - i) * sizeof(running->items[0]));
            return;
        }
    }
}

void screen_began(void *opaque, const struct boot *b)
{
    struct screen *s = opaque;

    forget(&s->running, b); /* it runs again */
    list_add(s->pool, &s->running, b);
    draw(s);
}

void screen_ended(void *opaque, const struct result *r)
{
    struct screen *s = opaque;

    forget(&s->running, r->boot);
    s->ended++;
    s->failed += r->outcome == OUTCOME_FAILED;
    if (!s->live || r->outcome != OUTCOME_PASSED || r->flaky) {
        if (s->live) {
            fputs(CLEAR_LINE, s->to);
        }
        report_plain(r, s->to);
        fflush(s->to);
    }
    draw(s);
}

void screen_finish(struct screen *s, const struct counts *c)
{
    if (s->live) {
        fputs(CLEAR_LINE, s->to);
    }
    print_counts(c, s->to);
    fflush(s->to);
}
