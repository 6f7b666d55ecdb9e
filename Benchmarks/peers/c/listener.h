// What both C servers do before their loops: read their options, raise the descriptor limit, listen, say so.
// SIGTERM keeps its default action: the process ends, the kernel closes what it had open.
#ifndef LISTENER_H
#define LISTENER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void fail(const char *what, int error) {
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

struct options {
    uint16_t port;  // 0 for one that the kernel chooses
    unsigned loops;
};

static inline bool read_number(const char *text, unsigned long max, unsigned long *number) {
    char *end = NULL;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return end != text && !*end && !errno && *number <= max;
}

// `--port N`, and where a server has several loops `--loops N`.
static inline struct options read_options(int count, char **arguments, unsigned loops_max) {
    unsigned long port = 0, loops = 1;
    bool valid = count == 3 || (count == 5 && loops_max > 1);
    for (int index = 1; valid && index < count; index += 2) {
        if (strcmp(arguments[index], "--port") == 0) valid = read_number(arguments[index + 1], UINT16_MAX, &port);
        else if (strcmp(arguments[index], "--loops") == 0)
            valid = read_number(arguments[index + 1], loops_max, &loops) && loops > 0;
        else valid = false;
    }
    if (!valid) {
        fprintf(stderr, "usage: %s --port N%s\n", arguments[0], loops_max > 1 ? " [--loops N]" : "");
        exit(2);
    }
    return (struct options){.port = (uint16_t)port, .loops = (unsigned)loops};
}

// Descriptors index the connection tables, so the limit is also their size.
static inline size_t raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) fail("getrlimit", errno);
    if (limit.rlim_max > 65536) limit.rlim_max = 65536;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) fail("setrlimit", errno);
    return limit.rlim_cur;
}

// Accepted sockets inherit TCP_NODELAY; without it pipelined loads stall for 40 ms. Several loops share a port: the
// first chooses it, and each has a socket of its own.
static inline int listen_on(uint16_t *port, int extra_type, bool shared) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t length = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | extra_type, 0);
    if (listener < 0) fail("socket", errno);
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) fail("SO_REUSEADDR", errno);
    if (shared && setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) fail("SO_REUSEPORT", errno);
    if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("TCP_NODELAY", errno);
    if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind", errno);
    if (listen(listener, 4096) < 0) fail("listen", errno);
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname", errno);
    *port = ntohs(address.sin_port);
    return listener;
}

static inline void say_ready(uint16_t port) {
    printf("listening on 127.0.0.1:%u\n", port);
    fflush(stdout);
}

#endif
