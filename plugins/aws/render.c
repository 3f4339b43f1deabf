/* SPDX-License-Identifier: Apache-2.0
 *
 * render.c - statements dealt out to as few policies as IAM's quota allows, then written.
 *
 * A statement that is too long by itself is cut along its actions or its resources, which changes nothing
 * of what it allows.
 */
#include "plugins/aws/render.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENVELOPE_BYTES = 64, STATEMENTS_MAX = 4096 }; /* {"Version":"2012-10-17","Statement":[]} and commas */

typedef struct piece {
    const kim_json *statement;
    const char *cut;   /* "Action" or "Resource": only some of its list; NULL: all */
    size_t from, until;
} piece;

typedef struct rendering {
    kim_json_writer *writer;
    kim_bytes text;      /* what goes out */
    piece pieces[STATEMENTS_MAX];
    size_t count;
    size_t ends[AWS_ATTACHED_MAX]; /* pieces before ends[i] stand in policies 0 to i */
    size_t policies;
} rendering;

/* ---- pieces ---- */

static void write_piece(const piece *p, kim_json_writer *to)
{
    kim_json_begin_object(to);
    for (size_t i = 0; i < p->statement->count; i++) {
        const kim_json_member *m = &p->statement->members[i];
        kim_json_key_text(to, m->name);
        if (p->cut == NULL || !kim_text_is(m->name, p->cut)) {
            kim_json_put_json(to, m->value);
            continue;
        }
        kim_json_begin_array(to);
        for (size_t k = p->from; k < p->until; k++)
            kim_json_put_json(to, &m->value->items[k]);
        kim_json_end_array(to);
    }
    kim_json_end_object(to);
}

static size_t size_of(const piece *p, kim_error *err)
{
    size_t size = 0;
    kim_json_writer *plain = kim_json_writer_new(false);
    if (plain) {
        write_piece(p, plain);
        if (kim_json_writer_bytes(plain, &size, err) == NULL)
            size = 0;
    }
    kim_json_writer_free(plain);
    return size;
}

