/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - kim-controller: store, estate, ingest and API, started in that order and ended in reverse.
 */
#include "controller/controller.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "sdk/fault.h"
#include "sdk/fs.h"
#include "sdk/log.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "kim-controller [OPTION...] - gathers what agents send, and answers who may do what\n"
    "\n"
    "  --config FILE        read the configuration from FILE\n"
    "  --set NAME=VALUE     one option of it; may be repeated, and goes over the file\n"
    "  --check              check the configuration, say what is wrong, and end\n"
    "  --digest             print a hash over all records and usage of the store, and end: two stores that\n"
    "                       hold the same print the same\n"
    "  --print-sample       print a configuration with every option at its default\n"
    "  --private            keep everything in memory and listen for no agents; ends with its\n"
    "                       standard input (kim scan and kim evaluate start one)\n"
    "  --socket PATH        the API's Unix socket\n"
    "  --help, --version\n"
    "\n"
    "Prints a line that begins with `ready` once it answers. SIGTERM ends it.\n"
    "\n"
    "  kim-controller --config " KIM_SYSCONF_DIR "/kim-controller.conf --check\n"
    "  kim-controller --set state_dir=$HOME/kim --set listen=tcp://127.0.0.1:0 --socket $HOME/kim/api.sock\n";

int64_t controller_now_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the command line ---- */

typedef struct orders {
    bool check, digest, is_private, done; /* done: nothing is left to do */
} orders;

static int set_pair(settings *set, char *pair, kim_error *err)
{
    char *equals = strchr(pair, '=');
    if (!equals)
        return kim_fail(err, KIM_ERR_INPUT, "--set %s: write --set NAME=VALUE", pair);
    *equals = 0;
    int result = settings_set(set, pair, equals + 1, "--set", err);
    *equals = '='; /* the process list shows what was written */
    return result;
}

static int take_option(int letter, settings *set, orders *out, kim_error *err)
{
    switch (letter) {
    case 'c':
        return settings_load(set, optarg, err);
    case 's':
        return set_pair(set, optarg, err);
    case 'S':
        return settings_set(set, "socket", optarg, "--socket", err);
    case 'k':
        out->check = true;
        return 0;
    case 'p':
        out->is_private = true;
        return 0;
    case 'd':
        out->digest = true;
        return 0;
    case 'm':
        settings_print_sample(stdout);
        break;
    case 'h':
        fputs(usage, stdout);
        break;
    case 'v':
        puts("kim-controller " PACKAGE_VERSION);
        break;
    default: /* getopt has said why */
        return kim_fail(err, KIM_ERR_INPUT, "see kim-controller --help");
    }
    out->done = true;
    return 0;
}

static int read_command_line(int argc, char **argv, settings *set, orders *out, kim_error *err)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"socket", required_argument, NULL, 'S'}, {"check", no_argument, NULL, 'k'},
        {"private", no_argument, NULL, 'p'},      {"digest", no_argument, NULL, 'd'},
        {"print-sample", no_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    /* The file first, wherever it stands: what the line says goes over it. */
    for (int pass = 0; pass < 2; pass++) {
        int letter;
        optind = 1;
        opterr = pass == 0;
        while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
            if ((letter == 'c' || letter == '?') == (pass == 0) && take_option(letter, set, out, err) < 0)
                return -1;
    }
    if (optind < argc)
        return kim_fail(err, KIM_ERR_INPUT, "'%s' is not an option; see kim-controller --help", argv[optind]);
    if (kim_log_level(kim_text_of(set->log_level)) == 0)
        return kim_fail(err, KIM_ERR_INPUT, "log_level '%s' is none of debug, info, warning, error", set->log_level);
    return 0;
}

/* ---- start and stop ---- */

/* The folder is ours alone, and of one controller at a time. */
static int open_state_folder(controller *c, kim_error *err)
{
    char path[PATH_MAX];
    struct stat folder;
    if (kim_folder_make(c->set.state_dir, err) < 0)
        return -1;
    if (stat(c->set.state_dir, &folder) != 0)
        return kim_fail(err, KIM_ERR_IO, "%s: %s", c->set.state_dir, strerror(errno));
    if (folder.st_mode & 077)
        return kim_fail(err, KIM_ERR_IO, "%s: others may look into it, and it holds keys; chmod 700 %s",
                        c->set.state_dir, c->set.state_dir);
    snprintf(path, sizeof path, "%s/lock", c->set.state_dir);
    c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->lock < 0)
        return kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(c->lock, LOCK_EX | LOCK_NB) != 0)
        return kim_fail(err, KIM_ERR_CONFLICT, "%s: another kim-controller uses it", c->set.state_dir);
    return 0;
}

static void snapshot_published(void *context)
{
    current_wake(((controller *)context)->cu);
}

