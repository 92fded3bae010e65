/* A file layer that fails on demand.

   Loaded with LD_PRELOAD it stands between a program and the C library. It counts the calls that
   would change something under one folder, and makes one of them, or all from one on, fail, write
   half, or kill the process. Until `faults_arm` is called, and in every program that the process
   starts, all calls go through. What stdio writes by itself inside the C library is not seen; of
   stdio only `fopen`, `fwrite` and `fflush` are, which TensorFlow uses.

   With FAULTS_CLOCK=SECONDS in the environment, or after `faults_stop_clock`, the time of day is
   always that second. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FAIL_ONCE, FAIL_ON, HALF_ONCE, HALF_THEN_FAIL, KILL, HALF_THEN_KILL };
enum verdict { PASS, FAIL, HALF };

static char watched[PATH_MAX];
static size_t length; /* of `watched`; 0 if nothing is armed */
static long chosen;
static int reason, action, trace = -1;
static atomic_long calls;

/* Args: a folder without links in its path; the number of the call, from 1, or 0 for none; the
   error of a call that fails; one of the actions; a descriptor to log every call to, or -1. */
void faults_arm(const char *folder, long number, int error, int what, int log)
{
    snprintf(watched, sizeof watched, "%s", folder);
    chosen = number, reason = error, action = what, trace = log;
    atomic_store(&calls, 0);
    length = strlen(watched);
}

long faults_calls(void) { return atomic_load(&calls); }

static int inside(const char *path)
{
    return length && !strncmp(path, watched, length) && (path[length] == '/' || !path[length]);
}

static int of_descriptor(int descriptor, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size > 0 ? size : 0] = 0;
    return size > 0;
}

/* The whole path of a name that may be relative to a folder. */
static int whole(int folder, const char *name, char *path)
{
    if (*name == '/')
        return snprintf(path, PATH_MAX, "%s", name) > 0;
    if (folder == AT_FDCWD ? !getcwd(path, PATH_MAX) : !of_descriptor(folder, path))
        return 0;
    size_t used = strlen(path);
    return snprintf(path + used, PATH_MAX - used, "/%s", name) > 0;
}

/* Deleting works on a full disk. */
static int is_spared(const char *call)
{
    int deletes = !strncmp(call, "unlink", 6) || !strcmp(call, "rmdir");
    return deletes && (reason == ENOSPC || reason == EDQUOT);
}

static enum verdict judged(const char *call, const char *path)
{
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (trace >= 0)
        dprintf(trace, "%ld\t%s\t%s\n", number, call, path);
    if (!chosen || number < chosen || is_spared(call))
        return PASS;
    if (number > chosen)
        return action == FAIL_ON || action == HALF_THEN_FAIL ? FAIL : PASS;
    if (action == KILL || (action == HALF_THEN_KILL && strcmp(call, "write")))
        kill(getpid(), SIGKILL);
    if (action == FAIL_ONCE || action == FAIL_ON)
        return FAIL;
    if (!strcmp(call, "write"))
        return HALF;
    return action == HALF_THEN_FAIL ? FAIL : PASS;
}

static enum verdict judge_path(const char *call, int folder, const char *name)
{
    char path[PATH_MAX];
    if (!length || !name || !whole(folder, name, path) || !inside(path))
        return PASS;
    return judged(call, path);
}

static enum verdict judge_descriptor(const char *call, int descriptor)
{
    char path[PATH_MAX];
    int before = errno;
    if (!length || !of_descriptor(descriptor, path) || !inside(path)) {
        errno = before;
        return PASS;
    }
    return judged(call, path);
}

static void after_half(void)
{
    if (action == HALF_THEN_KILL)
        kill(getpid(), SIGKILL);
}

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))
#define FAILED(value) return errno = reason, (value)

/* Writing to a descriptor. Half of one byte is none, which is a failure. */

#define WRITES(name, parameters, arguments, halved, ...)                                         \
    ssize_t name parameters                                                                      \
    {                                                                                            \
        enum verdict verdict = judge_descriptor("write", descriptor);                            \
        if (verdict == FAIL || (verdict == HALF && size < 2))                                    \
            FAILED(-1);                                                                          \
        if (verdict == PASS)                                                                     \
            return NEXT(ssize_t, name, __VA_ARGS__) arguments;                                   \
        ssize_t done = NEXT(ssize_t, name, __VA_ARGS__) halved;                                  \
        after_half();                                                                            \
        return done;                                                                             \
    }

WRITES(write, (int descriptor, const void *data, size_t size), (descriptor, data, size),
       (descriptor, data, size / 2), int, const void *, size_t)
WRITES(pwrite, (int descriptor, const void *data, size_t size, off_t at),
       (descriptor, data, size, at), (descriptor, data, size / 2, at), int, const void *, size_t,
       off_t)
WRITES(pwrite64, (int descriptor, const void *data, size_t size, off64_t at),
       (descriptor, data, size, at), (descriptor, data, size / 2, at), int, const void *, size_t,
       off64_t)
WRITES(writev, (int descriptor, const struct iovec *data, int size), (descriptor, data, size),
       (descriptor, data, size / 2), int, const struct iovec *, int)
WRITES(sendfile, (int descriptor, int from, off_t *at, size_t size), (descriptor, from, at, size),
       (descriptor, from, at, size / 2), int, int, off_t *, size_t)
WRITES(sendfile64, (int descriptor, int from, off64_t *at, size_t size),
       (descriptor, from, at, size), (descriptor, from, at, size / 2), int, int, off64_t *, size_t)

