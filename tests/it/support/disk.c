/* Stands between the program and its disk: writes down what reaches the embedded store's files and when they are synced,
 * and fails writes or syncs while a file says so. Loaded in front of the C library (LD_PRELOAD).
 *
 * OSTIARY_TEST_DISK_LOG    every write, cut and sync is appended to this file: one byte what ('w', 't', 's'), one byte
 *                          which file (0 the database, 1 its log), eight bytes offset, eight bytes length, the bytes
 * OSTIARY_TEST_DISK_FAULT  while this file is there, its first letter rules: 'f' no space is left, 'r' the disk is read
 *                          only, 's' syncs fail
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* 0 and 1 as above, -1 for any other file. */
static int which(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return -1;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name) return -1;
    if (!strcmp(name, "/ostiary.db")) return 0;
    if (!strcmp(name, "/ostiary.db-wal")) return 1;
    return -1;
}

static char fault(void) {
    const char *path = getenv("OSTIARY_TEST_DISK_FAULT");
    if (!path) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char letter = 0;
    if (read(fd, &letter, 1) != 1) letter = 0;
    close(fd);
    return letter;
}

static int refused(int file) {
    if (file < 0) return 0;
    switch (fault()) {
    case 'f': errno = ENOSPC; return 1;
    case 'r': errno = EROFS; return 1;
    default: return 0;
    }
}

static void note(char what, int file, uint64_t offset, const void *bytes, uint64_t length) {
    static int log_fd = -2;
    static ssize_t (*write_)(int, const void *, size_t);
    const char *path = getenv("OSTIARY_TEST_DISK_LOG");
    if (file < 0 || !path) return;
    pthread_mutex_lock(&turn);
    if (!write_) write_ = real("write");
    if (log_fd == -2) log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    size_t size = 18 + (bytes ? length : 0);
    char *record = malloc(size);
    if (record && log_fd >= 0) {
        record[0] = what;
        record[1] = (char)file;
        memcpy(record + 2, &offset, 8);
        memcpy(record + 10, &length, 8);
        if (bytes) memcpy(record + 18, bytes, length);
        if (write_(log_fd, record, size) != (ssize_t)size) abort();
    }
    free(record);
    pthread_mutex_unlock(&turn);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = real("write");
    int file = which(fd);
    if (refused(file)) return -1;
    off_t offset = file < 0 ? 0 : lseek(fd, 0, SEEK_CUR);
    ssize_t done = next(fd, bytes, length);
    if (done > 0) note('w', file, (uint64_t)offset, bytes, (uint64_t)done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next) next = real("pwrite64");
    int file = which(fd);
    if (refused(file)) return -1;
    ssize_t done = next(fd, bytes, length, offset);
    if (done > 0) note('w', file, (uint64_t)offset, bytes, (uint64_t)done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

static int cut(const char *name, int fd, off64_t length) {
    int (*next)(int, off64_t) = real(name);
    int file = which(fd);
    if (refused(file)) return -1;
    int done = next(fd, length);
    if (done == 0) note('t', file, 0, NULL, (uint64_t)length);
    return done;
}

int ftruncate64(int fd, off64_t length) { return cut("ftruncate64", fd, length); }
int ftruncate(int fd, off_t length) { return cut("ftruncate", fd, length); }

static int synced(const char *name, int fd) {
    int (*next)(int) = real(name);
    int file = which(fd);
    if (file >= 0 && fault() == 's') {
        errno = EIO;
        return -1;
    }
    int done = next(fd);
    if (done == 0) note('s', file, 0, NULL, 0);
    return done;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
