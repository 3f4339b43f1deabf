/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - kim: a command line in, an exit status out. What went wrong is said here, once.
 */
#include <curl/curl.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controller/present/cli/children.h"
#include "controller/present/cli/commands.h"

static int exit_status_of(int result, kim_code code)
{
    if (result == -EXIT_USAGE)
        return EXIT_USAGE;
    switch (code) {
    case KIM_ERR_NETWORK:
        return EXIT_UNREACHED;
    case KIM_ERR_IO: case KIM_ERR_NOMEM: case KIM_ERR_TIMEOUT:
        return EXIT_FAILED;
    default:
        return EXIT_REFUSED;
    }
}

/* A reader that took enough (kim ... | head) is no failure of kim's, and needs no words. */
static bool reader_has_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return ferror(stdout) && poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
}

int main(int argc, char **argv)
{
    static invocation in;
    kim_error err = {.code = KIM_OK, .message = ""};
    setlocale(LC_CTYPE, "");
    children_guard();
    if (commands_read(&in, (const char **)argv + 1, argc - 1, &err) < 0) {
        fprintf(stderr, "kim: %s\n", err.message);
        return EXIT_USAGE;
    }
    if (in.command == NULL && !in.wants_help) {
        fprintf(stderr, "kim: which command? `kim help` lists them all\n");
        return EXIT_USAGE;
    }
    if (in.wants_help) {
        help_write(in.command);
        return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = in.command->run(&in, &err);
    if (status >= 0 && fflush(stdout) != 0) {
        kim_fail(&err, KIM_ERR_IO, "standard output takes no more");
        status = -1;
    }
    if (status < 0) {
        status = reader_has_gone() ? EXIT_FINE : exit_status_of(status, err.code);
        if (status != EXIT_FINE)
            fprintf(stderr, "kim: %s\n", err.message);
    }
    curl_global_cleanup();
    return status;
}