size_t fwrite(const void *data, size_t each, size_t size, FILE *file)
{
    /* TensorFlow's threads write to standard error, in no fixed order. */
    enum verdict verdict = fileno(file) == 2 ? PASS : judge_descriptor("write", fileno(file));
    if (verdict == FAIL)
        FAILED(0);
    size_t done = NEXT(size_t, fwrite, const void *, size_t, size_t, FILE *)(
        data, each, verdict == HALF ? size / 2 : size, file);
    if (verdict == HALF)
        fflush(file), after_half();
    return done;
}

int fflush(FILE *file)
{
    if (file && fileno(file) != 2 && judge_descriptor("fflush", fileno(file)) == FAIL)
        FAILED(EOF);
    return NEXT(int, fflush, FILE *)(file);
}

/* Opening for anything but reading. */

#define CHANGES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name, folder, parameters, arguments, ...)                                          \
    int name parameters                                                                          \
    {                                                                                            \
        va_list rest;                                                                            \
        va_start(rest, flags);                                                                   \
        mode_t mode = mode_of(flags, rest);                                                      \
        va_end(rest);                                                                            \
        if (flags & CHANGES && judge_path("open", folder, path) == FAIL)                         \
            FAILED(-1);                                                                          \
        return NEXT(int, name, __VA_ARGS__) arguments;                                           \
    }

OPENS(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode), const char *, int,
      ...)
OPENS(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode), const char *, int,
      ...)
OPENS(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode),
      int, const char *, int, ...)
OPENS(openat64, folder, (int folder, const char *path, int flags, ...),
      (folder, path, flags, mode), int, const char *, int, ...)

static int only_reads(const char *mode) { return *mode == 'r' && !strchr(mode, '+'); }

#define STREAMS(name)                                                                            \
    FILE *name(const char *path, const char *mode)                                               \
    {                                                                                            \
        if (!only_reads(mode) && judge_path("open", AT_FDCWD, path) == FAIL)                     \
            FAILED(NULL);                                                                        \
        return NEXT(FILE *, name, const char *, const char *)(path, mode);                       \
    }

STREAMS(fopen)
STREAMS(fopen64)

/* Everything else that changes a folder or a file. */

#define OF_PATH(name, call, folder, path, parameters, arguments, ...)                            \
    int name parameters                                                                          \
    {                                                                                            \
        if (judge_path(call, folder, path) == FAIL)                                              \
            FAILED(-1);                                                                          \
        return NEXT(int, name, __VA_ARGS__) arguments;                                           \
    }

OF_PATH(rename, "rename", AT_FDCWD, to, (const char *from, const char *to), (from, to),
        const char *, const char *)
OF_PATH(renameat, "rename", into, to, (int out, const char *from, int into, const char *to),
        (out, from, into, to), int, const char *, int, const char *)
OF_PATH(renameat2, "rename", into, to,
        (int out, const char *from, int into, const char *to, unsigned flags),
        (out, from, into, to, flags), int, const char *, int, const char *, unsigned)
OF_PATH(link, "link", AT_FDCWD, to, (const char *from, const char *to), (from, to), const char *,
        const char *)
OF_PATH(linkat, "link", into, to,
        (int out, const char *from, int into, const char *to, int flags),
        (out, from, into, to, flags), int, const char *, int, const char *, int)
OF_PATH(symlink, "symlink", AT_FDCWD, to, (const char *from, const char *to), (from, to),
        const char *, const char *)
OF_PATH(mkdir, "mkdir", AT_FDCWD, path, (const char *path, mode_t mode), (path, mode),
        const char *, mode_t)
OF_PATH(mkdirat, "mkdir", folder, path, (int folder, const char *path, mode_t mode),
        (folder, path, mode), int, const char *, mode_t)
OF_PATH(unlink, "unlink", AT_FDCWD, path, (const char *path), (path), const char *)
OF_PATH(unlinkat, "unlink", folder, path, (int folder, const char *path, int flags),
        (folder, path, flags), int, const char *, int)
OF_PATH(rmdir, "rmdir", AT_FDCWD, path, (const char *path), (path), const char *)
OF_PATH(truncate64, "truncate", AT_FDCWD, path, (const char *path, off64_t size), (path, size),
        const char *, off64_t)

#define OF_DESCRIPTOR(name, call, parameters, arguments, ...)                                    \
    int name parameters                                                                          \
    {                                                                                            \
        if (judge_descriptor(call, descriptor) == FAIL)                                          \
            FAILED(-1);                                                                          \
        return NEXT(int, name, __VA_ARGS__) arguments;                                           \
    }

OF_DESCRIPTOR(fsync, "fsync", (int descriptor), (descriptor), int)
OF_DESCRIPTOR(fdatasync, "fsync", (int descriptor), (descriptor), int)
OF_DESCRIPTOR(ftruncate, "truncate", (int descriptor, off_t size), (descriptor, size), int, off_t)
OF_DESCRIPTOR(ftruncate64, "truncate", (int descriptor, off64_t size), (descriptor, size), int,
              off64_t)

/* The time of day. */

static long second; /* the fixed time; 0 if the clock runs */

void faults_stop_clock(long at) { second = at; }

__attribute__((constructor)) static void read_environment(void)
{
    const char *at = getenv("FAULTS_CLOCK");
    second = at ? atol(at) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        next = NEXT(int, clock_gettime, clockid_t, struct timespec *);
    int answer = next(clock, now);
    if (second && clock == CLOCK_REALTIME)
        now->tv_sec = second, now->tv_nsec = 0;
    return answer;
}
