// What Swift cannot import from liburing: its macros, and constants newer than Debian 12's liburing 2.3.
// Header-only `static inline` C; no state, no policy, no loop.
#ifndef APUS_CURING_H
#define APUS_CURING_H

// liburing asks for XOPEN names; taken first, the system's types stay the ones that Swift's Glibc module sees.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timex.h>
#include <liburing.h>
#include <stdint.h>
#include <string.h>

// Linux 6.10: one completion may cover several provided buffers.
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif
#define CURING_SETUP_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL \
    | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED)
static const uint32_t curing_feature_bundle = IORING_FEAT_RECVSEND_BUNDLE;
static const uint16_t curing_receive_bundle = IORING_RECVSEND_BUNDLE;
static const uint32_t curing_cqe_buffer = IORING_CQE_F_BUFFER;
static const uint32_t curing_cqe_more = IORING_CQE_F_MORE;
static const uint32_t curing_cqe_buffer_shift = IORING_CQE_BUFFER_SHIFT;

static inline int curing_open(struct io_uring *ring, unsigned submissions, unsigned completions) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.flags = CURING_SETUP_FLAGS;
    parameters.cq_entries = completions;
    return io_uring_queue_init_params(submissions, ring, &parameters);
}

/// liburing 2.3 declares io_uring_enable_rings but its shared library does not export it.
static inline int curing_enable(struct io_uring *ring) {
    return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/// From the moment the ring is enabled it takes these operations and this flag of theirs, and no call of
/// io_uring_register: everything else is answered EACCES. Only for a ring that is disabled (else EBADFD), and once.
static inline int curing_restrict(struct io_uring *ring, const uint8_t *operations, unsigned count, uint8_t flags) {
    struct io_uring_restriction restrictions[IORING_OP_LAST + 1];
    if (count > IORING_OP_LAST) return -EINVAL;
    memset(restrictions, 0, sizeof restrictions);
    for (unsigned index = 0; index < count; index++) {
        restrictions[index].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[index].sqe_op = operations[index];
    }
    restrictions[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    restrictions[count].sqe_flags = flags;
    return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions, count + 1);
}
static const uint8_t curing_buffer_select = IOSQE_BUFFER_SELECT;

static inline struct io_uring_sqe *curing_entry(struct io_uring *ring) { return io_uring_get_sqe(ring); }

static inline void curing_set_token(struct io_uring_sqe *entry, uint64_t token) {
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_accept(struct io_uring_sqe *entry, int listener, uint64_t token) {
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_receive(struct io_uring_sqe *entry, int socket, uint16_t group, uint16_t extra,
                                          uint64_t token) {
    io_uring_prep_recv_multishot(entry, socket, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = group;
    entry->ioprio |= extra;
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_send(struct io_uring_sqe *entry, int socket, const void *bytes, size_t count,
                                       uint64_t token) {
    io_uring_prep_send(entry, socket, bytes, count, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_connect(struct io_uring_sqe *entry, int socket, const void *address,
                                          unsigned length, uint64_t token) {
    io_uring_prep_connect(entry, socket, (const struct sockaddr *)address, (socklen_t)length);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_shutdown(struct io_uring_sqe *entry, int socket, int how, uint64_t token) {
    io_uring_prep_shutdown(entry, socket, how);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_close(struct io_uring_sqe *entry, int descriptor, uint64_t token) {
    io_uring_prep_close(entry, descriptor);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_cancel(struct io_uring_sqe *entry, uint64_t target, uint64_t token) {
    io_uring_prep_cancel64(entry, target, 0);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_read(struct io_uring_sqe *entry, int descriptor, void *bytes, unsigned count,
                                       uint64_t token) {
    io_uring_prep_read(entry, descriptor, bytes, count, 0);
    io_uring_sqe_set_data64(entry, token);
}

static inline void curing_prepare_doorbell(struct io_uring_sqe *entry, int ring, uint64_t delivered, uint64_t token) {
    io_uring_prep_msg_ring(entry, ring, 0, delivered, 0);
    io_uring_sqe_set_data64(entry, token);
}

/// Submit what is prepared and wait for one completion or until `nanoseconds` have passed; negative: no time limit,
/// zero: take what has come, and don't sleep.
static inline int curing_submit_and_wait(struct io_uring *ring, int64_t nanoseconds) {
    struct io_uring_cqe *first;
    if (nanoseconds < 0) return io_uring_submit_and_wait(ring, 1);
    if (nanoseconds == 0) return io_uring_submit_and_get_events(ring);
    struct __kernel_timespec limit = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
    return io_uring_submit_and_wait_timeout(ring, &first, 1, &limit, NULL);
}

static inline unsigned curing_overflow(struct io_uring *ring) { return *ring->cq.koverflow; }

/// The oldest completion that has not been consumed, or NULL.
static inline struct io_uring_cqe *curing_peek(struct io_uring *ring) {
    unsigned head = *ring->cq.khead;
    if (head == io_uring_smp_load_acquire(ring->cq.ktail)) return NULL;
    return &ring->cq.cqes[head & ring->cq.ring_mask];
}

static inline void curing_consume(struct io_uring *ring) { io_uring_cq_advance(ring, 1); }

static inline int curing_register_buffers(struct io_uring *ring, void *entries, unsigned count, uint16_t group) {
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uint64_t)(uintptr_t)entries;
    registration.ring_entries = count;
    registration.bgid = group;
    return io_uring_register_buf_ring(ring, &registration, 0);
}

static inline void curing_provide(struct io_uring_buf_ring *entries, void *bytes, unsigned count, uint16_t id,
                                  unsigned mask, unsigned offset) {
    io_uring_buf_ring_add(entries, bytes, count, id, (int)mask, (int)offset);
}

static inline void curing_publish(struct io_uring_buf_ring *entries, unsigned count) {
    io_uring_buf_ring_advance(entries, (int)count);
}

static inline int curing_supports(const struct io_uring_probe *probe, int operation) {
    return io_uring_opcode_supported(probe, operation);
}

// glibc shows these four only under _GNU_SOURCE, which Swift's Glibc module is built without.
extern int pthread_setname_np(pthread_t thread, const char *name);
extern int pthread_attr_setaffinity_np(pthread_attr_t *attributes, size_t byteCount, const cpu_set_t *cores);
extern pid_t gettid(void);
extern int sched_getaffinity(pid_t process, size_t byteCount, cpu_set_t *cores);
extern int accept4(int listener, struct sockaddr *address, socklen_t *byteCount, int flags);

/// Outside the ring; closed in a program that `exec` starts.
static inline int curing_accept_now(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

/// A counter to wake a ring with, closed in a program that `exec` starts.
static inline int curing_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

#endif
