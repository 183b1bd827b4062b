/*
 * startup: time commands from exec to the first byte they write to stderr
 * and to their exit status, turn by turn, so that what the machine does meanwhile meets
 * all of them alike.
 *
 *   startup ROUNDS STATUS -- COMMAND [ARGUMENT...] [-- COMMAND [ARGUMENT...]]...
 *
 * Each command must write something and exit with STATUS. Prints the medians,
 * and of every command after the first its ratio to the first.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define ROUNDS_MAX   1000

struct command {
    char **argv;
    double first[ROUNDS_MAX]; /* ms */
    double end[ROUNDS_MAX];
};

static struct command commands[COMMANDS_MAX];
static unsigned command_count;

static void die(const char *what)
{
    fprintf(stderr, "startup: %s\n", what);
    exit(2);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run_command(char **argv, int out)
{
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

static void measure(struct command *c, unsigned round, int expected)
{
    int fds[2];
    char buffer[4096];
    int status;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        die("no pipe");
    }
    double start = now_ms();
    pid_t pid = vfork();
    if (pid == 0) {
        run_command(c->argv, fds[1]);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], buffer, sizeof(buffer));
    c->first[round] = now_ms() - start;
    bool wrote = n > 0;
    while (n > 0) {
        n = read(fds[0], buffer, sizeof(buffer));
    }
    waitpid(pid, &status, 0);
    c->end[round] = now_ms() - start;
    close(fds[0]);
    if (!wrote || !WIFEXITED(status) || WEXITSTATUS(status) != expected) {
        fprintf(stderr, "startup: %s: status 0x%x%s\n", c->argv[0], (unsigned)status,
                wrote ? "" : ", nothing on stderr");
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

/*
 * The kernel ends a VM in grace periods, which go by its ticks. Commands that
 * follow each other closely would all meet the same phase of them.
 */
static void dephase(void)
{
    const struct timespec t = {.tv_nsec = rand() % 30000000};
    nanosleep(&t, NULL);
}

static void parse_commands(char **argv)
{
    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, "--") == 0) {
            if (command_count == COMMANDS_MAX || argv[1] == NULL) {
                die("a command is missing, or there are too many");
            }
            *argv = NULL;
            commands[command_count++].argv = argv + 1;
        }
    }
}

static void print_results(unsigned rounds)
{
    double base_first = 0;
    double base_end = 0;
    for (unsigned i = 0; i < command_count; i++) {
        double first = median(commands[i].first, rounds);
        double end = median(commands[i].end, rounds);
        if (i == 0) {
            base_first = first;
            base_end = end;
        }
        printf("%5.2f %5.2f   %8.2f ms %8.2f ms   %s\n", first / base_first, end / base_end, first,
               end, commands[i].argv[0]);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 4 ? (unsigned)atoi(argv[1]) : 0;
    if (rounds < 1 || rounds > ROUNDS_MAX || strcmp(argv[3], "--") != 0) {
        die("usage: startup ROUNDS STATUS -- COMMAND... [-- COMMAND...]");
    }
    int expected = atoi(argv[2]);
    parse_commands(argv + 3);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < command_count; i++) {
            dephase();
            measure(&commands[i], round, expected);
        }
    }
    print_results(rounds);
    return 0;
}
