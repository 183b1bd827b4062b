/*
 * One vmm process: see child.h.
 */
#include "tools/suite/child.h"

#include "tools/suite/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- in the child -------------------------------------------------------------- */

/* Tell the parent, and end. */
static _Noreturn void give_up(int start, const struct err *e)
{
    ssize_t n = write(start, e->what, strlen(e->what) + 1);
    _exit(n < 0 ? EXIT_HOST : EXIT_USAGE);
}

/* A descriptor to read the input from. */
static int open_input(const struct plan *plan, struct err *e)
{
    if (plan->input == INPUT_TEXT) {
        int fd = memfd_create("input", MFD_CLOEXEC);
        if (fd < 0 ||
            write(fd, plan->input_text, plan->input_length) != (ssize_t)plan->input_length ||
            lseek(fd, 0, SEEK_SET) < 0) {
            return err_set(e, errno, "cannot keep the input: %s", strerror(errno));
        }
        return fd;
    }
    const char *path = plan->input == INPUT_FILE ? plan->input_text : "/dev/null";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, errno, "cannot open the input %s: %s", path, strerror(errno));
    }
    return fd;
}

static _Noreturn void become_vmm(const struct plan *plan, pid_t parent, int start, int console,
                                 int messages)
{
    struct err e = ERR_INIT;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* it has ended before it could be watched */
        _exit(EXIT_HOST);
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, plan->signals, NULL);
    int input = open_input(plan, &e);
    if (input < 0) {
        give_up(start, &e);
    }
    if (chdir(plan->folder) < 0) {
        err_set(&e, errno, "cannot use the folder %s: %s", plan->folder, strerror(errno));
        give_up(start, &e);
    }
    if (plan->disks != NULL && disks_make(plan->disks, &e) < 0) {
        give_up(start, &e);
    }
    dup2(input, STDIN_FILENO);
    dup2(console, STDOUT_FILENO);
    dup2(messages, STDERR_FILENO);
    execvp(plan->argv[0], plan->argv);
    err_set(&e, errno, "cannot run %s: %s", plan->argv[0], strerror(errno));
    give_up(start, &e);
}

/* --- in vmm-test ------------------------------------------------------------------ */

static void close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* Three pipes whose reading ends do not block; none stays open on failure. */
static int make_pipes(int pipes[3][2])
{
    for (int i = 0; i < 3; i++) {
        pipes[i][0] = pipes[i][1] = -1;
    }
    for (int i = 0; i < 3; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0 || fcntl(pipes[i][0], F_SETFL, O_NONBLOCK) < 0) {
            int code = errno;
            for (int k = 0; k < 3; k++) {
                close_end(&pipes[k][0]);
                close_end(&pipes[k][1]);
            }
            return -code;
        }
    }
    return 0;
}

int child_start(struct child *c, const struct plan *plan, struct err *e)
{
    int pipes[3][2];
    pid_t parent = getpid();
    int ret = make_pipes(pipes);

    if (ret < 0) {
        return err_set(e, -ret, "cannot make pipes: %s", strerror(-ret));
    }
    c->pid = fork();
    if (c->pid == 0) {
        become_vmm(plan, parent, pipes[0][1], pipes[1][1], pipes[2][1]);
    }
    ret = c->pid < 0 ? -errno : 0;
    for (int i = 0; i < 3; i++) {
        close_end(&pipes[i][1]);
        if (ret < 0) {
            close_end(&pipes[i][0]);
        }
    }
    if (ret < 0) {
        return err_set(e, -ret, "cannot start a process: %s", strerror(-ret));
    }
    setpgid(c->pid, c->pid); /* as the child does: whoever comes first */
    c->start = pipes[0][0];
    c->console = pipes[1][0];
    c->messages = pipes[2][0];
    return 0;
}

void child_signal(const struct child *c, int number)
{
    kill(-c->pid, number);
}

bool child_has_ended(const struct child *c)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == c->pid;
}

int child_end(struct child *c)
{
    int status = 0;

    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    close_end(&c->start);
    close_end(&c->console);
    close_end(&c->messages);
    return status;
}
