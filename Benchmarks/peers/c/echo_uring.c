// A framed echo server on io_uring, one thread a loop: multishot accept, multishot receive into a provided-buffer ring,
// one send in flight per connection, one system call per turn. The floor that Apus is measured against.
#include "listener.h"
#include "npro.h"

#include <liburing.h>
#include <pthread.h>

enum {
    SUBMISSIONS = 1024,
    COMPLETIONS = 4096,
    BUFFER_COUNT = 256,
    BUFFER_BYTES = 32 * 1024,
    BUFFER_GROUP = 0,
    LOOPS_MAX = 64,
    UNSENT_BYTES_MAX = 64 * 1024 * 1024,  // four of the largest packets; a peer that reads slower is cut off
};

enum operation { ACCEPT, RECEIVE, SEND };

struct connection {
    struct npro_bytes partial;    // the head of a packet whose rest has not come
    struct npro_bytes gathering;  // replies written since the send in flight began
    struct npro_bytes flying;     // what the kernel is sending
    size_t sent;                  // of `flying`
    bool receiving, sending;      // what the kernel holds
    bool closing;                 // no more reading; close when the replies are out and the kernel holds nothing
    bool listed;                  // in `touched`
};

struct server {
    struct io_uring ring;
    struct io_uring_buf_ring *lendable;
    uint8_t *buffers;
    int listener;
    bool accepting;
    struct connection *connections;  // by descriptor
    int *touched;                    // descriptors that this turn has to flush
    size_t touched_count;
};

// MARK: preparing operations

static struct io_uring_sqe *entry(struct server *server) {
    struct io_uring_sqe *entry = io_uring_get_sqe(&server->ring);
    while (!entry) {
        io_uring_submit(&server->ring);
        entry = io_uring_get_sqe(&server->ring);
    }
    return entry;
}

static void name(struct io_uring_sqe *entry, enum operation operation, int descriptor) {
    io_uring_sqe_set_data64(entry, (uint64_t)operation << 32 | (uint32_t)descriptor);
}

static void start_accepting(struct server *server) {
    struct io_uring_sqe *accept = entry(server);
    io_uring_prep_multishot_accept(accept, server->listener, NULL, NULL, SOCK_CLOEXEC);
    name(accept, ACCEPT, server->listener);
    server->accepting = true;
}

static void start_receiving(struct server *server, struct connection *connection, int descriptor) {
    struct io_uring_sqe *receive = entry(server);
    io_uring_prep_recv_multishot(receive, descriptor, NULL, 0, 0);
    receive->flags |= IOSQE_BUFFER_SELECT;
    receive->buf_group = BUFFER_GROUP;
    name(receive, RECEIVE, descriptor);
    connection->receiving = true;
}

static void send_rest(struct server *server, struct connection *connection, int descriptor) {
    struct npro_bytes *flying = &connection->flying;
    struct io_uring_sqe *send = entry(server);
    io_uring_prep_send(send, descriptor, flying->start + connection->sent, flying->count - connection->sent,
                       MSG_NOSIGNAL);
    name(send, SEND, descriptor);
    connection->sending = true;
}

static void send_gathered(struct server *server, struct connection *connection, int descriptor) {
    struct npro_bytes empty = connection->flying;
    connection->flying = connection->gathering;
    connection->gathering = empty;
    connection->sent = 0;
    send_rest(server, connection, descriptor);
}

// MARK: completions

static void touch(struct server *server, struct connection *connection, int descriptor) {
    if (connection->listed) return;
    connection->listed = true;
    server->touched[server->touched_count++] = descriptor;
}

static void complete_accept(struct server *server, const struct io_uring_cqe *completion) {
    if (!(completion->flags & IORING_CQE_F_MORE)) server->accepting = false;
    if (completion->res >= 0) touch(server, &server->connections[completion->res], completion->res);
    // Out of descriptors: `finish` starts again. Any other end (the client gave up before we came) is none of ours.
    if (!server->accepting && completion->res != -EMFILE) start_accepting(server);
}

static void lend(struct server *server, uint16_t buffer) {
    uint8_t *start = server->buffers + (size_t)buffer * BUFFER_BYTES;
    io_uring_buf_ring_add(server->lendable, start, BUFFER_BYTES, buffer, io_uring_buf_ring_mask(BUFFER_COUNT), 0);
    io_uring_buf_ring_advance(server->lendable, 1);
}

static void receive_bytes(struct connection *connection, int descriptor, const uint8_t *bytes, size_t count) {
    if (connection->closing) return;
    if (!npro_receive(&connection->partial, bytes, count, &connection->gathering)) connection->closing = true;
    if (connection->gathering.count <= UNSENT_BYTES_MAX) return;
    npro_empty(&connection->gathering);
    connection->closing = true;
    shutdown(descriptor, SHUT_RDWR);
}

