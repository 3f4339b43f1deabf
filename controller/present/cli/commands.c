/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.c - the table of commands, and a command line read against it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/client.h"
#include "controller/present/cli/commands.h"

/* ---- the tables ---- */

static const option common_options[] = {
    {"output", 'o', "FORM", "table json csv", false, "how to print: table (for people), json or csv (for programs)"},
    {"socket", 's', "PATH", NULL, false, "the controller's socket; otherwise $KIM_SOCKET, or the installed one"},
    {"quiet", 'q', NULL, NULL, false, "no progress and no hints on standard error"},
    {"help", 'h', NULL, NULL, false, "what the command does, its options and examples"},
    {NULL, 0, NULL, NULL, false, NULL},
};

#define QUESTION_OPTIONS                                                                                               \
    {"context", 'c', "KEY=VALUE", NULL, true, "a key of the request's context; the same key again adds a value"},     \
    {"mode", 'm', "MODE", "discover strict", false, "discover (a key not given is not known; the default) or strict (it is absent)"}, \
    {"known-absent", 0, "KEY", NULL, true, "a key that the request surely lacks"},                                    \
    {"known-present", 0, "KEY", NULL, true, "a key that the request has, with a value that is not known"},            \
    {"resource-account", 0, "ACCOUNT", NULL, false, "the account of the resource, where its id does not say"},        \
    {"plane", 0, "PLANE", "control data", false, "Azure: whether the action is one of control (unless given) or of data"},                             \
    {"provider", 'p', "PROVIDER", NULL, false, "whose identities, where the estate has several providers"}

