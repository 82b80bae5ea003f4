/* Counts what a program asks of the allocator, in a file that others read while it runs: how many bytes, how many times.
   Loaded before the C library (LD_PRELOAD), whose own functions do the work. */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

struct counters {
    _Atomic uint64_t bytes;
    _Atomic uint64_t times;
};

static struct counters before;
static struct counters *_Atomic counters = &before;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("OSTIARY_TEST_ALLOCATIONS");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0 || ftruncate(file, sizeof(struct counters)) != 0)
        return;
    void *shared = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        counters = shared;
}

static void count(size_t bytes)
{
    struct counters *here = counters;
    atomic_fetch_add_explicit(&here->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&here->times, 1, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    count(number * bytes);
    return __libc_calloc(number, bytes);
}

void *realloc(void *place, size_t bytes)
{
    count(bytes);
    return __libc_realloc(place, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **place, size_t alignment, size_t bytes)
{
    count(bytes);
    void *found = __libc_memalign(alignment, bytes);
    if (!found)
        return ENOMEM;
    *place = found;
    return 0;
}