static int add_piece(rendering *r, piece p, kim_error *err)
{
    size_t size = size_of(&p, err);
    if (size == 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a policy");
    if (size + ENVELOPE_BYTES <= AWS_POLICY_MAX_BYTES) {
        if (r->count == STATEMENTS_MAX)
            return kim_fail(err, KIM_ERR_LIMIT, "the proposal has more than %d statements", STATEMENTS_MAX);
        r->pieces[r->count++] = p;
        return 0;
    }
    const kim_json *actions = kim_json_get(p.statement, "Action"), *resources = kim_json_get(p.statement, "Resource");
    size_t many_actions = kim_json_is(actions, KIM_JSON_ARRAY) ? actions->count : 1;
    size_t many_resources = kim_json_is(resources, KIM_JSON_ARRAY) ? resources->count : 1;
    if (p.cut == NULL) {
        p.cut = many_resources > many_actions ? "Resource" : "Action";
        p.from = 0;
        p.until = many_resources > many_actions ? many_resources : many_actions;
    }
    if (p.until - p.from < 2)
        return kim_fail(err, KIM_ERR_LIMIT, "a statement is longer than the %d characters of a policy and cannot be cut", AWS_POLICY_MAX_BYTES);
    piece left = p, right = p;
    left.until = right.from = p.from + (p.until - p.from) / 2;
    return add_piece(r, left, err) < 0 ? -1 : add_piece(r, right, err);
}

static int deal(rendering *r, const kim_json *statements, kim_error *err)
{
    size_t filled = ENVELOPE_BYTES;
    for (size_t i = 0; i < statements->count; i++)
        if (add_piece(r, (piece){.statement = &statements->items[i]}, err) < 0)
            return -1;
    r->policies = 1;
    for (size_t i = 0; i < r->count; i++) {
        size_t size = size_of(&r->pieces[i], err) + 1;
        if (filled + size > AWS_POLICY_MAX_BYTES) {
            if (r->policies == AWS_ATTACHED_MAX)
                return kim_fail(err, KIM_ERR_LIMIT, "the proposal takes more than the %d policies that AWS lets one identity have; "
                                                    "reduce the resources it names, or raise the quota", AWS_ATTACHED_MAX);
            r->ends[r->policies++ - 1] = i;
            filled = ENVELOPE_BYTES;
        }
        filled += size;
    }
    r->ends[r->policies - 1] = r->count;
    return 0;
}

static int write_document(rendering *r, size_t policy, size_t *size, const char **bytes, kim_error *err)
{
    kim_json_writer_reset(r->writer);
    kim_json_begin_object(r->writer);
    kim_json_key(r->writer, "Version");
    kim_json_put_string(r->writer, "2012-10-17");
    kim_json_key(r->writer, "Statement");
    kim_json_begin_array(r->writer);
    for (size_t i = policy ? r->ends[policy - 1] : 0; i < r->ends[policy]; i++)
        write_piece(&r->pieces[i], r->writer);
    kim_json_end_array(r->writer);
    kim_json_end_object(r->writer);
    *bytes = kim_json_writer_bytes(r->writer, size, err);
    return *bytes ? 0 : -1;
}

/* ---- json ---- */

static void put(rendering *r, const char *text)
{
    kim_bytes_append(&r->text, text, strlen(text));
}

static int render_json(rendering *r, const kim_json *proposal, kim_error *err)
{
    (void)proposal;
    for (size_t i = 0; i < r->policies; i++) {
        size_t size;
        const char *bytes;
        if (write_document(r, i, &size, &bytes, err) < 0)
            return -1;
        kim_bytes_append(&r->text, bytes, size);
        if (size == 0 || bytes[size - 1] != '\n')
            put(r, "\n");
    }
    return 0;
}

/* ---- terraform ---- */

typedef struct target {
    const char *attachment, *argument; /* "aws_iam_role_policy_attachment", "role" */
    kim_text name;                     /* without its path */
} target;

static int find_target(const kim_json *proposal, target *out, kim_error *err)
{
    static const struct { kim_text prefix; const char *attachment, *argument; } kinds[] = {
        {KIM_TEXT("role/"), "aws_iam_role_policy_attachment", "role"},
        {KIM_TEXT("user/"), "aws_iam_user_policy_attachment", "user"},
    };
    kim_text arn = kim_json_text_of(proposal, "identity");
    const char *last = arn.size ? memrchr(arn.bytes, ':', arn.size) : NULL;
    kim_text rest = last ? (kim_text){last + 1, arn.size - (size_t)(last + 1 - arn.bytes)} : KIM_NO_TEXT;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kim_text_starts_with(rest, kinds[i].prefix))
            continue;
        const char *slash = memrchr(rest.bytes, '/', rest.size);
        *out = (target){kinds[i].attachment, kinds[i].argument, {slash + 1, rest.size - (size_t)(slash + 1 - rest.bytes)}};
        return 0;
    }
    return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no user or role that a policy could be attached to", KIM_PRINT(arn));
}

/* Behind the name of all policies but the first: their number. */
static void put_number(rendering *r, const char *before, size_t policy)
{
    char suffix[24];
    snprintf(suffix, sizeof suffix, "%s%zu", before, policy + 1);
    if (policy > 0)
        put(r, suffix);
}

/* A name as Terraform's identifiers allow. */
static void put_label(rendering *r, kim_text name, size_t policy)
{
    put(r, "kim_");
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        kim_bytes_append(&r->text, plain ? &c : "_", 1);
    }
    put_number(r, "_", policy);
}

static void put_quoted(rendering *r, const char *before, kim_text text, size_t policy, const char *after)
{
    put(r, before);
    kim_bytes_append(&r->text, text.bytes, text.size);
    put_number(r, "-", policy);
    put(r, after);
}

