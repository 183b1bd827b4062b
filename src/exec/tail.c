/*
 * A console that keeps its last bytes: see tail.h.
 */
#include "src/exec/tail.h"

#include "src/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct tail *tail_of(struct chardev *c)
{
    return (struct tail *)c; /* its first member */
}

static void tail_free(struct chardev *c)
{
    pthread_mutex_destroy(&tail_of(c)->lock);
    free(tail_of(c));
}

static void tail_attach(struct chardev *c, const struct chardev_frontend *frontend)
{
    (void)c;
    (void)frontend;
}

static size_t tail_write(struct chardev *c, const uint8_t *data, size_t len)
{
    struct tail *t = tail_of(c);

    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < len; i++) {
        t->bytes[t->total++ % TAIL_SIZE] = data[i];
    }
    pthread_mutex_unlock(&t->lock);
    return len;
}

static void tail_nothing(struct chardev *c)
{
    (void)c;
}

struct tail *tail_new(struct err *e)
{
    static const struct chardev_ops ops = {
        .free = tail_free,
        .attach = tail_attach,
        .write = tail_write,
        .accept_input = tail_nothing,
        .flush = tail_nothing,
    };
    struct tail *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        err_set(e, ENOMEM, "cannot make a console, out of memory");
        return NULL;
    }
    t->chardev.ops = &ops;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

/* What is kept, as a string: no NUL and no CR of the guest's is in it. */
static void copy_text(struct tail *t, char text[static TAIL_SIZE + 1])
{
    size_t len = 0;

    pthread_mutex_lock(&t->lock);
    for (size_t i = t->total < TAIL_SIZE ? 0 : t->total - TAIL_SIZE; i < t->total; i++) {
        const char byte = (char)t->bytes[i % TAIL_SIZE];

        if (byte != '\r' && byte != '\0') {
            text[len++] = byte;
        }
    }
    pthread_mutex_unlock(&t->lock);
    text[len] = '\0';
}

bool tail_has(struct tail *t, const char *text)
{
    char kept[TAIL_SIZE + 1];

    copy_text(t, kept);
    return strstr(kept, text) != NULL;
}

void tail_print(struct tail *t, unsigned lines)
{
    char kept[TAIL_SIZE + 1];

    copy_text(t, kept);
    char *at = kept + strlen(kept);
    while (at > kept && lines > 0) {
        at--;
        lines -= at > kept && at[-1] == '\n';
    }
    for (char *save = NULL, *line = strtok_r(at, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        log_message("console: ", "%s", line);
    }
}