static void complete_receive(struct server *server, int descriptor, const struct io_uring_cqe *completion) {
    struct connection *connection = &server->connections[descriptor];
    if (completion->flags & IORING_CQE_F_BUFFER) {
        uint16_t buffer = (uint16_t)(completion->flags >> IORING_CQE_BUFFER_SHIFT);
        const uint8_t *bytes = server->buffers + (size_t)buffer * BUFFER_BYTES;
        receive_bytes(connection, descriptor, bytes, completion->res > 0 ? (size_t)completion->res : 0);
        lend(server, buffer);
    }
    if (!(completion->flags & IORING_CQE_F_MORE)) {
        connection->receiving = false;
        // Out of buffers is not an error: `flush` starts again, after this turn gave its buffers back.
        if (completion->res <= 0 && completion->res != -ENOBUFS) connection->closing = true;
    }
    touch(server, connection, descriptor);
}

static void complete_send(struct server *server, int descriptor, const struct io_uring_cqe *completion) {
    struct connection *connection = &server->connections[descriptor];
    connection->sending = false;
    if (completion->res < 0) {
        connection->closing = true;
        npro_empty(&connection->gathering);
    } else {
        connection->sent += (size_t)completion->res;
        if (connection->sent < connection->flying.count) return send_rest(server, connection, descriptor);
    }
    npro_empty(&connection->flying);
    if (connection->gathering.count > 0 || connection->closing) touch(server, connection, descriptor);
}

static void complete(struct server *server, const struct io_uring_cqe *completion) {
    int descriptor = (int)(uint32_t)completion->user_data;
    switch ((enum operation)(completion->user_data >> 32)) {
    case ACCEPT: return complete_accept(server, completion);
    case RECEIVE: return complete_receive(server, descriptor, completion);
    case SEND: return complete_send(server, descriptor, completion);
    }
}

// MARK: the end of a turn

static void finish(struct server *server, struct connection *connection, int descriptor) {
    npro_release(&connection->partial);
    npro_release(&connection->gathering);
    npro_release(&connection->flying);
    *connection = (struct connection){0};
    close(descriptor);
    if (!server->accepting) start_accepting(server);
}

static void flush(struct server *server, int descriptor) {
    struct connection *connection = &server->connections[descriptor];
    connection->listed = false;
    if (connection->gathering.count > 0 && !connection->sending) send_gathered(server, connection, descriptor);
    if (!connection->closing) {
        if (!connection->receiving) start_receiving(server, connection, descriptor);
    } else if (connection->sending) {
        return;
    } else if (connection->receiving) {
        shutdown(descriptor, SHUT_RDWR);  // ends the receive, and that completion comes back here
    } else {
        finish(server, connection, descriptor);
    }
}

static void take_turn(struct server *server) {
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    int result = io_uring_submit_and_wait(&server->ring, 1);
    if (result < 0 && result != -EINTR) fail("io_uring_enter", -result);
    io_uring_for_each_cqe(&server->ring, head, completion) {
        complete(server, completion);
        count++;
    }
    io_uring_cq_advance(&server->ring, count);
    for (size_t index = 0; index < server->touched_count; index++) flush(server, server->touched[index]);
    server->touched_count = 0;
}

// MARK: set-up

static void open_ring(struct server *server) {
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL
            | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int result = io_uring_queue_init_params(SUBMISSIONS, &server->ring, &parameters);
    if (result < 0) fail("io_uring_setup", -result);
}

static void open_buffers(struct server *server) {
    server->lendable = aligned_alloc(4096, BUFFER_COUNT * sizeof(struct io_uring_buf));
    server->buffers = aligned_alloc(4096, (size_t)BUFFER_COUNT * BUFFER_BYTES);
    if (!server->lendable || !server->buffers) fail("buffers", ENOMEM);
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)server->lendable, .ring_entries = BUFFER_COUNT, .bgid = BUFFER_GROUP,
    };
    int result = io_uring_register_buf_ring(&server->ring, &registration, 0);
    if (result < 0) fail("io_uring_register_buf_ring", -result);
    io_uring_buf_ring_init(server->lendable);
    for (uint16_t buffer = 0; buffer < BUFFER_COUNT; buffer++) lend(server, buffer);
}

// One loop and all it owns; nothing is shared. The thread that opens a ring is the only one that may use it.
__attribute__((noreturn)) static void *serve(void *argument) {
    struct server *server = argument;
    size_t descriptors = raise_descriptor_limit();
    server->connections = calloc(descriptors, sizeof *server->connections);
    server->touched = calloc(descriptors, sizeof *server->touched);
    if (!server->connections || !server->touched) fail("connections", ENOMEM);
    open_ring(server);
    open_buffers(server);
    start_accepting(server);
    for (;;) take_turn(server);
}

int main(int count, char **arguments) {
    static struct server servers[LOOPS_MAX];
    struct options options = read_options(count, arguments, LOOPS_MAX);
    for (unsigned loop = 0; loop < options.loops; loop++)
        servers[loop].listener = listen_on(&options.port, 0, options.loops > 1);
    say_ready(options.port);
    for (unsigned loop = 1; loop < options.loops; loop++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, serve, &servers[loop]);
        if (error) fail("pthread_create", error);
    }
    serve(&servers[0]);
}
