/*
 * Lets calls of a process to its file system fail: loaded before libc (LD_PRELOAD), it counts the calls that concern certain
 * folders, by kind, and fails those that it is told to. Everything else passes through.
 *
 * IO_FAULTS_IN    the folders, separated by colons; absolute, without a slash at the end
 * IO_FAULTS       KIND:FROM:TIMES:ERRNO, separated by commas: the calls from the FROM-th on, so many, fail
 * IO_FAULTS_LOG   a file that gets a line for each call that failed: KIND ERRNO PATH
 *
 * Kinds: open, write, fsync, rename, link.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, WRITE, FSYNC, RENAME, LINK, KINDS };
static const char *const names[KINDS] = {"open", "write", "fsync", "rename", "link"};
static long counts[KINDS];

/* Whether an absolute path is one of the folders, or below it. */
static int concerns(const char *path) {
  const char *folder = getenv("IO_FAULTS_IN");
  while (folder != NULL && *folder != 0) {
    size_t length = strcspn(folder, ":");
    if (length > 0 && strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/')) return 1;
    folder += length;
    if (*folder == ':') folder++;
  }
  return 0;
}

/* A path as an absolute one; names that begin with "./" are taken for what they stand for. */
static int absolute(const char *path, char out[PATH_MAX]) {
  if (path == NULL) return 0;
  if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
  while (path[0] == '.' && path[1] == '/') path += 2;
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == NULL) return 0;
  return snprintf(out, PATH_MAX, "%s/%s", here, path) < PATH_MAX;
}

/* What a descriptor stands for. */
static int described(int fd, char out[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, out, PATH_MAX - 1);
  if (length < 0) return 0;
  out[length] = 0;
  return 1;
}

static void tell(enum kind kind, int error, const char *path) {
  const char *log = getenv("IO_FAULTS_LOG");
  if (log == NULL) return;
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%s %d %s\n", names[kind], error, path);
  /* By the kernel's own calls: these are not to be counted. */
  int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd < 0) return;
  if (syscall(SYS_write, fd, line, (size_t)length) < 0) { /* nobody to tell */ }
  syscall(SYS_close, fd);
}

/* Counts a call; the error that it is to fail with, or 0. */
static int strikes(enum kind kind, const char *path) {
  if (!concerns(path)) return 0;
  long n = __atomic_add_fetch(&counts[kind], 1, __ATOMIC_SEQ_CST);
  size_t length = strlen(names[kind]);
  for (const char *rule = getenv("IO_FAULTS"); rule != NULL && *rule != 0;) {
    long from, times;
    int error;
    if (strncmp(rule, names[kind], length) == 0 && rule[length] == ':' &&
        sscanf(rule + length + 1, "%ld:%ld:%d", &from, &times, &error) == 3 && n >= from && n < from + times) {
      tell(kind, error, path);
      return error;
    }
    rule = strchr(rule, ',');
    if (rule != NULL) rule++;
  }
  return 0;
}

static int strikes_path(enum kind kind, const char *path) {
  char full[PATH_MAX];
  int before = errno;
  int error = absolute(path, full) ? strikes(kind, full) : 0;
  errno = error != 0 ? error : before;
  return error;
}

static int strikes_fd(enum kind kind, int fd) {
  char full[PATH_MAX];
  int before = errno;
  int error = described(fd, full) ? strikes(kind, full) : 0;
  errno = error != 0 ? error : before;
  return error;
}

#define REAL(type, name, ...)                       \
  static type (*real)(__VA_ARGS__);                 \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define MODE(flags)                                 \
  mode_t mode = 0;                                  \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {     \
    va_list rest;                                   \
    va_start(rest, flags);                          \
    mode = va_arg(rest, mode_t);                    \
    va_end(rest);                                   \
  }

int open(const char *path, int flags, ...) {
  MODE(flags)
  REAL(int, "open", const char *, int, ...);
  return strikes_path(OPEN, path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE(flags)
  REAL(int, "open64", const char *, int, ...);
  return strikes_path(OPEN, path) ? -1 : real(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, bytes, length, at);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return strikes_fd(FSYNC, fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return strikes_fd(FSYNC, fd) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return strikes_path(RENAME, to) ? -1 : real(from, to);
}

int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  return strikes_path(LINK, to) ? -1 : real(from, to);
}
