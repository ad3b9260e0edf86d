/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * For LD_PRELOAD: a process, and those that it starts, see the wall clock where SHIFT_CLOCK says, a file that is mapped: how many
 * nanoseconds it is ahead, which may change at any time. What is measured with a clock that cannot be set is left alone.
 * The file also counts timers that hetd has made by the wall clock.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC INT64_C(1000000000)

typedef struct Shared {
        int64_t ahead_ns;
        uint64_t wall_timers;
} Shared;

static Shared nothing;

static Shared *shared(void) {
        static Shared *mapped;
        const char *path;
        void *memory;
        int fd;

        if (mapped)
                return mapped;

        path = getenv("SHIFT_CLOCK");
        fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        if (fd < 0)
                return &nothing;

        memory = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (memory != MAP_FAILED)
                mapped = memory;
        return mapped ? mapped : &nothing;
}

static int is_wall_clock(clockid_t id) {
        return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_REALTIME_ALARM || id == CLOCK_TAI;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
        static int (*real)(clockid_t id, struct timespec *ts);
        int64_t ns;
        int r;

        if (!real)
                real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");

        r = real(id, ts);
        if (r < 0 || !is_wall_clock(id))
                return r;

        ns = (int64_t) ts->tv_sec * NS_PER_SEC + ts->tv_nsec + __atomic_load_n(&shared()->ahead_ns, __ATOMIC_RELAXED);
        ts->tv_sec = (time_t) (ns / NS_PER_SEC);
        ts->tv_nsec = (long) (ns % NS_PER_SEC);
        return 0;
}

int gettimeofday(struct timeval *tv, void *zone) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        tv->tv_sec = ts.tv_sec;
        tv->tv_usec = ts.tv_nsec / 1000;
        return 0;
}

time_t time(time_t *ret) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        if (ret)
                *ret = ts.tv_sec;
        return ts.tv_sec;
}

int timerfd_create(int id, int flags) {
        static int (*real)(int id, int flags);

        if (!real)
                real = (int (*)(int, int)) dlsym(RTLD_NEXT, "timerfd_create");
        if (is_wall_clock(id) && strcmp(program_invocation_short_name, "hetd") == 0)
                (void) __atomic_fetch_add(&shared()->wall_timers, 1, __ATOMIC_RELAXED);

        return real(id, flags);
}
