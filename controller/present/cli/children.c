/* SPDX-License-Identifier: Apache-2.0
 *
 * children.c - a child that cannot outlive its parent, and a folder that cannot either.
 *
 * The controller ends when its standard input does, so even a kill -9 of kim leaves no process. For all
 * that can be caught a signal handler does the rest with calls that are safe in it: kill, unlink, rmdir.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/present/cli/children.h"

enum { START_TIMEOUT_MS = 30000, STOP_TIMEOUT_MS = 5000, LAST_WORDS_BYTES = 200 };

struct private_controller {
    pid_t pid;         /* 0: it has ended */
    int stdin_fd;      /* closing it ends the controller */
    char folder[64];   /* /tmp/kim-XXXXXX */
    char socket[80], log[80];
};

/* What the signal handler undoes. One private controller at a time is all that kim needs. */
static private_controller *volatile guarded;

static void remove_traces(const private_controller *pc)
{
    unlink(pc->socket);
    unlink(pc->log);
    rmdir(pc->folder);
}

static void end_at_once(int number)
{
    private_controller *pc = guarded;
    if (pc != NULL) {
        if (pc->pid > 0)
            kill(pc->pid, SIGKILL);
        remove_traces(pc);
    }
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns: the parent sees by what kim ended */
}

void children_guard(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = end_at_once};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction was;
        if (sigaction(numbers[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN) /* nohup stays nohup */
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* ---- starting ---- */

static const char *controller_program(void)
{
    const char *set = getenv("KIM_CONTROLLER");
    return set != NULL && *set != '\0' ? set : KIM_BIN_DIR "/kim-controller";
}

static int make_folder(private_controller *pc, kim_error *err)
{
    const char *tmp = getenv("TMPDIR");
    /* A Unix socket's path has at most 107 bytes: a long TMPDIR will not do. */
    if (tmp == NULL || *tmp != '/' || strlen(tmp) > sizeof pc->folder - sizeof "/kim-XXXXXX")
        tmp = "/tmp";
    snprintf(pc->folder, sizeof pc->folder, "%s/kim-XXXXXX", tmp);
    if (mkdtemp(pc->folder) == NULL)
        return kim_fail(err, KIM_ERR_IO, "cannot make a folder in %s: %s; set TMPDIR to one that can be written", tmp,
                        strerror(errno));
    snprintf(pc->socket, sizeof pc->socket, "%s/kim.sock", pc->folder);
    snprintf(pc->log, sizeof pc->log, "%s/log", pc->folder);
    return 0;
}

/* in, out: the child's standard input and output. */
static int spawn(private_controller *pc, int in, int out, kim_error *err)
{
    const char *program = controller_program();
    char name[] = "kim-controller", private[] = "--private", socket[] = "--socket";
    char *const argv[] = {name, private, socket, pc->socket, NULL};
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, pc->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C is kim's alone: it ends its children itself */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(&pc->pid, program, &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failed == 0)
        return 0;
    pc->pid = 0;
    return kim_fail(err, failed == ENOENT ? KIM_ERR_NOT_FOUND : KIM_ERR_IO,
                    "%s: cannot be started: %s; install kim whole, or set KIM_CONTROLLER to the program", program,
                    strerror(failed));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The end of what it wrote on standard error, in one line. */
static void read_last_words(const private_controller *pc, char words[LAST_WORDS_BYTES])
{
    words[0] = '\0';
    FILE *log = fopen(pc->log, "re");
    if (log == NULL)
        return;
    if (fseek(log, -(LAST_WORDS_BYTES - 1), SEEK_END) != 0)
        rewind(log);
    size_t size = fread(words, 1, LAST_WORDS_BYTES - 1, log);
    fclose(log);
    while (size > 0 && words[size - 1] == '\n')
        size--;
    words[size] = '\0';
    char *line = strrchr(words, '\n');
    if (line != NULL)
        memmove(words, line + 1, strlen(line + 1) + 1);
}

static bool has_ended(private_controller *pc, int *status)
{
    if (pc->pid <= 0 || waitpid(pc->pid, status, WNOHANG) != pc->pid)
        return false;
    pc->pid = 0;
    return true;
}

static int fail_ended(private_controller *pc, int status, kim_error *err)
{
    char words[LAST_WORDS_BYTES], how[48];
    read_last_words(pc, words);
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(how, sizeof how, "status %d", WEXITSTATUS(status));
    return kim_fail(err, KIM_ERR_IO, "kim-controller ended by itself with %s%s%s", how, words[0] ? ": " : "", words);
}

/* Waits for its line "ready". */
static int wait_ready(private_controller *pc, int out, kim_error *err)
{
    char line[256];
    size_t size = 0;
    int64_t end_ms = now_ms() + START_TIMEOUT_MS;
    for (;;) {
        struct pollfd fd = {.fd = out, .events = POLLIN};
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) == 0)
            return kim_fail(err, KIM_ERR_TIMEOUT, "kim-controller did not get ready within %d s; is this machine overloaded?",
                            START_TIMEOUT_MS / 1000);
        ssize_t got = read(out, line + size, sizeof line - 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int status = 0;
            if (waitpid(pc->pid, &status, 0) == pc->pid)
                pc->pid = 0;
            return fail_ended(pc, status, err);
        }
        size += (size_t)got;
        line[size] = '\0';
        for (char *at = line; at != NULL; at = strchr(at, '\n')) {
            at += *at == '\n';
            if (strncmp(at, "ready", 5) == 0 && strchr(at, '\n') != NULL)
                return 0;
        }
        if (size == sizeof line - 1)
            size = 0;
    }
}

private_controller *private_start(kim_error *err)
{
    private_controller *pc = calloc(1, sizeof *pc);
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (pc == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to start kim-controller");
        return NULL;
    }
    pc->stdin_fd = -1;
    if (make_folder(pc, err) < 0) {
        free(pc);
        return NULL;
    }
    guarded = pc;
    bool good = false;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    } else if (spawn(pc, in[0], out[1], err) == 0) {
        pc->stdin_fd = in[1];
        close(out[1]);
        out[1] = -1;
        good = wait_ready(pc, out[0], err) == 0;
    }
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0 && in[i] != pc->stdin_fd)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
    }
    if (good)
        return pc;
    private_stop(pc);
    return NULL;
}

const char *private_socket(const private_controller *pc)
{
    return pc->socket;
}

int private_explain(private_controller *pc, kim_error *err)
{
    int status;
    struct timespec moment = {.tv_nsec = 20 * 1000 * 1000}; /* a broken connection is seen before its end is */
    nanosleep(&moment, NULL);
    return has_ended(pc, &status) ? fail_ended(pc, status, err) : -1;
}

void private_stop(private_controller *pc)
{
    if (pc == NULL)
        return;
    int status;
    if (pc->stdin_fd >= 0)
        close(pc->stdin_fd);
    if (pc->pid > 0)
        kill(pc->pid, SIGTERM);
    for (int64_t end_ms = now_ms() + STOP_TIMEOUT_MS; pc->pid > 0 && !has_ended(pc, &status);) {
        struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};
        if (now_ms() > end_ms)
            kill(pc->pid, SIGKILL);
        nanosleep(&moment, NULL);
    }
    remove_traces(pc);
    guarded = NULL;
    free(pc);
}
