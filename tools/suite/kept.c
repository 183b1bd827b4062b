/*
 * What stays of a boot: see kept.h.
 */
#include "tools/suite/kept.h"

#include "tools/suite/outfile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tail tail_of(const struct watch *w, struct pool *pool)
{
    size_t at = watch_tail(w, TAIL_LINES, TAIL_BYTES);
    size_t length = w->length - at;

    return (struct tail){
        .text = pool_copy(pool, length > 0 ? w->data + at : "", length),
        .length = length,
        .lines = w->lines,
    };
}

/* Whether it was there. A path that is too long is that of no file. */
static bool forget_file(const char *folder, const char *name, const char *what)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s.%s", folder, name, what);

    return n > 0 && (size_t)n < sizeof(path) && unlink(path) == 0;
}

/* Whether there was a console: NAME has one where NAME.again1 has, and so on. */
static bool forget_attempt(const char *folder, const char *name)
{
    forget_file(folder, name, "messages");
    return forget_file(folder, name, "console");
}

void kept_forget(const char *folder, const char *name)
{
    char again[PATH_MAX];
    unsigned attempt = 0;

    for (bool was = forget_attempt(folder, name); was; was = forget_attempt(folder, again)) {
        snprintf(again, sizeof(again), "%s.again%u", name, ++attempt);
    }
}

int kept_write(const char *folder, const struct result *r, struct pool *pool,
               const struct watch *console, const struct watch *messages, struct tail *console_tail,
               struct tail *messages_tail, struct err *e)
{
    const char *again = r->attempts > 1 ? pool_printf(pool, ".again%u", r->attempts - 1) : "";
    const char *base = pool_printf(pool, "%s/%s%s", folder, r->boot->name, again);
    const char *path = pool_printf(pool, "%s.console", base);

    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        return err_set(e, errno, "cannot make the folder %s: %s", folder, strerror(errno));
    }
    int ret = outfile_write(path, console->data, console->length, e);
    if (ret < 0) {
        return ret;
    }
    console_tail->path = path;
    if (messages->length > 0) {
        path = pool_printf(pool, "%s.messages", base);
        ret = outfile_write(path, messages->data, messages->length, e);
        messages_tail->path = ret < 0 ? NULL : path;
    }
    return ret;
}