static const option can_options[] = {
    QUESTION_OPTIONS,
    {"exit-code", 0, NULL, NULL, false, "exit with 0 only if allowed; 10 denied, 11 unknown, 12 conditional"},
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option question_options[] = {QUESTION_OPTIONS, {NULL, 0, NULL, NULL, false, NULL}};

static const option effective_options[] = {
    {"resource", 'r', "RESOURCE", NULL, false, "only what may be done to this; a pattern may be given"},
    QUESTION_OPTIONS,
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option diff_options[] = {
    {"provider", 'p', "PROVIDER", NULL, false, "whose files these are; otherwise each is recognised"},
    {NULL, 0, NULL, NULL, false, NULL},
};

static const option no_options[] = {{NULL, 0, NULL, NULL, false, NULL}};

static const option agent_add_options[] = {
    {"scope", 0, "SCOPE", NULL, true, "a scope that the agent may speak for, such as aws:111122223333"},
    {"token-file", 0, "FILE", NULL, false, "write the token to this new file (mode 0600), not to standard output"},
    {NULL, 0, NULL, NULL, false, NULL},
};

static const option identities_options[] = {
    {"filter", 'f', "PART", NULL, false, "only where the id or the name contains this, whatever the letter case"},
    {"kind", 'k', "KIND", "human service workload device ai_agent group role public", true, "only this kind"},
    {"scope", 0, "SCOPE", NULL, false, "only in this scope and those below it"},
    {"limit", 'n', "COUNT", NULL, false, "at most so many"},
    {NULL, 0, NULL, NULL, false, NULL},
};

#define SELECTION_OPTIONS                                                                              \
    {"identity", 'i', "IDENTITY", NULL, false, "only of this identity"},                              \
    {"scope", 0, "SCOPE", NULL, false, "only in this scope"},                                          \
    {"days", 'd', "DAYS", NULL, false, "the window of usage, back from the newest log entry; 90 unless given"},      \
    {"limit", 'n', "COUNT", NULL, false, "at most so many, the largest first"}

static const option gaps_options[] = {
    SELECTION_OPTIONS,
    {"kind", 'k', "KIND", "human service workload device ai_agent role public", false, "only of this kind of identity"},
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option findings_options[] = {
    SELECTION_OPTIONS,
    {"kind", 'k', "KIND", "administrator can_become_administrator wildcard_grant unused_identity unused_credential password_without_second_factor",
     false, "only this kind of finding"},
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option propose_options[] = {
    {"days", 'd', "DAYS", NULL, false, "the window of usage, back from the newest log entry; 90 unless given"},
    {"format", 'f', "FORMAT", "json terraform", false, "the policy as the provider's JSON, or as Terraform"},
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option evaluate_options[] = {
    {"estate", 'e', NULL, NULL, false, "the cases have no documents: they come from the controller's estate"},
    {"mode", 'm', "MODE", "discover strict", false, "with --estate: for cases that do not say; strict unless given"},
    {NULL, 0, NULL, NULL, false, NULL},
};
static const option scan_options[] = {
    {"provider", 'p', "PROVIDER", NULL, false, "whose files these are; otherwise each is recognised"},
    {"days", 'd', "DAYS", NULL, false, "the report's window of usage, back from the newest log entry; 90 unless given"},
    {NULL, 0, NULL, NULL, false, NULL},
};

static const command commands[] = {
    {"status", "", 0, 0, "How the controller and its estate are", no_options,
     "kim status\nkim status -o json", true, run_status},
    {"agents", "", 0, 0, "The agents, and how far each has delivered", no_options,
     "kim agents", false, run_agents},
    {"agent list", "", 0, 0, "The same as kim agents", no_options,
     "kim agent list -o csv", false, run_agents},
    {"agent show", "NAME", 1, 1, "One agent and its streams", no_options,
     "kim agent show web-17", false, run_agent_show},
    {"agent add", "NAME", 1, 1, "Invite an agent: a token, good once, with which it enrols", agent_add_options,
     "kim agent add web-17 --scope aws:111122223333 --token-file web-17.token", false, run_agent_add},
    {"agent approve", "NAME", 1, 1, "Let an enrolled agent speak for its scopes", no_options,
     "kim agent approve web-17", false, run_agent_approve},
    {"agent revoke", "NAME", 1, 1, "Refuse an agent from its next message on", no_options,
     "kim agent revoke web-17", false, run_agent_revoke},
    {"identities", "", 0, 0, "Who there is", identities_options,
     "kim identities --kind role --filter admin\nkim identities --scope aws:111122223333 -o csv", true, run_identities},
    {"show", "IDENTITY", 1, 1, "Everything known of one identity", no_options,
     "kim show arn:aws:iam::111122223333:user/ann\nkim show ann", true, run_show},
    {"can", "IDENTITY ACTION RESOURCE", 3, 3, "May this identity do this there? And which statements say so?", can_options,
     "kim can arn:aws:iam::111122223333:user/ann s3:GetObject arn:aws:s3:::b/k\n"
     "kim can ann s3:GetObject arn:aws:s3:::b/k -c aws:SourceIp=192.0.2.1 --exit-code", true, run_can},
    {"explain", "IDENTITY ACTION RESOURCE", 3, 3, "The same as kim can, with each statement, membership and scope in words", can_options,
     "kim explain ann s3:GetObject arn:aws:s3:::b/k", true, run_explain},
    {"who-can", "ACTION RESOURCE", 2, 2, "Everybody who may do this there", question_options,
     "kim who-can s3:GetObject arn:aws:s3:::b/k\nkim who-can iam:PassRole '*' -o json", true, run_who_can},
    {"what-can", "IDENTITY [RESOURCE]", 1, 2, "Everything that this identity may do", question_options,
     "kim what-can arn:aws:iam::111122223333:role/app\nkim what-can arn:aws:iam::111122223333:role/app 'arn:aws:s3:::b/*'", true, run_what_can},
    {"effective", "IDENTITY...", 1, -1, "All that these identities may do, said briefly: what is granted alike is one line", effective_options,
     "kim effective arn:aws:iam::111122223333:role/app\nkim effective ann bob --resource 'arn:aws:s3:::b/*' -o json", true, run_effective},
    {"gaps", "", 0, 0, "What is granted and not used", gaps_options,
     "kim gaps --days 180 --limit 20\nkim gaps --identity arn:aws:iam::111122223333:role/app", true, run_gaps},
    {"findings", "", 0, 0, "Grants and credentials that should not be as they are", findings_options,
     "kim findings\nkim findings --scope aws:111122223333 -o json", true, run_findings},
    {"propose", "IDENTITY", 1, 1, "The policy that covers just what was used, ready to apply", propose_options,
     "kim propose arn:aws:iam::111122223333:role/app\nkim propose arn:aws:iam::111122223333:role/app --format terraform", true, run_propose},
    {"evaluate", "[FILE|-]", 0, 1, "Answer cases in native documents, one JSON object a line", evaluate_options,
     "kim evaluate cases.jsonl\nkim evaluate - < cases.jsonl\nkim evaluate --estate requests.jsonl", true, run_evaluate},
    {"scan", "FILE|DIR... [-- QUERY...]", 1, -1, "Read exports and logs: the report, or any query, without a controller", scan_options,
     "kim scan account.json trail/\n"
     "kim scan account.json -- who-can s3:GetObject arn:aws:s3:::b/k -o json\n"
     "kim scan account.json -- evaluate requests.jsonl", false, run_scan},
    {"diff", "BEFORE AFTER", 2, 2, "Who gained and who lost what between two exports (files or folders)", diff_options,
     "kim diff monday.json tuesday.json\nkim diff before/ after/ -o json", false, run_diff},
    {"version", "", 0, 0, "Which kim this is", no_options, "kim version\nkim --version", false, run_version},
    {"completion", "bash", 1, 1, "The completion of a shell, from this table of commands", no_options,
     "kim completion bash > /etc/bash_completion.d/kim", false, run_completion},
    {"help", "[COMMAND]", 0, 2, "What kim, or a command, does", no_options, "kim help who-can", false, run_help},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

const command *commands_all(size_t *count)
{
    *count = COMMANDS;
    return commands;
}

const option *commands_common_options(void)
{
    return common_options;
}

/* ---- what is near ---- */

enum { NAME_MAX_BYTES = 32 };

/* How many letters have to be changed, put in, taken out or swapped (Damerau-Levenshtein, adjacent). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[NAME_MAX_BYTES + 1][NAME_MAX_BYTES + 1];
    size_t m = strlen(a), n = strlen(b);
    if (m > NAME_MAX_BYTES || n > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (size_t i = 0; i <= m; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= m; i++)
        for (size_t j = 1; j <= n; j++) {
            size_t best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = rows[i - 1][j] + 1 < best ? rows[i - 1][j] + 1 : best;
            best = rows[i][j - 1] + 1 < best ? rows[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && rows[i - 2][j - 2] + 1 < best)
                best = rows[i - 2][j - 2] + 1;
            rows[i][j] = best;
        }
    return rows[m][n];
}

/* The name nearest to what was typed, or NULL where nothing is near. */
static const char *nearest_of(const char *typed, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(typed) < 5 ? 2 : 3; /* fewer changes than that */
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(typed, names[i]);
        if (strlen(typed) >= 2 && strncmp(typed, names[i], strlen(typed)) == 0)
            d = 1; /* its beginning */
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

/* "agent" alone is none: it names the commands that begin with it. */
static bool name_family(const char *word, kim_error *err)
{
    char names[256] = "";
    size_t used = 0, size = strlen(word);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strncmp(commands[i].name, word, size) == 0 && commands[i].name[size] == ' ' && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", commands[i].name);
    if (used > 0)
        kim_fail(err, KIM_ERR_INPUT, "'%s' is one of %s; `kim help %s add` tells of one", word, names, word);
    return used > 0;
}

static int no_such_command(const char *const *words, int count, kim_error *err)
{
    bool alone = count == 1 || words[1][0] == '-';
    if (alone && name_family(words[0], err))
        return -1;
    char typed[2 * NAME_MAX_BYTES + 2];
    const char *names[COMMANDS];
    bool two = count > 1 && strcmp(words[0], "agent") == 0;
    snprintf(typed, sizeof typed, two ? "%s %s" : "%s", words[0], two ? words[1] : "");
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = nearest_of(typed, names, COMMANDS);
    if (near != NULL)
        return kim_fail(err, KIM_ERR_INPUT, "there is no command '%s'; did you mean '%s'?", typed, near);
    return kim_fail(err, KIM_ERR_INPUT, "there is no command '%s'; `kim help` lists them all", typed);
}

/* ---- reading a command line ---- */

const command *commands_find(const char *const *given_words, int count, int *words)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *space = strchr(commands[i].name, ' ');
        size_t first = space != NULL ? (size_t)(space - commands[i].name) : strlen(commands[i].name);
        if (count < 1 + (space != NULL) || strlen(given_words[0]) != first ||
            strncmp(commands[i].name, given_words[0], first) != 0 ||
            (space != NULL && strcmp(space + 1, given_words[1]) != 0))
            continue;
        *words = 1 + (space != NULL);
        return &commands[i];
    }
    return NULL;
}

static const option *find_option(const command *of, const char *name, size_t size, char letter)
{
    const option *tables[] = {of != NULL ? of->options : no_options, common_options};
    for (size_t t = 0; t < 2; t++)
        for (const option *o = tables[t]; o->name != NULL; o++)
            if (letter != 0 ? o->letter == letter : strlen(o->name) == size && strncmp(o->name, name, size) == 0)
                return o;
    return NULL;
}

static int no_such_option(const command *of, const char *typed, kim_error *err)
{
    const char *names[64];
    size_t count = 0;
    const option *tables[] = {of != NULL ? of->options : no_options, common_options};
    for (size_t t = 0; t < 2; t++)
        for (const option *o = tables[t]; o->name != NULL && count < 64; o++)
            names[count++] = o->name;
    char name[NAME_MAX_BYTES + 1];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed + strspn(typed, "-"), "="), typed + strspn(typed, "-"));
    const char *near = typed[1] == '-' ? nearest_of(name, names, count) : NULL;
    if (near != NULL)
        return kim_fail(err, KIM_ERR_INPUT, "kim %s has no option '%.64s'; did you mean '--%s'?",
                        of != NULL ? of->name : "", typed, near);
    return kim_fail(err, KIM_ERR_INPUT, "kim %s has no option '%.64s'; `kim help %s` lists them",
                    of != NULL ? of->name : "", typed, of != NULL ? of->name : "");
}

static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);
    for (const char *at = choices; at != NULL && *at != '\0'; at += *at == ' ') {
        size_t word = strcspn(at, " ");
        if (word == size && strncmp(at, value, size) == 0)
            return true;
        at += word;
    }
    return choices == NULL;
}

static int take_option(invocation *in, const option *o, const char *value, kim_error *err)
{
    if (value != NULL && !is_choice(o->choices, value))
        return kim_fail(err, KIM_ERR_INPUT, "--%s is '%.64s'; it is one of: %s", o->name, value, o->choices);
    if (!o->repeats && is_given(in, o->name))
        return kim_fail(err, KIM_ERR_INPUT, "--%s is given twice; give it once", o->name);
    if (in->given_count == OPTIONS_GIVEN_MAX)
        return kim_fail(err, KIM_ERR_INPUT, "more than %d options; ask with fewer", OPTIONS_GIVEN_MAX);
    in->given[in->given_count].option = o;
    in->given[in->given_count++].value = value;
    return 0;
}

/* --name, --name=value, --name value. Takes the value's word where there is one. */
static int read_long(invocation *in, const char *word, const char **argv, int argc, int *i, kim_error *err)
{
    size_t size = strcspn(word + 2, "=");
    const option *o = find_option(in->command, word + 2, size, 0);
    const char *value = word[2 + size] == '=' ? word + 3 + size : NULL;
    if (o == NULL)
        return no_such_option(in->command, word, err);
    if (o->value == NULL && value != NULL)
        return kim_fail(err, KIM_ERR_INPUT, "--%s takes no value", o->name);
    if (o->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return kim_fail(err, KIM_ERR_INPUT, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        value = argv[++*i];
    }
    return take_option(in, o, value, err);
}

/* -q, -o json, -ojson, -qo json. */
static int read_short(invocation *in, const char *word, const char **argv, int argc, int *i, kim_error *err)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const option *o = find_option(in->command, NULL, 0, *at);
        if (o == NULL)
            return no_such_option(in->command, word, err);
        const char *value = NULL;
        if (o->value != NULL) {
            if (at[1] == '\0' && *i + 1 >= argc)
                return kim_fail(err, KIM_ERR_INPUT, "-%c needs a value: -%c %s", *at, *at, o->value);
            value = at[1] != '\0' ? at + 1 : argv[++*i];
        }
        if (take_option(in, o, value, err) < 0)
            return -1;
        if (value != NULL)
            break;
    }
    return 0;
}

