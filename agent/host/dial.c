/* SPDX-License-Identifier: Apache-2.0
 *
 * dial.c - connect without waiting for ever.
 */
#include "agent/host/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const struct addrinfo *to, int *why)
{
    int s = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
    socklen_t size = sizeof *why;
    *why = 0;
    if (s < 0)
        return *why = errno, -1;
    if (connect(s, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)
        *why = errno;
    struct pollfd ready = {s, POLLOUT, 0};
    if (!*why && poll(&ready, 1, DIAL_TIMEOUT_MS) == 0)
        *why = ETIMEDOUT;
    if (!*why)
        getsockopt(s, SOL_SOCKET, SO_ERROR, why, &size);
    if (!*why && fcntl(s, F_SETFL, 0) == 0)
        return s;
    close(s);
    return -1;
}

int dial_tcp(const char *host, uint16_t port, kim_error *err)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
    snprintf(service, sizeof service, "%u", port);
    int failed = getaddrinfo(host, service, &hints, &found), why = 0, s = -1;
    if (failed)
        return kim_fail(err, failed == EAI_NONAME ? KIM_ERR_NOT_FOUND : KIM_ERR_NETWORK, "%s cannot be resolved: %s", host,
                        gai_strerror(failed));
    for (const struct addrinfo *at = found; at && s < 0; at = at->ai_next)
        s = connect_to(at, &why);
    freeaddrinfo(found);
    if (s < 0)
        kim_fail(err, why == ETIMEDOUT ? KIM_ERR_TIMEOUT : KIM_ERR_NETWORK, "%s:%u: %s", host, port, strerror(why));
    return s;
}
