/* v4l2loopback below the C library: preloaded, it makes the plain file $FAKE_LOOPBACK a video output.

   What the driver does is written in $FAKE_LOOPBACK.mode: "block SECONDS" holds each frame for so long, "fail" takes none (EIO),
   "short" takes a half, "busy" refuses the format, "camera" is no output, "gone" refuses everything (ENODEV); else it is well.
   Each frame leaves a line in $FAKE_LOOPBACK.log: process, seconds (CLOCK_MONOTONIC) when it came and when it was done, its bytes'
   number, and its first four bytes. The file itself holds the last frame. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int is_device(int descriptor) {
    const char *path = getenv("FAKE_LOOPBACK");
    struct stat here, there;
    return path && fstat(descriptor, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

static void read_mode(char *mode, size_t room) {
    char name[4096];
    snprintf(name, sizeof name, "%s.mode", getenv("FAKE_LOOPBACK"));
    int file = open(name, O_RDONLY);
    ssize_t got = file < 0 ? 0 : read(file, mode, room - 1);
    mode[got > 0 ? got : 0] = 0;
    if (file >= 0)
        close(file);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "write");
    if (!is_device(descriptor))
        return real(descriptor, data, size);
    char mode[64], line[200], name[4096];
    double came = seconds(), hold = 0;
    read_mode(mode, sizeof mode);
    if (!strncmp(mode, "fail", 4) || !strncmp(mode, "gone", 4)) {
        errno = mode[0] == 'f' ? EIO : ENODEV;
        return -1;
    }
    if (sscanf(mode, "block %lf", &hold) == 1) {
        struct timespec rest = {(time_t)hold, (long)((hold - (long)hold) * 1e9)};
        while (nanosleep(&rest, &rest) && errno == EINTR)
            ;
    }
    if (!strncmp(mode, "short", 5))
        size /= 2;
    pwrite(descriptor, data, size, 0);
    const unsigned char *first = data;
    int length = snprintf(line, sizeof line, "%d %.6f %.6f %zu %u %u %u %u\n", getpid(), came, seconds(), size, first[0], first[1],
                          first[2], first[3]);
    snprintf(name, sizeof name, "%s.log", getenv("FAKE_LOOPBACK"));
    int log = open(name, O_WRONLY | O_APPEND | O_CREAT, 0600);
    real(log, line, length);
    close(log);
    return size;
}

int ioctl(int descriptor, unsigned long request, ...) {
    static int (*real)(int, unsigned long, void *);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    if (!is_device(descriptor))
        return real(descriptor, request, argument);
    char mode[64];
    read_mode(mode, sizeof mode);
    if (!strncmp(mode, "gone", 4)) {
        errno = ENODEV;
        return -1;
    }
    if ((unsigned)request == (unsigned)VIDIOC_QUERYCAP) {
        struct v4l2_capability *able = argument;
        memset(able, 0, sizeof *able);
        strcpy((char *)able->driver, "v4l2 loopback");
        able->capabilities = strncmp(mode, "camera", 6) ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE;
        return 0;
    }
    if ((unsigned)request == (unsigned)VIDIOC_S_FMT && strncmp(mode, "busy", 4))
        return 0;
    errno = !strncmp(mode, "busy", 4) ? EBUSY : EINVAL;
    return -1;
}
