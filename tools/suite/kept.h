/*
 * What stays of a boot: its console and messages in files.
 */
#ifndef SUITE_KEPT_H
#define SUITE_KEPT_H

#include "tools/suite/result.h"

/* The last lines of a stream, copied. */
struct tail tail_of(const struct watch *w, struct pool *pool);

/* Remove what an earlier run may have left under these names. */
void kept_forget(const char *folder, const char *name);

/*
 * Write FOLDER/NAME.console and NAME.messages (which only if it is not empty);
 * attempt > 1 adds ".N" to the name. 0 or a negative errno and a message.
 */
int kept_write(const char *folder, const struct result *r, struct pool *pool,
               const struct watch *console, const struct watch *messages, struct tail *console_tail,
               struct tail *messages_tail, struct err *e);

#endif
