/* A wall clock with an offset to the machine's, for a program that preloads this library.
 *
 * The file named by SAMPAN_CLOCK holds the offset in nanoseconds as 8 bytes. It is mapped, so that a change takes effect
 * at once. CLOCK_MONOTONIC is not changed. The end of a wait until a moment of the wall clock (futex with
 * FUTEX_CLOCK_REALTIME, which gRPC's library uses) is converted to the machine's time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;
static const volatile int64_t none = 0, *ahead = &none;
static int (*real_gettime)(clockid_t, struct timespec *);
static long (*real_syscall)(long, long, long, long, long, long, long);

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("SAMPAN_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;

    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_syscall = dlsym(RTLD_NEXT, "syscall");
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        ahead = mapped;
}

static void add(struct timespec *at, int64_t nanoseconds)
{
    int64_t sum = at->tv_sec * SECOND + at->tv_nsec + nanoseconds;

    at->tv_sec = sum / SECOND;
    at->tv_nsec = sum % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (!real_gettime)
        begin();
    int result = real_gettime(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        add(at, *ahead);
    return result;
}

int gettimeofday(struct timeval *at, void *zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

long wrapped(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long wrapped(long number, long a, long b, long c, long d, long e, long f)
{
    struct timespec until;

    if (!real_syscall)
        begin();
    if (number == SYS_futex && d && b & FUTEX_CLOCK_REALTIME && (b & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
        until = *(const struct timespec *)d;
        add(&until, -*ahead);
        d = (long)&until;
    }
    return real_syscall(number, a, b, c, d, e, f);
}