static int start_ingest(controller *c, kim_error *err)
{
    ingest_options options = {
        .data_endpoint = c->set.listen,
        .enrol_endpoint = *c->set.listen_enrol ? c->set.listen_enrol : NULL,
        .approve_by_hand = c->set.approve_by_hand,
        .token_lifetime_ms = (uint64_t)c->set.token_lifetime_ms,
        .spread_ms = (uint64_t)c->set.spread_ms,
        .published = snapshot_published,
        .context = c,
    };
    if (ingest_keys_load(c->set.state_dir, options.public_key, options.secret_key, err) < 0)
        return -1;
    ingest_key_text(options.public_key, c->key_text);
    c->in = ingest_start(c->st, &options, err);
    explicit_bzero(options.secret_key, sizeof options.secret_key);
    return c->in ? 0 : -1;
}

static int start(controller *c, kim_error *err)
{
    char path[PATH_MAX] = ":memory:";
    if (!c->is_private) {
        if (open_state_folder(c, err) < 0)
            return -1;
        snprintf(path, sizeof path, "%s/store", c->set.state_dir);
    }
    if (!(c->st = store_open(path, c->set.store_max_bytes, err)) ||
        !(c->cu = current_start(c->st, c->set.catalogues, c->set.rebuild_after_ms, err)))
        return -1;
    if (!c->is_private && start_ingest(c, err) < 0)
        return -1;
    const http_options http = {.socket_path = c->set.socket, .catalogues_dir = c->set.catalogues,
                               .role = HTTP_ADMINISTRATOR, .store = c->st, .backend = controller_backend(c)};
    c->http = http_start(&http, err);
    return c->http ? 0 : -1;
}

static void stop(controller *c)
{
    http_stop(c->http);
    ingest_stop(c->in);
    current_stop(c->cu);
    store_close(c->st);
    if (c->lock >= 0)
        close(c->lock);
}

static void tell_ready(const controller *c)
{
    printf("ready socket=%s", c->set.socket);
    if (c->in) {
        printf(" data=%s", ingest_data_endpoint(c->in));
        if (*ingest_enrol_endpoint(c->in))
            printf(" enrol=%s", ingest_enrol_endpoint(c->in));
        printf(" key=%s/controller.pub", c->set.state_dir);
    }
    putchar('\n');
    fflush(stdout);
}

/* Of a store that no controller uses now: the lock of its folder is taken. */
static int print_digest(controller *c, kim_error *err)
{
    char path[PATH_MAX];
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    uint64_t records, usage_rows;
    if (open_state_folder(c, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/store", c->set.state_dir);
    if (access(path, F_OK) != 0)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "%s: there is no store", path);
    if (!(c->st = store_open(path, 0, err)) || store_digest(c->st, digest, &records, &usage_rows, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf(" records=%llu usage=%llu\n", (unsigned long long)records, (unsigned long long)usage_rows);
    return 0;
}

/* Until SIGTERM or SIGINT, or, where private, the end of standard input. */
static void wait_for_end(const controller *c, int signals)
{
    struct pollfd watched[] = {{.fd = signals, .events = POLLIN},
                               {.fd = c->is_private ? STDIN_FILENO : -1, .events = POLLIN}};
    for (;;) {
        char byte;
        if (poll(watched, 2, -1) < 0 && errno != EINTR)
            return;
        if (watched[0].revents)
            return;
        if (watched[1].revents && read(STDIN_FILENO, &byte, 1) <= 0 && errno != EINTR)
            return;
    }
}

/* Before any thread: they all inherit the mask, and the signals come out of a descriptor. */
static int open_signals(void)
{
    sigset_t ours;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigprocmask(SIG_BLOCK, &ours, NULL);
    return signalfd(-1, &ours, SFD_CLOEXEC);
}

static int serve(controller *c, kim_error *err)
{
    int signals = open_signals();
    umask(077);
    if (signals < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot wait for signals: %s", strerror(errno));
    int result = start(c, err);
    if (result == 0) {
        kim_log(KIM_LOG_INFO, "started", {"version", kim_text_of(PACKAGE_VERSION)});
        tell_ready(c);
        wait_for_end(c, signals);
        kim_log(KIM_LOG_INFO, "stopping");
    }
    stop(c);
    close(signals);
    return result;
}

int main(int argc, char **argv)
{
    controller c = {.lock = -1, .started_unix_ms = controller_now_unix_ms()};
    orders given = {0};
    kim_error err = {0};
    int status = EXIT_SUCCESS;
    fault_setup();
    if (settings_defaults(&c.set, &err) < 0 || read_command_line(argc, argv, &c.set, &given, &err) < 0) {
        fprintf(stderr, "kim-controller: %s\n", err.message);
        status = EXIT_USAGE;
    } else if (given.check) {
        puts("the configuration is sound");
    } else if (given.digest) {
        if (print_digest(&c, &err) < 0) {
            fprintf(stderr, "kim-controller: %s\n", err.message);
            status = EXIT_FAILURE;
        }
        stop(&c);
    } else if (!given.done) {
        c.is_private = given.is_private;
        kim_log_to(STDERR_FILENO, kim_log_level(kim_text_of(c.set.log_level)));
        if (serve(&c, &err) < 0) {
            kim_log_error(KIM_LOG_ERROR, "not_started", &err);
            status = EXIT_FAILURE;
        }
    }
    settings_free(&c.set);
    return status;
}
