/*
 * Descriptors 0, 1 and 2 of a program that was started without them: see reserve.h.
 */
#include "src/base/reserve.h"

#include <fcntl.h>
#include <unistd.h>

/* Opened the wrong way round, so that using them fails as if they were closed. */
void reserve_stdio(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* The lowest free number is fd: all below it are in use. */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}
