/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.h - every command of kim in one table, and a command line read against it.
 *
 * Help, completion, the manual page's test and the parser all walk this table: to add a command is to
 * add a row and its function.
 */
#ifndef KIM_CLI_COMMANDS_H
#define KIM_CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <kim/error.h>

/* kim's exit status; doc/kim.1 explains them. */
enum {
    EXIT_FINE = 0,
    EXIT_UNREAD = 1,      /* answered, but some of the input could not be read */
    EXIT_USAGE = 2,       /* the command line */
    EXIT_UNREACHED = 3,   /* no controller answers */
    EXIT_REFUSED = 4,     /* the controller refused, or what was asked for is not there */
    EXIT_FAILED = 5,      /* this machine: disk, memory, a child that ended */
    EXIT_DENIED = 10,     /* can --exit-code */
    EXIT_UNKNOWN = 11,
    EXIT_CONDITIONAL = 12,
};

typedef struct option {
    const char *name;    /* without its dashes; NULL ends a table */
    char letter;         /* the short form; 0: none */
    const char *value;   /* what stands for its value in help: "FILE"; NULL: it takes none */
    const char *choices; /* the only values, with a space between; NULL: any */
    bool repeats;
    const char *help;    /* one line */
} option;

typedef struct invocation invocation;

typedef struct command {
    const char *name;           /* "who-can"; "agent add": two words */
    const char *arguments;      /* as in the usage line; "" for none */
    int min_arguments, max_arguments; /* -1: any number */
    const char *summary;        /* one line, no full stop */
    const option *options;      /* its own, beside the common ones */
    const char *examples;       /* whole lines, for help and the manual page */
    bool is_query;              /* answers from an estate: may follow `kim scan ... --` */
    /* Returns an exit status, or -1 with err; with err too where the command line turns out to be wrong: -EXIT_USAGE. */
    int (*run)(const invocation *in, kim_error *err);
} command;

/* A command line that was read. Its texts are argv's. */
enum { OPTIONS_GIVEN_MAX = 512 };
typedef enum output_form { AS_TABLE, AS_JSON, AS_CSV } output_form;

struct invocation {
    const command *command;
    const char **arguments;          /* [argument_count], NULL-terminated */
    int argument_count;
    struct {
        const option *option;
        const char *value;           /* NULL for one that takes none */
    } given[OPTIONS_GIVEN_MAX];
    size_t given_count;
    const char **rest;               /* [rest_count]: what follows "--" (scan) */
    int rest_count;
    output_form form;
    const char *socket;              /* of the controller */
    bool quiet;
    bool wants_help;
};

const command *commands_all(size_t *count);
const option *commands_common_options(void); /* every command takes them; ends with name NULL */
/* "agent add" from ["agent","add",...]: how many words it took goes to *words. NULL: no such command. */
const command *commands_find(const char *const *words_given, int count, int *words);

/* Reads a whole command line, without the program's name. `in->arguments` points into `argv`, which is
 * put into another order. Errors: KIM_ERR_INPUT, naming what is near */
int commands_read(invocation *in, const char **argv, int argc, kim_error *err);

/* The last value given; `otherwise` where it was not. "" for an option without a value. */
const char *given(const invocation *in, const char *name, const char *otherwise);
bool is_given(const invocation *in, const char *name);

void help_write(const command *about); /* help.c; NULL: all of kim */

/* What the table names. */
typedef int command_function(const invocation *in, kim_error *err);
command_function run_status, run_identities, run_show, run_gaps, run_findings;           /* estate.c */
command_function run_agents, run_agent_add, run_agent_approve, run_agent_revoke, run_agent_show; /* agents.c */
command_function run_can, run_explain, run_who_can, run_what_can, run_effective;       /* ask.c */
command_function run_propose;                                                             /* propose.c */
command_function run_evaluate;                                                            /* evaluate.c */
command_function run_diff;                                                                /* diff.c */
command_function run_scan;                                                                /* scan.c */
command_function run_version, run_completion, run_help;                                   /* help.c */

#endif
