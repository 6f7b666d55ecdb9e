// What this machine asks for a wake-up: a thread on core 0 sleeps until a thread on core 1, which never does, tells it
// that there is something to do, RATE times a second for SECONDS. Nothing is done then. Prints the sleeper's processor
// time per wake-up in µs. No server that wakes for a message of its own can cost less than this per message.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int doorbell;
static atomic_bool is_over;
static uint64_t wake_count;
static double sleeper_seconds;

static double seconds_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pin_to(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) perror("sched_setaffinity"), exit(1);
}

static void ring(void) {
    const uint64_t one = 1;
    if (write(doorbell, &one, sizeof one) != sizeof one) perror("write"), exit(1);
}

static void *sleeper(void *nothing) {
    pin_to(0);
    const double before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    while (!atomic_load(&is_over)) {
        uint64_t rings;
        if (read(doorbell, &rings, sizeof rings) != sizeof rings) perror("read"), exit(1);
        wake_count++;
    }
    sleeper_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
    return nothing;
}

static void keep_ringing(double rate, double seconds) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    for (uint64_t count = 1; (double)count / rate < seconds; count++) {
        while (seconds_of(CLOCK_MONOTONIC) - begin < (double)count / rate) continue;
        ring();
    }
}

int main(int count, char **arguments) {
    const double rate = count == 3 ? atof(arguments[1]) : 0, seconds = count == 3 ? atof(arguments[2]) : 0;
    if (rate <= 0 || seconds <= 0) return fprintf(stderr, "usage: bare_wake RATE SECONDS\n"), 2;
    pthread_t thread;
    doorbell = eventfd(0, EFD_CLOEXEC);
    if (doorbell < 0) return perror("eventfd"), 1;
    if ((errno = pthread_create(&thread, NULL, sleeper, NULL)) != 0) return perror("pthread_create"), 1;
    pin_to(1);
    keep_ringing(rate, seconds);
    atomic_store(&is_over, true);
    ring();
    pthread_join(thread, NULL);
    printf("%.3f\n", sleeper_seconds * 1e6 / (double)wake_count);
}
