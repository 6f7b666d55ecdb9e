// Preloaded when a program that waits in io_uring runs under valgrind, and only then: valgrind 3.19 keeps its one lock
// during io_uring_enter, so that a loop that waits there stops every other thread and every signal. Here the wait is a
// row of short sleeps, for which valgrind lets go. (Polling the ring would sleep on: its deferred completions wake only
// io_uring_enter.) callcount.py leaves out the instructions of the functions whose names begin with `valgrind_`.
#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLEEP_MICROSECONDS 200

// Deferred completions are written only when their thread asks for them.
static void valgrind_fetch(struct io_uring *ring) {
    syscall(SYS_io_uring_enter, ring->ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
}

static int valgrind_wait(struct io_uring *ring, long sleeps_left) {
    int submitted = io_uring_submit(ring);
    if (submitted < 0) return submitted;
    valgrind_fetch(ring);
    while (io_uring_cq_ready(ring) == 0) {
        if (sleeps_left-- == 0) return -ETIME;
        usleep(SLEEP_MICROSECONDS);
        valgrind_fetch(ring);
    }
    return submitted;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count) {
    (void)count;
    return valgrind_wait(ring, -1);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                     struct __kernel_timespec *limit, sigset_t *mask) {
    (void)count;
    (void)mask;
    long sleeps = limit ? (long)(limit->tv_sec * 1000000 + limit->tv_nsec / 1000) / SLEEP_MICROSECONDS : -1;
    int result = valgrind_wait(ring, sleeps);
    *first = NULL;
    if (result >= 0) io_uring_peek_cqe(ring, first);
    return result;
}
