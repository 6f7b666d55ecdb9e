// A framed echo server on epoll (level-triggered), one thread: per ready connection one read into a big buffer and one
// write of all the replies to it. While a peer does not read its replies, nothing more is read from it.
#include "listener.h"
#include "npro.h"

#include <sys/epoll.h>

enum { BUFFER_BYTES = 256 * 1024, EVENTS_MAX = 1024 };

struct connection {
    struct npro_bytes partial;  // the head of a packet whose rest has not come
    struct npro_bytes replies;
    size_t sent;                // of `replies`
    bool writing;               // waiting until the socket takes more, not for bytes to read
    bool closing;               // no more reading; close when the replies are out
};

struct server {
    int epoll, listener;
    bool accepting;
    struct connection *connections;  // by descriptor
    uint8_t buffer[BUFFER_BYTES];
};

static void watch(struct server *server, int operation, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(server->epoll, operation, descriptor, &event) < 0) fail("epoll_ctl", errno);
}

static void accept_all(struct server *server) {
    for (;;) {
        int descriptor = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            watch(server, EPOLL_CTL_ADD, descriptor, EPOLLIN);
        } else if (errno == EMFILE) {
            // Level-triggered, the listener would spin: `finish` watches it again.
            server->accepting = false;
            return watch(server, EPOLL_CTL_MOD, server->listener, 0);
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void finish(struct server *server, int descriptor) {
    struct connection *connection = &server->connections[descriptor];
    npro_release(&connection->partial);
    npro_release(&connection->replies);
    *connection = (struct connection){0};
    close(descriptor);
    if (server->accepting) return;
    server->accepting = true;
    watch(server, EPOLL_CTL_MOD, server->listener, EPOLLIN);
}

static bool would_block(void) { return errno == EAGAIN || errno == EINTR; }

// Sends what there is; waits for the socket only when it does not take everything.
static void flush(struct server *server, int descriptor) {
    struct connection *connection = &server->connections[descriptor];
    struct npro_bytes *replies = &connection->replies;
    if (replies->count > 0) {
        ssize_t count = send(descriptor, replies->start + connection->sent, replies->count - connection->sent,
                             MSG_NOSIGNAL);
        if (count < 0 && !would_block()) return finish(server, descriptor);
        if (count > 0) connection->sent += (size_t)count;
    }
    bool incomplete = connection->sent < replies->count;
    if (!incomplete) {
        npro_empty(replies);
        connection->sent = 0;
        if (connection->closing) return finish(server, descriptor);
    }
    if (incomplete == connection->writing) return;
    connection->writing = incomplete;
    watch(server, EPOLL_CTL_MOD, descriptor, incomplete ? EPOLLOUT : EPOLLIN);
}

static void receive(struct server *server, int descriptor) {
    struct connection *connection = &server->connections[descriptor];
    ssize_t count = recv(descriptor, server->buffer, BUFFER_BYTES, 0);
    if (count < 0 && would_block()) return;
    if (count <= 0) return finish(server, descriptor);
    if (!npro_receive(&connection->partial, server->buffer, (size_t)count, &connection->replies)) {
        connection->closing = true;
    }
    if (connection->replies.count > 0 || connection->closing) flush(server, descriptor);
}

static void take_turn(struct server *server) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(server->epoll, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait", errno);
    for (int index = 0; index < count; index++) {
        int descriptor = events[index].data.fd;
        if (descriptor == server->listener) {
            accept_all(server);
        } else if (server->connections[descriptor].writing) {
            flush(server, descriptor);
        } else {
            receive(server, descriptor);
        }
    }
}

int main(int count, char **arguments) {
    static struct server server = {.accepting = true};
    struct options options = read_options(count, arguments, 1);
    server.connections = calloc(raise_descriptor_limit(), sizeof *server.connections);
    if (!server.connections) fail("connections", ENOMEM);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0) fail("epoll_create1", errno);
    server.listener = listen_on(&options.port, SOCK_NONBLOCK, false);
    say_ready(options.port);
    watch(&server, EPOLL_CTL_ADD, server.listener, EPOLLIN);
    for (;;) take_turn(&server);
}
