/*
 * until: run a command, measure the time from exec to a text in its output.
 *
 *   until TEXT RAM_MIB COMMAND [ARGUMENT...]
 *
 * Prints "MILLISECONDS KIB": the time until TEXT was read from the command's
 * standard output, and the private memory the command had at that moment
 * without the mapping that is its guest's RAM (any of at least RAM_MIB).
 * Then the command is ended. Exit status 1 if the text never came.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static pid_t spawn(char **argv, int *out)
{
    int fds[2];
    pid_t pid;

    if (pipe(fds) < 0 || (pid = fork()) < 0) {
        perror("until");
        exit(2);
    }
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    close(fds[1]);
    *out = fds[0];
    return pid;
}

/* Read until text has gone by. A window of the last bytes finds it across reads. */
static int wait_for(int fd, const char *text)
{
    char window[8192 + 256 + 1];
    size_t have = 0;
    const size_t keep = strlen(text);
    ssize_t n;

    while ((n = read(fd, window + have, 8192)) > 0) {
        have += (size_t)n;
        if (memmem(window, have, text, keep) != NULL) {
            return 0;
        }
        if (have > keep) {
            memmove(window, window + have - keep, keep);
            have = keep;
        }
    }
    return -1;
}

/* Sum of Private_Clean and Private_Dirty over mappings smaller than ram_kib. */
static long private_kib(pid_t pid, long ram_kib)
{
    char path[64], line[512];
    long size = 0, value, sum = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    f = fopen(path, "r");
    if (f == NULL) {
        return -1;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "Size: %ld kB", &value) == 1) {
            size = value;
        } else if (size < ram_kib && (sscanf(line, "Private_Clean: %ld kB", &value) == 1 ||
                                      sscanf(line, "Private_Dirty: %ld kB", &value) == 1)) {
            sum += value;
        }
    }
    fclose(f);
    return sum;
}

int main(int argc, char **argv)
{
    double start, end;
    long kib;
    int out, found;
    pid_t pid;

    if (argc < 4 || strlen(argv[1]) > 256) {
        fputs("usage: until TEXT RAM_MIB COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    start = now_ms();
    pid = spawn(argv + 3, &out);
    found = wait_for(out, argv[1]);
    end = now_ms();
    kib = private_kib(pid, atol(argv[2]) * 1024);
    kill(pid, SIGTERM);
    close(out);
    waitpid(pid, NULL, 0);
    if (found < 0) {
        fprintf(stderr, "until: '%s' never came\n", argv[1]);
        return 1;
    }
    printf("%.1f %ld\n", end - start, kib);
    return 0;
}
