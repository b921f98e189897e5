/* Preloaded into a process and its children (LD_PRELOAD, glibc): every look-up and connection is refused, and noted in
   the file that CALLS names, as is every file opened for writing, a line each: "what path-or-address".

   cc -shared -fPIC -O1 calls.c -o calls.so -ldl */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void note(const char *what, const char *about) {
  const char *place = getenv("CALLS");
  if (!place)
    return;
  char line[3 * PATH_MAX];
  int length = snprintf(line, sizeof line, "%s %s\n", what, about);
  int file = syscall(SYS_openat, AT_FDCWD, place, O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file >= 0) {
    (void)!write(file, line, length < (int)sizeof line ? length : (int)sizeof line);
    close(file);
  }
}

static void note_file(int folder, const char *path, int flags) {
  if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC)))
    return;
  char whole[2 * PATH_MAX + 1], at[PATH_MAX] = "", link[64];
  if (path[0] != '/') {
    if (folder == AT_FDCWD)
      (void)!getcwd(at, sizeof at);
    else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      ssize_t length = readlink(link, at, sizeof at - 1);
      at[length > 0 ? length : 0] = 0;
    }
  }
  snprintf(whole, sizeof whole, "%s%s%s", at, path[0] == '/' ? "" : "/", path);
  note("write", whole);
}

static int remote(const struct sockaddr *address) {
  return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

static int refuse(const char *what, const struct sockaddr *address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
  else
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
  note(what, text);
  errno = EACCES;
  return -1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  return remote(address) ? refuse("connect", address) : NEXT(connect)(fd, address, length);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
  return remote(to) ? refuse("send", to) : NEXT(sendto)(fd, data, size, flags, to, length);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  (void)service, (void)hints, (void)found;
  note("look-up", node ? node : "?");
  return EAI_FAIL;
}

struct hostent *gethostbyname(const char *name) {
  note("look-up", name);
  return NULL;
}

#define MODE                                                                                                           \
  mode_t mode = 0;                                                                                                     \
  if (flags & (O_CREAT | __O_TMPFILE)) {                                                                               \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode = va_arg(rest, int);                                                                                          \
    va_end(rest);                                                                                                      \
  }

int open(const char *path, int flags, ...) {
  MODE note_file(AT_FDCWD, path, flags);
  return NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE note_file(AT_FDCWD, path, flags);
  return NEXT(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  MODE note_file(folder, path, flags);
  return NEXT(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
  MODE note_file(folder, path, flags);
  return NEXT(openat64)(folder, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
  note_file(AT_FDCWD, path, O_WRONLY | O_CREAT);
  return NEXT(mkdir)(path, mode);
}

int creat(const char *path, mode_t mode) {
  note_file(AT_FDCWD, path, O_WRONLY | O_CREAT);
  return NEXT(creat)(path, mode);
}

FILE *fopen(const char *path, const char *mode) {
  if (strpbrk(mode, "wa+"))
    note_file(AT_FDCWD, path, O_WRONLY | O_CREAT);
  return NEXT(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  if (strpbrk(mode, "wa+"))
    note_file(AT_FDCWD, path, O_WRONLY | O_CREAT);
  return NEXT(fopen64)(path, mode);
}
