/*
 * Between config.c, which reads the command line, and the files that own options. Each
 * of them has one table; a new group of options is a new file and a line in config.c.
 *
 * Locking: none; set-up on the main thread.
 */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include "src/config.h"

struct option_row {
    const char *name; /* without the dashes */
    const char *arg;  /* what --help calls its value; NULL: takes none */
    const char *help;
    /* value belongs to argv. 0, or -errno with e set; the caller puts the option's name before it.
     */
    int (*set)(struct config *c, const char *value, struct err *e);
};

struct option_table {
    const struct option_row *rows;
    size_t count;
    /* Do the options go together, all of them being read? NULL: always. */
    int (*check)(const struct config *c, struct err *e);
};

#define TABLE_ROWS(a) (a), sizeof(a) / sizeof((a)[0])

extern const struct option_table config_guest_options;
extern const struct option_table config_run_options;
extern const struct option_table config_exec_options;
extern const struct option_table config_info_options;
extern const struct option_table config_snapshot_options;

/* For options that repeat; -ENOMEM. */
int config_list_add(struct string_list *list, const char *item, struct err *e);

/* For options that do not: -EINVAL when *field is set already. */
int config_set_once(const char **field, const char *value, const char *option, struct err *e);

#endif
