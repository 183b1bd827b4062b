/*
 * Errors a person can act on: what went wrong, why, and what to do.
 *
 * A function that can fail for the host's reasons returns 0 or a negative errno
 * and, when the caller passed one, fills a struct err. Only main.c prints it
 * and exits. Guest mistakes never travel this way: see log.h, guest_error().
 *
 * Locking: none; a struct err belongs to one thread.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Exit statuses of vmm, the same as in `vmm --help`. */
enum exit_status {
    EXIT_OK = 0,          /* the guest powered off */
    EXIT_USAGE = 2,       /* bad option or value */
    EXIT_NO_KVM = 77,     /* this host cannot run guests */
    EXIT_TIMEOUT = 124,   /* --timeout ran out */
    EXIT_HOST = 125,      /* vmm could not set up or run */
    EXIT_CRASH = 126,     /* triple fault, KVM internal error */
    EXIT_PANIC = 127,     /* the guest's kernel said that it panicked */
    EXIT_INTERRUPT = 130, /* SIGINT, SIGTERM, Ctrl-A x */
};

struct err {
    enum exit_status status; /* how vmm should exit if this error ends it */
    char what[512];          /* "what, why"; empty: no error */
    char hint[256];          /* what to do; may be empty */
};

/* An err with nothing in it; status defaults to EXIT_HOST. */
#define ERR_INIT ((struct err){.status = EXIT_HOST})

/*
 * Record an error and return -code (code: a positive errno value), so that
 * callers can write `return err_set(e, ENOENT, "...")`. e may be NULL.
 * A later call overwrites an earlier one and drops its hint.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Add what a person can do about it. */
void err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Set the exit status the error leads to, for instance EXIT_NO_KVM. */
void err_status(struct err *e, enum exit_status status);

/* Put "prefix: " before what: callers add context on the way up. */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Print "vmm: error: ..." and, if there is one, "vmm: hint: ..." on stderr. */
void err_print(const struct err *e);

#endif