/* In a template `${` and `%{` would begin an expression: AWS's policy variables are doubled. */
static void put_template(rendering *r, const char *bytes, size_t size)
{
    put(r, "    ");
    for (size_t i = 0; i < size; i++) {
        if ((bytes[i] == '$' || bytes[i] == '%') && i + 1 < size && bytes[i + 1] == '{')
            kim_bytes_append(&r->text, bytes + i, 1);
        kim_bytes_append(&r->text, bytes + i, 1);
        if (bytes[i] == '\n' && i + 1 < size)
            put(r, "    ");
    }
    if (size && bytes[size - 1] != '\n')
        put(r, "\n");
}

static void put_comment(rendering *r, const kim_json *proposal)
{
    kim_text identity = kim_json_text_of(proposal, "identity");
    const kim_json *replaces = kim_json_get(proposal, "replaces");
    put_quoted(r, "# What ", identity, 0, " was seen to use. Attach it, then detach what it takes the place of:\n");
    for (size_t i = 0; kim_json_is(replaces, KIM_JSON_ARRAY) && i < replaces->count; i++)
        put_quoted(r, "#   ", kim_json_text(&replaces->items[i]), 0, "\n");
}

static int render_terraform(rendering *r, const kim_json *proposal, kim_error *err)
{
    target t = {0};
    if (find_target(proposal, &t, err) < 0)
        return -1;
    put_comment(r, proposal);
    for (size_t i = 0; i < r->policies; i++) {
        size_t size;
        const char *bytes;
        if (write_document(r, i, &size, &bytes, err) < 0)
            return -1;
        put(r, "\nresource \"aws_iam_policy\" \"");
        put_label(r, t.name, i);
        put_quoted(r, "\" {\n  name        = \"kim-", t.name, i, "\"\n");
        put_quoted(r, "  description = \"Least privilege of ", t.name, 0, ", from its usage\"\n  policy      = <<-POLICY\n");
        put_template(r, bytes, size);
        put(r, "  POLICY\n}\n\nresource \"");
        put(r, t.attachment);
        put(r, "\" \"");
        put_label(r, t.name, i);
        put(r, "\" {\n  ");
        put(r, t.argument);
        put_quoted(r, "       = \"", t.name, 0, "\"\n  policy_arn = aws_iam_policy.");
        put_label(r, t.name, i);
        put(r, ".arn\n}\n");
    }
    return 0;
}

/* ---- formats ---- */

static const struct {
    const char *name;
    int (*render)(rendering *r, const kim_json *proposal, kim_error *err);
} formats[] = {{"json", render_json}, {"terraform", render_terraform}};

static int render(const aws_plugin *self, size_t format, const kim_json *proposal, rendering *r, kim_error *err)
{
    const kim_json *statements = kim_json_get(kim_json_get(proposal, "document"), "Statement");
    if (!kim_json_is(statements, KIM_JSON_ARRAY))
        return kim_fail(err, KIM_ERR_INPUT, "proposal: document.Statement is missing; give what `kim propose -o json` prints");
    if (deal(r, statements, err) < 0 || formats[format].render(r, proposal, err) < 0)
        return -1;
    if (r->text.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a policy");
    return self->host->output(self->host->context, r->text.data, r->text.size, err);
}

int aws_render(void *instance, const char *format, const uint8_t *proposal, size_t size, kim_error *err)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(format, formats[i].name) != 0)
            continue;
        kim_arena *arena = kim_arena_new(SIZE_MAX);
        rendering *r = calloc(1, sizeof *r);
        const kim_json *json = arena ? kim_json_parse((const char *)proposal, size, "proposal", arena, err) : NULL;
        int result = -1;
        if (r && (r->writer = kim_json_writer_new(true)) && json)
            result = render(instance, i, json, r, err);
        else if (json)
            kim_fail(err, KIM_ERR_NOMEM, "no memory for a policy");
        if (r) {
            kim_json_writer_free(r->writer);
            kim_bytes_free(&r->text);
        }
        free(r);
        kim_arena_free(arena);
        return result;
    }
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "format '%s' is none of json and terraform", format);
}
