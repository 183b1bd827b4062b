/*
 * What the program left in /out: folders and regular files, one after the other,
 * as far as vmm grants credit. Anything else is only named.
 */
#include "guest-images/exec-init/init.h"

enum { DEPTH_MAX = 32, PATH_MAX_LEN = FRAME_PAYLOAD_MAX - 4 };

/* The path that is being looked at, from the root; vmm is told what follows `base`. */
static struct {
    size_t base, len;
    char bytes[PATH_MAX_LEN + 1];
} path;

/* Append "/" and name; false: it would be too long. */
static bool path_push(const char *name)
{
    const size_t len = text_len(name);

    if (path.len + 1 + len >= sizeof(path.bytes)) {
        return false;
    }
    path.bytes[path.len++] = '/';
    memcpy(path.bytes + path.len, name, len + 1);
    path.len += len;
    return true;
}

static void path_cut(size_t len)
{
    path.len = len;
    path.bytes[len] = '\0';
}

static void send_path(enum frame_type type, uint32_t mode)
{
    const size_t len = path.len - path.base;
    uint8_t bytes[FRAME_PAYLOAD_MAX] = {(uint8_t)mode, (uint8_t)(mode >> 8)};

    memcpy(bytes + 4, path.bytes + path.base, len);
    if (type == FRAME_FILE) {
        line_send(type, STREAM_FILES, bytes, 4 + len);
    } else {
        line_send(type, STREAM_FILES, bytes + 4, len);
    }
}

static void send_file(uint32_t mode)
{
    const long fd = sys_open(path.bytes, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint8_t bytes[FRAME_PAYLOAD_MAX];

    if (fd < 0) {
        send_path(FRAME_SKIPPED, 0);
        return;
    }
    send_path(FRAME_FILE, mode & 0777);
    for (;;) {
        while (streams_credit(STREAM_FILES) == 0 || !line_has_room()) {
            streams_turn();
        }
        const uint32_t credit = streams_credit(STREAM_FILES);
        const long n = sys_read(fd, bytes, credit < sizeof(bytes) ? credit : sizeof(bytes));
        if (n < 0) {
            fail("cannot read ", path.bytes, n);
        }
        if (n == 0) {
            break;
        }
        line_send(FRAME_DATA, STREAM_FILES, bytes, (size_t)n);
        streams_use(STREAM_FILES, (uint32_t)n);
    }
    sys_close(fd);
    line_send(FRAME_FILE_END, STREAM_FILES, NULL, 0);
}

struct dirent { /* as getdents64(2) fills it */
    uint64_t inode, offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

static void send_folder(unsigned depth);

static void send_entry(const char *name, unsigned depth)
{
    const size_t len = path.len;
    struct statx st;

    if (text_equal(name, ".") || text_equal(name, "..")) {
        return;
    }
    if (!path_push(name)) {
        send_path(FRAME_SKIPPED, 0);
        return;
    }
    const bool known = sys_statx(path.bytes, &st) >= 0;
    if (known && S_ISREG(st.stx_mode)) {
        send_file(st.stx_mode);
    } else if (known && S_ISDIR(st.stx_mode) && depth < DEPTH_MAX) {
        send_path(FRAME_DIR, 0);
        send_folder(depth + 1);
    } else {
        send_path(FRAME_SKIPPED, 0);
    }
    path_cut(len);
}

static void send_folder(unsigned depth)
{
    const long fd = sys_open(path.bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    union {
        struct dirent first;
        uint8_t bytes[2048];
    } list;
    long n;

    if (fd < 0) {
        return;
    }
    while ((n = sys_getdents(fd, list.bytes, sizeof(list))) > 0) {
        for (long at = 0; at < n;) {
            const struct dirent *d = (const struct dirent *)(const void *)(list.bytes + at);
            at += d->size;
            send_entry(d->name, depth);
        }
    }
    sys_close(fd);
}

void files_send(const char *folder)
{
    path.len = 0;
    path_push(folder + 1);
    path.base = path.len + 1; /* and the slash behind it */
    send_folder(1);
}
