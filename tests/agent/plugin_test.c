/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_test.c - a provider for tests: it does what its option `behave` and its document say.
 *
 * The same source, compiled with PLUGIN_FAULT, gives plugins that must be refused.
 *
 * normalise: each line of a document is a word: "identity NAME", "usage NAME", "bad" (a record without
 * its id), "torn" (bytes that are no record), "crash", "exit", "hang", "polite" (until should_stop), "noise",
 * "quiet" (fails without saying why), "fail", "big N" (N identities), "secret", "dial PORT".
 * collect and usage read the file of option `script` in the same language; in usage a "commit CURSOR"
 * line hands over what came before, from the line after the one that the cursor names.
 */
#include <kim/emit.h>
#include <kim/plugin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct self {
    const kim_host *host;
    char script[4096];
    kim_emitter out;
} self;

static const char *setting(const kim_settings *settings, const char *name)
{
    for (uint32_t i = 0; i < settings->count; i++)
        if (!strcmp(settings->items[i].name, name))
            return settings->items[i].values[0];
    return NULL;
}

static int test_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    const char *behave = setting(settings, "behave"), *script = setting(settings, "script");
    if (behave && !strcmp(behave, "refuse"))
        return kim_fail(err, KIM_ERR_DENIED, "the door is shut");
    if (behave && !strcmp(behave, "hang"))
        for (;;)
            pause();
    if (behave && !strcmp(behave, "crash"))
        raise(SIGSEGV);
    self *me = calloc(1, sizeof *me);
    if (!me)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory");
    me->host = host;
    snprintf(me->script, sizeof me->script, "%s", script ? script : "");
    char text[64];
    snprintf(text, sizeof text, "interval is %s", setting(settings, "interval"));
    host->log(host->context, KIM_LOG_INFO, "opened", text);
    *instance = me;
    return 0;
}

static void test_close(void *instance)
{
    free(instance);
}

static int put_identity(self *me, const char *name, const char *owner, kim_error *err)
{
    kim_record r = {.type = KIM_IDENTITY, .scope = KIM_TEXT("ot:test")};
    r.identity.id = kim_text_of(name);
    r.identity.kind = KIM_DEVICE;
    if (owner)
        r.identity.owner = kim_text_of(owner);
    return kim_emit(&me->out, &r, err);
}

static int put_usage(self *me, const char *name, kim_error *err)
{
    kim_record r = {.type = KIM_USAGE, .scope = KIM_TEXT("ot:test")};
    r.usage = (kim_usage){.day = 20000, .identity = kim_text_of(name), .action = KIM_TEXT("read"),
                          .outcome = KIM_SUCCESS, .count = 1, .first_unix_ms = 1728000000000,
                          .last_unix_ms = 1728000000000};
    return kim_emit(&me->out, &r, err);
}

static int put_coverage(self *me, const char *why, kim_error *err)
{
    kim_record r = {.type = KIM_COVERAGE, .scope = KIM_TEXT("ot:test")};
    r.coverage = (kim_coverage){.part = KIM_TEXT("log:test"), .status = KIM_PARTIAL, .why = kim_text_of(why)};
    return kim_emit(&me->out, &r, err);
}

