/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - kim-agent joins the stages: providers collect, delta and spool keep, ship delivers.
 *
 * The one file here that knows them all, and the one that logs and exits.
 */
#include "agent/enrol/enrol.h"
#include "sdk/fault.h"
#include "agent/host/provider.h"
#include "agent/settings.h"
#include "agent/ship/ship.h"
#include "sdk/fs.h"
#include "sdk/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: kim-agent [--config FILE] [--check]\n"
    "       kim-agent enrol [--config FILE] --token-file FILE|-\n"
    "\n"
    "Collects with its providers and sends what changed to kim-controller, until SIGTERM.\n"
    "Prints a line that begins with `ready` once it runs.\n"
    "\n"
    "  --config FILE      the configuration (" KIM_SYSCONF_DIR "/kim-agent.conf)\n"
    "  --check            say what is wrong with the configuration, and end\n"
    "  --token-file FILE  where the one-time token of `kim agent add` stands; -: standard input\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  kim-agent --check\n"
    "  kim agent add web --scope aws:111122223333 | kim-agent enrol --token-file -\n";

typedef struct agent {
    settings set;
    char name[PROTOCOL_NAME_MAX_BYTES + 1];
    ship_provider streams[SETTINGS_MAX_PROVIDERS];
    provider *providers[SETTINGS_MAX_PROVIDERS];
    size_t opened, started;
    link_context *context;
    ship *ship;
    int lock;
} agent;

static ship *running; /* for the signal handler */

static void on_signal(int number)
{
    (void)number;
    if (running) /* asked once more while it ends */
        ship_stop(running);
}

static void tell(uint32_t level, const char *event, const kim_error *what)
{
    if (what->code)
        kim_log_error(level, event, what);
    else
        kim_log(level, event, {"msg", kim_text_of(what->message)});
}

static void tell_of_provider(const char *name, uint32_t level, const char *event, const char *message)
{
    kim_log(level, event, {"provider", kim_text_of(name)}, {"msg", kim_text_of(message)});
}

static int fail(const kim_error *err)
{
    fprintf(stderr, "kim-agent: %s\n", err->message);
    return 1;
}