static int check_arguments(const invocation *in, kim_error *err)
{
    const command *c = in->command;
    if (in->argument_count < c->min_arguments)
        return kim_fail(err, KIM_ERR_INPUT, "something is missing: kim %s %s", c->name, c->arguments);
    if (c->max_arguments >= 0 && in->argument_count > c->max_arguments)
        return kim_fail(err, KIM_ERR_INPUT, "'%.128s' is one too many: kim %s %s", in->arguments[c->max_arguments],
                        c->name, c->arguments);
    return 0;
}

/* What follows "--": a query of scan's, or arguments that may begin with '-'. How many arguments. */
static int take_rest(invocation *in, const char **argv, int kept, int from, int argc)
{
    if (in->command->run == run_scan) {
        in->rest = argv + from;
        in->rest_count = argc - from;
        return 0;
    }
    memmove(argv + kept, argv + from, (size_t)(argc - from) * sizeof *argv);
    return argc - from;
}

int commands_read(invocation *in, const char **argv, int argc, kim_error *err)
{
    memset(in, 0, sizeof *in);
    int kept = 0;
    in->arguments = argv;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--") == 0 && in->command != NULL) {
            kept += take_rest(in, argv, kept, i + 1, argc);
            break;
        }
        if (in->command == NULL && strcmp(word, "--version") == 0) /* as every program has it */
            argv[i] = word = "version";
        if (word[0] == '-' && word[1] != '\0') {
            if ((word[1] == '-' ? read_long : read_short)(in, word, argv, argc, &i, err) < 0)
                return -1;
        } else if (in->command == NULL) { /* only the common options come before it */
            int words;
            in->command = commands_find(argv + i, argc - i, &words);
            if (in->command == NULL)
                return no_such_command(argv + i, argc - i, err);
            i += words - 1;
        } else {
            argv[kept++] = word;
        }
    }
    in->argument_count = kept;
    const char *form = given(in, "output", "table");
    in->form = strcmp(form, "json") == 0 ? AS_JSON : strcmp(form, "csv") == 0 ? AS_CSV : AS_TABLE;
    in->socket = given(in, "socket", NULL);
    if (in->socket == NULL)
        in->socket = client_default_socket();
    in->quiet = is_given(in, "quiet");
    in->wants_help = is_given(in, "help");
    return in->command == NULL || in->wants_help ? 0 : check_arguments(in, err);
}

const char *given(const invocation *in, const char *name, const char *otherwise)
{
    for (size_t i = in->given_count; i-- > 0;)
        if (strcmp(in->given[i].option->name, name) == 0)
            return in->given[i].value != NULL ? in->given[i].value : "";
    return otherwise;
}

bool is_given(const invocation *in, const char *name)
{
    return given(in, name, NULL) != NULL;
}