static int many(self *me, long count, kim_error *err)
{
    for (long i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "device-%ld", i);
        if (put_identity(me, name, NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int show_secret(self *me, kim_error *err)
{
    const char *value = me->host->secret(me->host->context, "password", err);
    return value ? put_identity(me, *value ? value : "(none)", NULL, err) : -1;
}

static int greet(self *me, int port, kim_error *err)
{
    int to = me->host->dial(me->host->context, "127.0.0.1", (uint16_t)port, err);
    if (to < 0)
        return -1;
    ssize_t written = write(to, "hello", 5);
    close(to);
    return written == 5 ? 0 : kim_fail(err, KIM_ERR_NETWORK, "could not greet");
}

static int put_bad(self *me, kim_error *err)
{
    static const uint8_t no_id[] = {0x93, 0x02, 0xa7, 'o', 't', ':', 't', 'e', 's', 't', 0xc0};
    return me->host->emit(me->host->context, no_id, sizeof no_id, NULL, 0, err);
}

static int put_torn(self *me, kim_error *err)
{
    static const uint8_t torn[] = {0x93, 0x02, 0xdb, 0xff};
    return me->host->emit(me->host->context, torn, sizeof torn, NULL, 0, err);
}

static int be_polite(self *me, kim_error *err)
{
    while (!me->host->should_stop(me->host->context))
        usleep(1000);
    return kim_fail(err, KIM_ERR_STOPPED, "asked to stop");
}

static int obey(self *me, const char *line, kim_error *err)
{
    char word[32] = "", name[256] = "", owner[256] = "";
    if (sscanf(line, "%31s %255s %255s", word, name, owner) < 1)
        return 0;
    if (!strcmp(word, "identity"))
        return put_identity(me, name, *owner ? owner : NULL, err);
    if (!strcmp(word, "usage"))
        return put_usage(me, name, err);
    if (!strcmp(word, "coverage"))
        return put_coverage(me, name, err);
    if (!strcmp(word, "big"))
        return many(me, atol(name), err);
    if (!strcmp(word, "secret"))
        return show_secret(me, err);
    if (!strcmp(word, "dial"))
        return greet(me, atoi(name), err);
    if (!strcmp(word, "bad"))
        return put_bad(me, err);
    if (!strcmp(word, "torn"))
        return put_torn(me, err);
    if (!strcmp(word, "polite"))
        return be_polite(me, err);
    if (!strcmp(word, "quiet"))
        return -1;
    if (!strcmp(word, "noise")) {
        puts("a word on standard output");
        fflush(stdout);
        fputs("and one on standard error\n", stderr);
        return 0;
    }
    if (!strcmp(word, "crash")) {
        fputs("about to fall over\n", stderr);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (!strcmp(word, "exit"))
        _exit(3);
    if (!strcmp(word, "hang"))
        for (;;)
            pause();
    return kim_fail(err, KIM_ERR_INPUT, "told to fail: %s", name);
}

static int test_normalise(void *instance, const kim_document *document, kim_error *err)
{
    self *me = instance;
    kim_emitter_start(&me->out, me->host);
    char *text = strndup((const char *)document->bytes, document->size), *rest = text, *line;
    int result = text ? 0 : -1;
    while (result == 0 && (line = strsep(&rest, "\n")))
        result = obey(me, line, err);
    if (result == 0)
        result = kim_emit_flush(&me->out, NULL, 0, err);
    kim_emitter_stop(&me->out);
    free(text);
    return result;
}

static FILE *open_script(const self *me, kim_error *err)
{
    FILE *script = fopen(me->script, "r");
    if (!script)
        kim_fail(err, KIM_ERR_NOT_FOUND, "script '%s' cannot be read", me->script);
    return script;
}

static int test_collect(void *instance, uint32_t mode, kim_error *err)
{
    (void)mode;
    self *me = instance;
    FILE *script = open_script(me, err);
    if (!script)
        return -1;
    kim_emitter_start(&me->out, me->host);
    char line[512];
    int result = 0;
    while (result == 0 && fgets(line, sizeof line, script))
        if (strncmp(line, "usage", 5) && strncmp(line, "commit", 6) && strncmp(line, "coverage", 8))
            result = obey(me, line, err);
    if (result == 0)
        result = kim_emit_flush(&me->out, NULL, 0, err);
    kim_emitter_stop(&me->out);
    fclose(script);
    return result;
}

/* The lines behind the one that the cursor (its number) names. */
static int test_usage(void *instance, kim_error *err)
{
    self *me = instance;
    FILE *script = open_script(me, err);
    if (!script)
        return -1;
    size_t size;
    const uint8_t *at = me->host->cursor(me->host->context, "usage", &size);
    char text[32] = "0", line[512];
    memcpy(text, at ? (const char *)at : "0", at && size < sizeof text ? size : 1);
    long done = atol(text), number = 0;
    kim_emitter_start(&me->out, me->host);
    me->out.hold = true;
    int result = 0;
    while (result == 0 && fgets(line, sizeof line, script)) {
        if (++number <= done)
            continue;
        if (!strncmp(line, "usage", 5) || !strncmp(line, "coverage", 8))
            result = obey(me, line, err);
        else if (!strncmp(line, "commit", 6)) {
            int length = snprintf(text, sizeof text, "%ld", number);
            result = kim_emit_flush(&me->out, (const uint8_t *)text, (size_t)length, err);
        }
    }
    kim_emitter_stop(&me->out);
    fclose(script);
    return result;
}

static int test_recognise(const char *name, const uint8_t *head, size_t size)
{
    if (size >= 4 && !memcmp(head, "TEST", 4))
        return 2;
    return strstr(name, ".test") ? 1 : 0;
}

static int test_render(void *instance, const char *format, const uint8_t *proposal, size_t size, kim_error *err)
{
    self *me = instance;
    const kim_host *h = me->host;
    if (strcmp(format, "upper"))
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "format '%s' is not known; there is 'upper'", format);
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)(proposal[i] >= 'a' && proposal[i] <= 'z' ? proposal[i] - 32 : proposal[i]);
        if (h->output(h->context, &c, 1, err) < 0)
            return -1;
    }
    return 0;
}

static const kim_option options[] = {
    {"behave", KIM_OPTION_TEXT, 0, NULL, NULL, 0, 0, "how open behaves"},
    {"script", KIM_OPTION_PATH, 0, NULL, NULL, 0, 0, "what collect and usage say"},
    {"interval", KIM_OPTION_DURATION, 0, NULL, "5m", 1000, 86400000, "a duration"},
    {"port", KIM_OPTION_INT, 0, NULL, NULL, 1, 65535, "a number"},
    {"loud", KIM_OPTION_BOOL, 0, NULL, NULL, 0, 0, "a choice"},
    {"regions", KIM_OPTION_TEXT, KIM_OPTION_LIST, NULL, NULL, 0, 0, "a list"},
    {"password", KIM_OPTION_TEXT, KIM_OPTION_SECRET, NULL, NULL, 0, 0, "a secret"},
};
static const char *const hosts[] = {"127.0.0.1:*", NULL};

#ifndef PLUGIN_ABI_MAJOR
#define PLUGIN_ABI_MAJOR KIM_ABI_MAJOR
#endif

static const kim_plugin plugin = {
    .magic = KIM_PLUGIN_MAGIC, .struct_size = sizeof(kim_plugin), .abi_major = PLUGIN_ABI_MAJOR,
    .abi_minor = KIM_ABI_MINOR,
    .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT | KIM_CAN_USAGE | KIM_CAN_RENDER,
    .id = "test", .version = "1.2.3", .vendor = "kim", .summary = "does as it is told",
    .options = options, .option_count = sizeof options / sizeof options[0], .option_size = sizeof(kim_option),
    .hosts = hosts, .open = test_open, .close = test_close, .recognise = test_recognise,
    .normalise = test_normalise, .collect = test_collect, .usage = test_usage, .render = test_render,
};

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