/* One agent a state folder. */
static int lock_state(agent *a, kim_error *err)
{
    char path[4096];
    if (kim_folder_make(a->set.state_dir, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/lock", a->set.state_dir);
    a->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (a->lock < 0 || flock(a->lock, LOCK_EX | LOCK_NB) < 0)
        return kim_fail(err, KIM_ERR_CONFLICT, "%s: %s", path,
                        errno == EWOULDBLOCK ? "another kim-agent runs with this state_dir" : strerror(errno));
    return 0;
}

/* STATE_DIR/spool/id: 16 random bytes, made with the spool. */
static int load_spool_id(const char *state_dir, uint8_t id[PROTOCOL_SPOOL_BYTES], kim_error *err)
{
    char path[4096];
    kim_bytes bytes = {0};
    snprintf(path, sizeof path, "%s/spool", state_dir);
    if (kim_folder_make(path, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/spool/id", state_dir);
    kim_error why;
    int result = kim_file_read(path, PROTOCOL_SPOOL_BYTES, &bytes, &why);
    if (result == 0 && bytes.size == PROTOCOL_SPOOL_BYTES)
        memcpy(id, bytes.data, PROTOCOL_SPOOL_BYTES);
    else if (result == 0)
        result = kim_fail(err, KIM_ERR_CORRUPT, "%s is damaged: remove %s/spool; the agent then collects anew and its logs go "
                          "on from where the controller stands", path, state_dir);
    else if (why.code != KIM_ERR_NOT_FOUND)
        *err = why;
    else if (getrandom(id, PROTOCOL_SPOOL_BYTES, 0) != PROTOCOL_SPOOL_BYTES)
        kim_fail(err, KIM_ERR_IO, "no random numbers: %s", strerror(errno));
    else
        result = kim_file_write(path, id, PROTOCOL_SPOOL_BYTES, err);
    kim_bytes_free(&bytes);
    return result;
}

static int open_streams(agent *a, kim_error *err)
{
    for (size_t i = 0; i < a->set.provider_count; i++) {
        ship_provider *p = &a->streams[i];
        char path[4096];
        kim_error noted;
        const spool_limits limits = {(uint64_t)a->set.spool_max_bytes, (uint64_t)a->set.spool_segment_bytes};
        p->name = a->set.providers[i].name;
        snprintf(p->plugin, sizeof p->plugin, "%.63s", a->set.providers[i].plugin);
        snprintf(path, sizeof path, "%s/spool/%s.state", a->set.state_dir, p->name);
        a->opened = i + 1;
        if (!(p->state = delta_open(path, &noted, err)))
            return -1;
        if (noted.code)
            tell(KIM_LOG_WARNING, "state_damaged", &noted);
        snprintf(path, sizeof path, "%s/spool/%s.usage", a->set.state_dir, p->name);
        if (!(p->usage = spool_open(path, &limits, &noted, err)))
            return -1;
        if (noted.code)
            tell(KIM_LOG_WARNING, "spool_damaged", &noted);
    }
    return 0;
}

static int open_ship(agent *a, kim_error *err)
{
    ship_options options = {
        .endpoint = a->set.controller, .controller_key = a->set.controller_key, .agent_name = a->name,
        .ping_ms = (uint32_t)a->set.heartbeat_ms, .providers = a->streams,
        .provider_count = a->set.provider_count, .tell = tell,
    };
    if (link_keys_load(a->set.state_dir, false, &options.keys, err) < 0 ||
        load_spool_id(a->set.state_dir, options.spool_id, err) < 0)
        return -1;
    a->context = link_context_new(err);
    a->ship = a->context ? ship_new(a->context, &options, err) : NULL;
    explicit_bzero(&options.keys, sizeof options.keys);
    return a->ship ? 0 : -1;
}

static int start_providers(agent *a, kim_error *err)
{
    for (; a->started < a->set.provider_count; a->started++) {
        size_t i = a->started;
        a->providers[i] = provider_start(&a->set.providers[i], &a->streams[i], a->ship, tell_of_provider, err);
        if (!a->providers[i])
            return -1;
    }
    return 0;
}

static void close_all(agent *a)
{
    for (size_t i = 0; i < a->started; i++)
        provider_stop(a->providers[i]);
    for (size_t i = 0; i < a->started; i++)
        provider_free(a->providers[i]);
    running = NULL;
    ship_free(a->ship);
    link_context_free(a->context);
    for (size_t i = 0; i < a->opened; i++) {
        delta_close(a->streams[i].state);
        spool_close(a->streams[i].usage);
    }
    if (a->lock >= 0)
        close(a->lock);
    settings_free(&a->set);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run(agent *a)
{
    kim_error err;
    int result = 1;
    if (enrol_name(a->set.state_dir, a->name, &err) < 0 || lock_state(a, &err) < 0 || open_streams(a, &err) < 0 ||
        open_ship(a, &err) < 0)
        fail(&err);
    else {
        running = a->ship;
        catch_signals();
        if (start_providers(a, &err) < 0)
            fail(&err);
        else {
            printf("ready agent=%s providers=%zu\n", a->name, a->set.provider_count);
            fflush(stdout);
            malloc_trim(0);
            ship_run(a->ship);
            result = 0;
        }
    }
    close_all(a);
    return result;
}

static int run_enrol(agent *a, const char *token_file)
{
    kim_error err;
    bool approved;
    int result = enrol(&a->set, token_file, a->name, &approved, &err) < 0 ? fail(&err) : 0;
    if (result == 0)
        printf("enrolled agent=%s approved=%s\n", a->name, approved ? "true" : "false");
    if (result == 0 && !approved)
        puts("An administrator has to approve it: kim agent approve NAME");
    settings_free(&a->set);
    return result;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"token-file", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0},
    };
    static agent a = {.lock = -1};
    const char *config = KIM_SYSCONF_DIR "/kim-agent.conf", *token_file = NULL;
    bool only_check = false;
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (letter == 'h')
            return fputs(usage, stdout) < 0;
        if (letter == 'v')
            return puts("kim-agent " KIM_VERSION) < 0;
        if (letter == 'c')
            config = optarg;
        else if (letter == 't')
            token_file = optarg;
        else if (letter == 'k')
            only_check = true;
        else
            return fputs(usage, stderr), 2;
    }
    bool enrols = optind + 1 == argc && !strcmp(argv[optind], "enrol");
    if ((optind < argc && !enrols) || enrols != (token_file != NULL))
        return fputs(usage, stderr), 2;
    mallopt(M_ARENA_MAX, 1);
    prctl(PR_SET_DUMPABLE, 0); /* it holds the key of this agent */
    umask(077);
    fault_setup();
    kim_error err;
    if (settings_load(config, &a.set, &err) < 0)
        return fail(&err);
    uint32_t level = kim_log_level(kim_text_of(a.set.log_level));
    if (level == 0) {
        settings_free(&a.set);
        fprintf(stderr, "kim-agent: %s: log_level is debug, info, warning or error\n", config);
        return 1;
    }
    kim_log_to(STDERR_FILENO, level);
    if (only_check) {
        settings_free(&a.set);
        return puts("the configuration is sound") < 0;
    }
    return enrols ? run_enrol(&a, token_file) : run(&a);
}
