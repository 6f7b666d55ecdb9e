// What both C servers do before their loops: read `--port N`, raise the descriptor limit, listen, say so.
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

// The port, 0 for one that the kernel chooses.
static inline uint16_t port_of(int count, char **arguments) {
    char *end = NULL;
    unsigned long port = 0;
    bool complete = count == 3 && strcmp(arguments[1], "--port") == 0;
    if (complete) port = strtoul(arguments[2], &end, 10);
    if (!complete || end == arguments[2] || *end || port > UINT16_MAX) {
        fprintf(stderr, "usage: %s --port N\n", arguments[0]);
        exit(2);
    }
    return (uint16_t)port;
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

// Accepted sockets inherit TCP_NODELAY; without it pipelined loads stall for 40 ms.
static inline int listen_on(uint16_t port, int extra_type) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | extra_type, 0);
    if (listener < 0) fail("socket", errno);
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) fail("SO_REUSEADDR", errno);
    if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("TCP_NODELAY", errno);
    if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind", errno);
    if (listen(listener, 4096) < 0) fail("listen", errno);
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname", errno);
    printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

#endif
