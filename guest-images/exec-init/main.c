/*
 * The init of an --exec guest: mounts, modules, the program, its end.
 *
 * It reads what to do from /.vmm/conf, which vmm wrote: NUL-terminated words
 * key=value, in this order: line=, module= (any number), cwd=, out= (or none), env=,
 * run= (the file), arg= (from argv[0] on).
 */
#include "guest-images/exec-init/init.h"

#include <linux/module.h>

#define CONF      "/.vmm/conf"
#define CONF_MAX  (1u << 20)
#define WORDS_MAX 16384

SYS_START;

static char conf[CONF_MAX + 1];
static size_t conf_len;

static const char *argv[WORDS_MAX + 1];
static const char *envp[WORDS_MAX + 1];
static const char *cwd = "/", *out, *run;

/* --- the guest ----------------------------------------------------------- */

/* A kernel without a console starts init without these. */
static void open_standard(void)
{
    long fd;

    do {
        fd = sys_open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= 2);
    sys_close(fd);
}

static void mount_all(void)
{
    sys_mount("proc", "/proc");
    sys_mount("sysfs", "/sys");
    sys_mount("devtmpfs", "/dev");
    sys_mkdir("/dev/pts", 0755);
    sys_mount("devpts", "/dev/pts");
    sys_mkdir("/dev/shm", 01777);
    sys_mount("tmpfs", "/dev/shm"); /* not on /tmp: the program may be there */
}

static void read_conf(void)
{
    const long fd = sys_open(CONF, O_RDONLY);
    long n;

    while (conf_len < CONF_MAX && (n = sys_read(fd, conf + conf_len, CONF_MAX - conf_len)) > 0) {
        conf_len += (size_t)n;
    }
    sys_close(fd);
    if (conf_len == 0 || conf[conf_len - 1] != '\0') {
        give_up("cannot read ", CONF, 0);
    }
}

static bool ends_with(const char *s, const char *end)
{
    const size_t len = text_len(s), end_len = text_len(end);

    return len >= end_len && text_equal(s + len - end_len, end);
}

static void load_module(const char *file)
{
    const bool packed = !ends_with(file, ".ko");
    const long fd = sys_open(file, O_RDONLY | O_CLOEXEC);
    const long ret = fd < 0 ? fd : sys_finit_module(fd, packed ? MODULE_INIT_COMPRESSED_FILE : 0);

    sys_close(fd);
    if (ret == -EEXIST || ret == -ENODEV) { /* built in; its device is not there */
        return;
    }
    if (ret < 0 && packed) {
        fail("the kernel does not load this compressed module: ", file, ret);
    }
    if (ret < 0) {
        fail("the kernel does not load this module: ", file, ret);
    }
}

/* Carry out and collect the words of conf. */
static void take_conf(void)
{
    size_t args = 0, envs = 0;

    for (const char *word = conf; word < conf + conf_len; word += text_len(word) + 1) {
        const char *value;

        if ((value = text_after(word, "line=")) != NULL) {
            line_open(value);
        } else if ((value = text_after(word, "module=")) != NULL) {
            load_module(value);
        } else if ((value = text_after(word, "cwd=")) != NULL) {
            cwd = value;
        } else if ((value = text_after(word, "out=")) != NULL) {
            out = value;
        } else if ((value = text_after(word, "run=")) != NULL) {
            run = value;
        } else if ((value = text_after(word, "env=")) != NULL && envs < WORDS_MAX) {
            envp[envs++] = value;
        } else if ((value = text_after(word, "arg=")) != NULL && args < WORDS_MAX) {
            argv[args++] = value;
        }
    }
}

/* --- the program ------------------------------------------------------------ */

/* In the child. What goes wrong is told through the pipe `trouble`. */
static void become_program(const int theirs[3], int trouble)
{
    long ret = sys_chdir(cwd);

    sys_setsid();
    for (int fd = 0; fd < 3; fd++) {
        sys_dup(theirs[fd], fd); /* they are above 2, and closed by execve() */
    }
    sys_sigmask(0);
    if (ret >= 0) {
        ret = sys_execve(run, argv, envp);
    }
    sys_write(trouble, &ret, sizeof(ret));
    sys_exit(127);
}

/* A pipe whose end number `ours` is non-blocking; the other goes to *theirs. */
static int make_pipe(int ours, int *theirs)
{
    int ends[2];
    const long ret = sys_pipe(ends, O_CLOEXEC);

    if (ret < 0) {
        fail("cannot make a pipe", "", ret);
    }
    sys_call(__NR_fcntl, ends[ours], F_SETFL, O_NONBLOCK, 0, 0, 0);
    *theirs = ends[1 - ours];
    return ends[ours];
}

static void start_program(void)
{
    enum { READ, WRITE };
    int theirs[3], trouble[2];
    long error = 0;

    sys_sigmask(SYS_SIGBIT(SYS_SIGCHLD) | SYS_SIGBIT(SYS_SIGPIPE));
    program.signals = (int)sys_signalfd(SYS_SIGBIT(SYS_SIGCHLD));
    program.stdin_fd = make_pipe(WRITE, &theirs[STREAM_STDIN]);
    program.out_fd[STREAM_STDOUT] = make_pipe(READ, &theirs[STREAM_STDOUT]);
    program.out_fd[STREAM_STDERR] = make_pipe(READ, &theirs[STREAM_STDERR]);
    if ((error = sys_pipe(trouble, O_CLOEXEC)) < 0) {
        fail("cannot make a pipe", "", error);
    }
    program.pid = sys_fork();
    if (program.pid == 0) {
        become_program(theirs, trouble[WRITE]);
    }
    sys_close(trouble[WRITE]);
    for (int i = 0; i < 3; i++) {
        sys_close(theirs[i]);
    }
    if (program.pid < 0) {
        fail("cannot start ", run, program.pid);
    }
    if (sys_read(trouble[READ], &error, sizeof(error)) == sizeof(error)) {
        fail("the guest cannot run ", run, error);
    }
    sys_close(trouble[READ]);
}

/* As a shell has it: 128 + n for signal n. */
static uint32_t exit_status(int status)
{
    const int signo = status & 0x7f;

    return signo != 0 ? 128u + (unsigned)signo : (unsigned)status >> 8 & 0xff;
}

void init_main(void) __attribute__((noreturn));

void init_main(void)
{
    mount_all();
    open_standard();
    read_conf();
    take_conf();
    if (run == NULL) {
        fail("there is nothing to run in ", CONF, 0);
    }
    start_program();
    line_send(FRAME_STARTED, 0, NULL, 0);
    line_send_u32(FRAME_CREDIT, STREAM_STDIN, STREAM_WINDOW);
    while (!program.exited || program.out_fd[STREAM_STDOUT] >= 0 ||
           program.out_fd[STREAM_STDERR] >= 0) {
        streams_turn();
    }
    if (out != NULL) {
        files_send(out);
    }
    sys_sync();
    line_send_u32(FRAME_EXIT, 0, exit_status(program.status));
    line_drain();
    power_off();
}
