/* A machine whose clock is wrong: what a program is told of the time of day is moved by OSTIARY_TEST_CLOCK seconds. Loaded
   before the C library (LD_PRELOAD). Clocks that measure durations go as they go. */

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t moved;

__attribute__((constructor)) static void begin(void)
{
    const char *seconds = getenv("OSTIARY_TEST_CLOCK");
    moved = seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *moment)
{
    long answer = syscall(SYS_clock_gettime, clock, moment);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        moment->tv_sec += moved;
    return (int) answer;
}
