/*
 * Disturbs one system call of a program that is started with this as LD_PRELOAD, or its clock.
 *
 * HYBRIDMIM_FAULT=rename:3:kill   the third rename below HYBRIDMIM_FAULT_BELOW: the process ends by SIGKILL before it;
 *                 rename:3:after  ends right after it; write:2:short takes a part of the bytes; fsync:1:EIO fails so
 * HYBRIDMIM_FAULT_COUNTS=FILE     adds a line to FILE for every call, by which one is chosen
 * HYBRIDMIM_CLOCK=800:-3600        800 ms after the start the time of day goes back by an hour; the monotonic clock goes on
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum outcome { GO, SHORT, AFTER, FAIL };

static atomic_int seen;

static int below(const char *path) {
  const char *folder = getenv("HYBRIDMIM_FAULT_BELOW");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static enum outcome disturbed(const char *call, const char *path) {
  int before = errno;
  if (!below(path)) return GO;
  const char *counts = getenv("HYBRIDMIM_FAULT_COUNTS");
  if (counts != NULL) {
    int file = open(counts, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file >= 0) {
      dprintf(file, "%s\n", call);
      close(file);
    }
    errno = before;
    return GO;
  }
  char wanted[16], what[16];
  int at;
  const char *fault = getenv("HYBRIDMIM_FAULT");
  if (fault == NULL || sscanf(fault, "%15[^:]:%d:%15s", wanted, &at, what) != 3) return GO;
  if (strcmp(call, wanted) != 0 || atomic_fetch_add(&seen, 1) + 1 != at) return GO;
  if (strcmp(what, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(what, "after") == 0) return AFTER;
  if (strcmp(what, "short") == 0) return SHORT;
  errno = strcmp(what, "EIO") == 0 ? EIO : strcmp(what, "EDQUOT") == 0 ? EDQUOT : ENOSPC;
  return FAIL;
}

static enum outcome disturbed_at(const char *call, int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return GO;
  path[length] = '\0';
  return disturbed(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define END_AFTER(outcome) \
  do { \
    if ((outcome) == AFTER) kill(getpid(), SIGKILL); \
  } while (0)

int rename(const char *from, const char *to) {
  enum outcome outcome = disturbed("rename", to);
  if (outcome == FAIL) return -1;
  int result = REAL(rename)(from, to);
  END_AFTER(outcome);
  return result;
}

int unlink(const char *path) {
  enum outcome outcome = disturbed("unlink", path);
  if (outcome == FAIL) return -1;
  int result = REAL(unlink)(path);
  END_AFTER(outcome);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  enum outcome outcome = disturbed("mkdir", path);
  if (outcome == FAIL) return -1;
  int result = REAL(mkdir)(path, mode);
  END_AFTER(outcome);
  return result;
}

int fsync(int descriptor) {
  enum outcome outcome = disturbed_at("fsync", descriptor);
  if (outcome == FAIL) return -1;
  int result = REAL(fsync)(descriptor);
  END_AFTER(outcome);
  return result;
}

int ftruncate(int descriptor, off_t length) {
  enum outcome outcome = disturbed_at("ftruncate", descriptor);
  if (outcome == FAIL) return -1;
  int result = REAL(ftruncate)(descriptor, length);
  END_AFTER(outcome);
  return result;
}

int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }

static size_t taken(enum outcome outcome, size_t bytes) {
  return outcome == SHORT && bytes > 1 ? bytes / 2 : bytes;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  enum outcome outcome = disturbed_at("write", descriptor);
  if (outcome == FAIL) return -1;
  ssize_t result = REAL(write)(descriptor, bytes, taken(outcome, count));
  END_AFTER(outcome);
  return result;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at) {
  enum outcome outcome = disturbed_at("write", descriptor);
  if (outcome == FAIL) return -1;
  ssize_t result = REAL(pwrite)(descriptor, bytes, taken(outcome, count), at);
  END_AFTER(outcome);
  return result;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t at) {
  return pwrite(descriptor, bytes, count, at);
}

/* The seconds that the time of day is off by now. */
static time_t off(void) {
  static atomic_llong started;
  static long long after = -1, jump;
  struct timespec now;
  REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
  long long ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000, none = 0;
  if (after < 0) {
    const char *clock = getenv("HYBRIDMIM_CLOCK");
    if (clock == NULL || sscanf(clock, "%lld:%lld", &after, &jump) != 2) after = jump = 0;
  }
  atomic_compare_exchange_strong(&started, &none, ms);
  return ms - atomic_load(&started) >= after ? jump : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = REAL(clock_gettime)(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += off();
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int result = REAL(gettimeofday)(time, zone);
  if (result == 0 && time != NULL) time->tv_sec += off();
  return result;
}

time_t time(time_t *at) {
  time_t now = REAL(time)(NULL) + off();
  if (at != NULL) *at = now;
  return now;
}
