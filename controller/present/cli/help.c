/* SPDX-License-Identifier: Apache-2.0
 *
 * help.c - what the table of commands says, for a person and for a shell.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "controller/present/cli/commands.h"

static void write_options(const option *options)
{
    for (const option *o = options; o->name != NULL; o++) {
        char form[80];
        char letter[] = {'-', o->letter, ',', ' ', '\0'};
        snprintf(form, sizeof form, "%s--%s%s%s", o->letter ? letter : "    ", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        printf("  %-32s %s%s\n", form, o->help, o->repeats ? " (may be repeated)" : "");
    }
}

static void write_examples(const char *examples)
{
    while (*examples != '\0') {
        size_t size = strcspn(examples, "\n");
        printf("  %.*s\n", (int)size, examples);
        examples += size + (examples[size] == '\n');
    }
}

static void write_command(const command *about)
{
    printf("%s\n\nUsage: kim %s%s%s [OPTION...]\n", about->summary, about->name, *about->arguments ? " " : "",
           about->arguments);
    if (about->options->name != NULL) {
        printf("\nOptions:\n");
        write_options(about->options);
    }
    printf("\nCommon options:\n");
    write_options(commands_common_options());
    printf("\nExamples:\n");
    write_examples(about->examples);
}

void help_write(const command *about)
{
    size_t count;
    const command *all = commands_all(&count);
    if (about != NULL) {
        write_command(about);
        return;
    }
    printf("kim shows who may do what, what of that is never used, and what to take away.\n\n"
           "Usage: kim COMMAND [ARGUMENT...] [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-16s %s\n", all[i].name, all[i].summary);
    printf("\nCommon options:\n");
    write_options(commands_common_options());
    printf("\n`kim help COMMAND` has a command's options and examples; kim(1) has all of it.\n");
}

int run_help(const invocation *in, kim_error *err)
{
    int words;
    if (in->argument_count == 0) {
        help_write(NULL);
        return EXIT_FINE;
    }
    const command *about = commands_find(in->arguments, in->argument_count, &words);
    if (about == NULL || words != in->argument_count) {
        kim_fail(err, KIM_ERR_INPUT, "there is no command '%s%s%s'; `kim help` lists them all", in->arguments[0],
                 in->argument_count > 1 ? " " : "", in->argument_count > 1 ? in->arguments[1] : "");
        return -EXIT_USAGE;
    }
    help_write(about);
    return EXIT_FINE;
}

int run_version(const invocation *in, kim_error *err)
{
    (void)err;
    if (in->form == AS_JSON)
        printf("{\"version\":\"%s\"}\n", PACKAGE_VERSION);
    else if (in->form == AS_CSV)
        printf("version\n%s\n", PACKAGE_VERSION);
    else
        printf("kim %s\n", PACKAGE_VERSION);
    return EXIT_FINE;
}

/* ---- completion ---- */

static void write_words(const option *options)
{
    for (const option *o = options; o->name != NULL; o++)
        printf(" --%s", o->name);
}

/* What may follow an option: its choices, files, or nothing that is known. */
static void write_values(const option *options, const char *prefix)
{
    for (const option *o = options; o->name != NULL; o++) {
        if (o->choices != NULL)
            printf("        %s--%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", prefix, o->name, o->choices);
        else if (o->value != NULL && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "PATH") == 0))
            printf("        %s--%s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", prefix, o->name);
    }
}

static void write_bash_completion(void)
{
    size_t count;
    const command *all = commands_all(&count);
    printf("# bash completion of kim; made by `kim completion bash`\n"
           "_kim()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
           "    COMPREPLY=()\n"
           "    if ((COMP_CWORD == 1)); then\n"
           "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < count; i++) {
        size_t first = strcspn(all[i].name, " ");
        if (all[i].name[first] == '\0')
            printf("%s ", all[i].name);
    }
    printf("agent' -- \"$word\"))\n        return\n    fi\n"
           "    if [[ $command == agent ]]; then\n"
           "        if ((COMP_CWORD == 2)); then\n"
           "            COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < count; i++)
        if (strncmp(all[i].name, "agent ", 6) == 0)
            printf("%s ", all[i].name + 6);
    printf("' -- \"$word\"))\n            return\n        fi\n"
           "        command=\"agent ${COMP_WORDS[2]}\"\n    fi\n"
           "    case \"$command $before\" in\n");
    for (size_t i = 0; i < count; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "'%s '", all[i].name);
        write_values(all[i].options, prefix);
    }
    printf("        *' -o') COMPREPLY=($(compgen -W 'table json csv' -- \"$word\")); return ;;\n");
    write_values(commands_common_options(), "*' '");
    printf("    esac\n    if [[ $word == -* ]]; then\n        case \"$command\" in\n");
    for (size_t i = 0; i < count; i++) {
        printf("            '%s') COMPREPLY=($(compgen -W '", all[i].name);
        write_words(all[i].options);
        write_words(commands_common_options());
        printf("' -- \"$word\")); return ;;\n");
    }
    printf("        esac\n    fi\n    case \"$command\" in\n"
           "        completion) COMPREPLY=($(compgen -W bash -- \"$word\")) ;;\n"
           "        evaluate|scan) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
           "    esac\n}\ncomplete -o filenames -F _kim kim\n");
}

int run_completion(const invocation *in, kim_error *err)
{
    if (strcmp(in->arguments[0], "bash") != 0) {
        kim_fail(err, KIM_ERR_INPUT, "there is no completion for '%s'; there is one for bash", in->arguments[0]);
        return -EXIT_USAGE;
    }
    write_bash_completion();
    return EXIT_FINE;
}
