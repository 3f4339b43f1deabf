/* SPDX-License-Identifier: Apache-2.0
 *
 * compare.c - looks for a request that one document allows and the other does not.
 *
 * The requests are infinitely many, but the documents tell only few kinds apart: for each variable (who,
 * action, resource, each condition key) one value of every kind is taken (samples.h), and a search goes
 * through their combinations. A variable that is not chosen yet is simply not known, so the evaluator's
 * own three-valued parts tell early that a branch can lead nowhere. What the search finds is a request
 * that was evaluated: it cannot be wrong. That it finds nothing is exact where every kind was sampled.
 */
#include "controller/evaluate/compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/aws_caller.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/samples.h"

enum { SEARCH_MAX_STEPS = 2000000, KEYS_MAX = 256, TIED_MAX = 16 };

#define HOME KIM_TEXT("111122223333")
#define ABROAD KIM_TEXT("999988887777")

/* A row of patterns in the making. */
typedef struct pattern_list {
    units *items;
    size_t count, capacity;
} pattern_list;

typedef struct choice {
    key_value value;
} choice;

/* A condition key and its kinds of values. */
typedef struct key_choices {
    uint32_t key;
    kim_text name; /* as a document writes it */
    choice *items; /* [count] */
    size_t count;
} key_choices;

typedef struct who {
    caller caller;
    kim_text federated;
} who;

typedef struct comparison {
    evaluator *ev;
    const rules *r;
    kim_arena *arena;
    bool names, extends;     /* of the type: its statements name principals; short ARNs are complete */
    const policy_rules *sides[2]; /* the one that must allow, the one that must not */
    samples actions, resources;
    pattern_list resource_patterns;
    bool *takes_no_resource; /* [actions.count] */
    who *callers;
    size_t caller_count;
    key_choices keys[KEYS_MAX];
    size_t key_count;
    bool is_complete;
    size_t steps;
    /* what is chosen so far; SIZE_MAX: not yet */
    size_t caller, action, resource, chosen_keys;
    size_t picks[KEYS_MAX];
    arn resource_arn;
} comparison;

/* ---- all rules, all tests ---- */

typedef int rule_function(comparison *c, const rule *one);

static int each_rule(comparison *c, rule_function *f)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; c->sides[side] && i < c->sides[side]->count; i++)
            if (f(c, &c->sides[side]->rules[i]) < 0)
                return -1;
    return 0;
}

typedef int test_function(comparison *c, const aws_test *t, void *user);

static int each_test(comparison *c, test_function *f, void *user)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; c->sides[side] && i < c->sides[side]->count; i++) {
            const aws_condition *condition = c->sides[side]->rules[i].condition;
            for (size_t k = 0; condition && k < aws_condition_count(condition); k++) {
                aws_test t = aws_condition_test(condition, k);
                if (f(c, &t, user) < 0)
                    return -1;
            }
        }
    return 0;
}

static int add_pattern(comparison *c, pattern_list *list, units pattern)
{
    if (pattern.items == NULL)
        return -1;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 32;
        units *items = KIM_NEW_ARRAY(c->arena, units, capacity);
        if (items == NULL)
            return -1;
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].count == pattern.count && memcmp(list->items[i].items, pattern.items, pattern.count * sizeof *pattern.items) == 0)
            return 0;
    list->items[list->count++] = pattern;
    return 0;
}

static units units_of(comparison *c, const char *pattern)
{
    return units_of_pattern(kim_text_of(pattern), c->arena);
}

/* ---- actions ---- */

typedef struct action_vectors {
    uint64_t *items;
    size_t count, words;
} action_vectors;

/* Which rules cover the action, and whether it takes a resource. */
static bool is_new_kind(comparison *c, action_vectors *v, kim_text lower, bool takes_no_resource, uint64_t *vector)
{
    memset(vector, 0, v->words * sizeof *vector);
    size_t bit = 1;
    vector[0] = takes_no_resource;
    for (uint32_t p = 0; p < rules_action_patterns(c->r); p++, bit++)
        vector[bit / 64] |= (uint64_t)glob_match(rules_action_pattern(c->r, p), lower) << (bit % 64);
    for (size_t i = 0; i < v->count; i++)
        if (memcmp(v->items + i * v->words, vector, v->words * sizeof *vector) == 0)
            return false;
    uint64_t *items = realloc(v->items, (v->count + 1) * v->words * sizeof *items);
    if (items == NULL)
        return false;
    v->items = items;
    memcpy(items + v->count++ * v->words, vector, v->words * sizeof *vector);
    return true;
}

/* Real actions first; then, for kinds that no real one has, names that only patterns know. */
static int sample_actions(comparison *c)
{
    action_vectors v = {.words = (rules_action_patterns(c->r) + 1) / 64 + 1};
    uint64_t *vector = calloc(v.words, sizeof *vector);
    samples synthetic = {.is_complete = true};
    pattern_list patterns = {0};
    int result = vector ? 0 : -1;
    const catalogue *cat = c->ev->cat;
    bool *flags = KIM_NEW_ARRAY(c->arena, bool, (cat ? catalogue_count(cat) : 0) + SAMPLES_MAX_STATES + 1);
    if (flags == NULL)
        result = -1;
    for (int32_t id = 0; cat && result == 0 && id < (int32_t)catalogue_count(cat); id++) {
        bool none = catalogue_takes_no_resource(cat, id);
        if (!is_new_kind(c, &v, catalogue_lower(cat, id), none, vector))
            continue;
        flags[c->actions.count] = none;
        result = samples_add(&c->actions, catalogue_name(cat, id), c->arena);
    }
    for (uint32_t p = 0; result == 0 && p < rules_action_patterns(c->r); p++)
        result = add_pattern(c, &patterns, units_of_pattern(rules_action_pattern(c->r, p), c->arena));
    if (result == 0)
        result = samples_find(patterns.items, patterns.count, units_of(c, "?*:?*"), c->arena, &synthetic);
    for (size_t i = 0; result == 0 && i < synthetic.count; i++) {
        int32_t id = cat ? catalogue_action(cat, synthetic.items[i]) : -1;
        if (id >= 0 || !is_new_kind(c, &v, synthetic.items[i], false, vector))
            continue;
        flags[c->actions.count] = false;
        result = samples_add(&c->actions, synthetic.items[i], c->arena);
    }
    c->takes_no_resource = flags;
    c->is_complete &= synthetic.is_complete;
    free(v.items);
    free(vector);
    return result;
}

/* ---- texts with variables: filled with the values that were sampled for these ---- */

static key_value unknown(void *from, uint32_t key)
{
    (void)from, (void)key;
    return (key_value){.state = KEY_UNKNOWN};
}

static void forget(comparison *c)
{
    if (++c->ev->context.stamp == 0)
        memset(c->ev->context.stamps, 0, key_table_count(rules_keys(c->r)) * sizeof *c->ev->context.stamps);
    c->ev->context.look = unknown;
}

static void set_key(comparison *c, uint32_t key, key_value value)
{
    c->ev->context.slots[key] = value;
    c->ev->context.stamps[key] = c->ev->context.stamp;
}

static const key_choices *find_choices(const comparison *c, uint32_t key)
{
    for (size_t i = 0; i < c->key_count; i++)
        if (c->keys[i].key == key)
            return &c->keys[i];
    return NULL;
}

/* Calls f with the template's units for every value of its first variable (the others stay as they are:
 * any text). A template without variables is one call. */
static int fill_all(comparison *c, const template *t, bool wild, pattern_list *out)
{
    const key_choices *values = NULL;
    for (size_t i = 0; i < t->count && values == NULL; i++)
        if (t->parts[i].key != UINT32_MAX)
            values = find_choices(c, t->parts[i].key);
    for (size_t i = 0; i < (values ? values->count : 1); i++) {
        units pattern;
        forget(c);
        if (values)
            set_key(c, values->key, values->items[i].value);
        filling how = template_fill(t, &c->ev->context, wild, c->arena, &pattern);
        if (how != UNRESOLVED && add_pattern(c, out, pattern) < 0)
            return -1;
    }
    return 0;
}

/* ---- resources ---- */

static const char *const likely_resources[] = {
    "arn:aws:s3:::kim-example/object", "arn:aws:s3:::kim-example",
    "arn:aws:ec2:us-east-1:111122223333:instance/i-0abc", "arn:aws:iam::111122223333:role/kim-example",
};

static int gather_resources(comparison *c, const rule *one)
{
    for (size_t i = 0; i < one->resource_count; i++) {
        const arn_pattern *p = one->resources[i];
        bool variables = p->whole.parts != NULL;
        if (variables) { /* in-part wildcards are not told apart here: more kinds than needed */
            if (fill_all(c, &p->whole, true, &c->resource_patterns) < 0)
                return -1;
        } else if (add_pattern(c, &c->resource_patterns, units_of_arn(p->raw, c->extends, c->arena)) < 0) {
            return -1;
        }
    }
    return 0;
}

static units any_arn(comparison *c)
{
    return units_of_arn(KIM_TEXT("arn:?*:?*:*:*:?*"), false, c->arena);
}

static int sample_resources(comparison *c)
{
    for (size_t i = 0; i < sizeof likely_resources / sizeof *likely_resources; i++)
        if (samples_add(&c->resources, kim_text_of(likely_resources[i]), c->arena) < 0)
            return -1;
    c->resources.is_complete = true;
    if (each_rule(c, gather_resources) < 0 ||
        samples_find(c->resource_patterns.items, c->resource_patterns.count, any_arn(c), c->arena, &c->resources) < 0)
        return -1;
    c->is_complete &= c->resources.is_complete;
    return 0;
}

/* ---- keys ---- */

/* Keys that follow from who asks; they are no variables of their own. */
static const char *const tied[] = {
    "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:PrincipalIsAWSService", "aws:username",
};

static bool is_tied(kim_text name)
{
    for (size_t i = 0; i < sizeof tied / sizeof *tied; i++)
        if (kim_text_equal_nocase(name, kim_text_of(tied[i])))
            return true;
    return false;
}

typedef struct key_work {
    uint32_t key;
    samples values;      /* single values */
    pattern_list texts;  /* of operators on texts */
    bool has_set, has_bool, has_net, has_arn, has_binary;
} key_work;

static int add_value(comparison *c, key_work *w, kim_text text)
{
    for (size_t i = 0; i < w->values.count; i++)
        if (kim_text_equal(w->values.items[i], text))
            return 0;
    return samples_add(&w->values, text, c->arena);
}

static bool begins(const char *op, const char *with)
{
    return strncmp(op, with, strlen(with)) == 0;
}

static int add_number(comparison *c, key_work *w, kim_text raw)
{
    static const double around[] = {-1, -0.5, 0, 0.5, 1};
    double number = strtod(kim_text_copy(c->arena, raw).bytes, NULL);
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        if (add_value(c, w, kim_text_format(c->arena, "%.17g", number + around[i])) < 0)
            return -1;
    return 0;
}

/* The date itself and a day on both sides, and both ends of time. */
static int add_date(comparison *c, key_work *w, kim_text raw)
{
    return add_value(c, w, raw) < 0 || add_value(c, w, KIM_TEXT("1971-01-01T00:00:00Z")) < 0 ||
                   add_value(c, w, KIM_TEXT("2500-01-01T00:00:00Z")) < 0 ? -1 : 0;
}

/* Addresses at both ends of a network and just outside: between them all nested networks are told apart. */
static int add_network(comparison *c, key_work *w, kim_text raw)
{
    unsigned a, b, e, d, bits = 32;
    char copy[64];
    if (raw.size >= sizeof copy)
        return 0;
    memcpy(copy, raw.bytes, raw.size);
    copy[raw.size] = '\0';
    if (sscanf(copy, "%u.%u.%u.%u/%u", &a, &b, &e, &d, &bits) < 4 || bits > 32) {
        char *slash = strchr(copy, '/');
        if (slash)
            *slash = '\0';
        return strchr(copy, ':') ? add_value(c, w, kim_text_copy(c->arena, kim_text_of(copy))) : 0;
    }
    uint32_t address = a << 24 | b << 16 | e << 8 | d, mask = bits ? ~UINT32_C(0) << (32 - bits) : 0;
    const uint32_t points[] = {address & mask, address | ~mask, (address & mask) - 1, (address | ~mask) + 1};
    for (size_t i = 0; i < 4; i++)
        if (add_value(c, w, kim_text_format(c->arena, "%u.%u.%u.%u", points[i] >> 24, points[i] >> 16 & 255, points[i] >> 8 & 255, points[i] & 255)) < 0)
            return -1;
    return 0;
}

static int add_texts(comparison *c, const aws_test *t, key_work *w, size_t i)
{
    kim_text raw = t->values.items[i];
    bool wild = strstr(t->op, "Like") != NULL || begins(t->op, "Arn");
    if (aws_test_template(t, i)->parts)
        return fill_all(c, aws_test_template(t, i), wild, &w->texts);
    units pattern = begins(t->op, "Arn") ? units_of_arn(raw, false, c->arena)
                    : wild               ? units_of_pattern(raw, c->arena)
                                         : units_of_text(raw, c->arena);
    if (strstr(t->op, "IgnoreCase"))
        pattern = units_nocase(pattern, c->arena);
    return add_pattern(c, &w->texts, pattern);
}

static int gather_values(comparison *c, const aws_test *t, void *user)
{
    key_work *w = user;
    if (t->key != w->key)
        return 0;
    w->has_set |= t->is_set;
    for (size_t i = 0; i < t->values.count; i++) {
        kim_text raw = t->values.items[i];
        int result = begins(t->op, "Numeric")                            ? add_number(c, w, raw)
                     : begins(t->op, "Date")                             ? add_date(c, w, raw)
                     : strstr(t->op, "IpAddress")                        ? add_network(c, w, raw)
                     : begins(t->op, "Binary")                           ? add_value(c, w, raw)
                     : begins(t->op, "String") || begins(t->op, "Arn")   ? add_texts(c, t, w, i)
                                                                         : 0;
        if (result < 0)
            return -1;
    }
    w->has_arn |= begins(t->op, "Arn");
    w->has_binary |= begins(t->op, "Binary");
    w->has_bool |= begins(t->op, "Bool");
    w->has_net |= strstr(t->op, "IpAddress") != NULL;
    return 0;
}

static int add_choice(comparison *c, key_choices *k, key_value value)
{
    if ((k->count & (k->count - 1)) == 0) {
        choice *items = KIM_NEW_ARRAY(c->arena, choice, k->count ? k->count * 2 : 4);
        if (items == NULL)
            return -1;
        if (k->count)
            memcpy(items, k->items, k->count * sizeof *items);
        k->items = items;
    }
    k->items[k->count++] = (choice){value};
    return 0;
}

static int add_given(comparison *c, key_choices *k, const kim_text *values, size_t count)
{
    kim_text *items = KIM_NEW_ARRAY(c->arena, kim_text, count);
    if (items == NULL)
        return -1;
    memcpy(items, values, count * sizeof *items);
    return add_choice(c, k, (key_value){.state = KEY_GIVEN, .values = {items, count}});
}

/* A key with several values at once: pairs and triples of the single ones tell all set tests apart that
 * ask for at most three things. */
static int add_lists(comparison *c, key_choices *k, const samples *single)
{
    enum { MOST = 24 };
    size_t n = single->count < MOST ? single->count : MOST;
    c->is_complete &= n == single->count;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const kim_text pair[3] = {single->items[i], single->items[j], KIM_NO_TEXT};
            if (add_given(c, k, pair, 2) < 0)
                return -1;
            for (size_t m = j + 1; m < n && n <= 8; m++) {
                const kim_text triple[3] = {pair[0], pair[1], single->items[m]};
                if (add_given(c, k, triple, 3) < 0)
                    return -1;
            }
        }
    return 0;
}

/* aws:userid is there for every signed request, whatever its value. */
static bool may_be_absent(kim_text name)
{
    return !kim_text_equal_nocase(name, KIM_TEXT("aws:userid"));
}

static int sample_key(comparison *c, kim_text name, uint32_t key)
{
    key_work w = {.key = key, .values = {.is_complete = true}};
    key_choices k = {.key = key, .name = name};
    if (each_test(c, gather_values, &w) < 0)
        return -1;
    if (w.has_bool && (add_value(c, &w, KIM_TEXT("true")) < 0 || add_value(c, &w, KIM_TEXT("false")) < 0))
        return -1;
    if (w.has_net && (add_value(c, &w, KIM_TEXT("203.0.113.77")) < 0 || add_value(c, &w, KIM_TEXT("2001:db8:ffff::77")) < 0))
        return -1;
    if (w.has_binary && (add_value(c, &w, KIM_TEXT("a2lt")) < 0 || add_value(c, &w, KIM_TEXT("S2lt")) < 0))
        return -1;
    if (samples_find(w.texts.items, w.texts.count, units_of(c, "?*"), c->arena, &w.values) < 0)
        return -1;
    /* To the ARN operators what is no ARN is as good as absent. */
    if (w.has_arn && samples_find(w.texts.items, w.texts.count, any_arn(c), c->arena, &w.values) < 0)
        return -1;
    c->is_complete &= w.values.is_complete;
    if (may_be_absent(name) && add_choice(c, &k, (key_value){.state = KEY_ABSENT}) < 0)
        return -1;
    for (size_t i = 0; i < w.values.count; i++)
        if (add_given(c, &k, &w.values.items[i], 1) < 0)
            return -1;
    const catalogue_key *known = c->ev->cat ? catalogue_key_find(c->ev->cat, name) : NULL;
    if (w.has_set && (known == NULL || known->multivalued) && add_lists(c, &k, &w.values) < 0)
        return -1;
    c->keys[c->key_count++] = k;
    return 0;
}

static int note_key(comparison *c, const aws_test *t, void *user)
{
    (void)user;
    if (is_tied(t->key_text) || find_choices(c, t->key))
        return 0;
    if (c->key_count == KEYS_MAX)
        return 0;
    return sample_key(c, t->key_text, t->key);
}

static int note_template(comparison *c, const template *t)
{
    for (size_t p = 0; p < t->count; p++) {
        uint32_t key = t->parts[p].key;
        if (key == UINT32_MAX || find_choices(c, key) || c->key_count == KEYS_MAX)
            continue;
        kim_text name = key_table_name(rules_keys(c->r), key);
        if (!is_tied(name) && sample_key(c, name, key) < 0)
            return -1;
    }
    return 0;
}

/* Variables first: what is compared with their values comes after them. */
static int note_variables(comparison *c, const rule *one)
{
    for (size_t i = 0; i < one->resource_count; i++)
        if (note_template(c, &one->resources[i]->whole) < 0)
            return -1;
    return 0;
}

static int note_test_variables(comparison *c, const aws_test *t, void *user)
{
    (void)user;
    for (size_t i = 0; i < t->values.count; i++)
        if (note_template(c, aws_test_template(t, i)) < 0)
            return -1;
    return 0;
}

/* ---- who ---- */

static int add_caller(comparison *c, kim_text identity, kim_text federated)
{
    question q = {.identity = identity, .federated = federated};
    who w = {.federated = federated};
    for (size_t i = 0; i < c->caller_count; i++)
        if (kim_text_equal(c->callers[i].caller.text, federated.size ? federated : identity))
            return 0;
    if (caller_read(c->ev, &q, &w.caller, NULL) < 0)
        return 0; /* an ARN that nobody can have */
    w.caller.text = kim_text_copy(c->arena, w.caller.text);
    if ((c->caller_count & (c->caller_count - 1)) == 0) {
        who *items = KIM_NEW_ARRAY(c->arena, who, c->caller_count ? c->caller_count * 2 : 4);
        if (items == NULL)
            return -1;
        if (c->caller_count)
            memcpy(items, c->callers, c->caller_count * sizeof *items);
        c->callers = items;
    }
    c->callers[c->caller_count++] = w;
    return 0;
}

static int add_user(comparison *c, kim_text number)
{
    return add_caller(c, kim_text_format(c->arena, "arn:aws:iam::%.*s:user/kim-example", KIM_PRINT(number)), KIM_NO_TEXT);
}

static int add_subjects(comparison *c, const rule *one)
{
    for (size_t i = 0; i < one->subject_count; i++) {
        const subject *s = &one->subjects[i];
        int result = 0;
        switch (s->kind) {
        case SUBJECT_EVERYONE:
            result = add_caller(c, KIM_TEXT("*"), KIM_NO_TEXT);
            break;
        case SUBJECT_ACCOUNT:
            result = add_user(c, s->account);
            break;
        case SUBJECT_ROLE:
            result = add_caller(c, kim_text_format(c->arena, "arn:aws:sts::%.*s:assumed-role/%.*s/kim-example", KIM_PRINT(s->account), KIM_PRINT(s->name)), KIM_NO_TEXT);
            if (result == 0)
                result = add_caller(c, s->raw, KIM_NO_TEXT);
            if (result == 0)
                result = add_user(c, s->account);
            break;
        case SUBJECT_SESSION:
        case SUBJECT_NAMED:
            result = add_caller(c, s->raw, KIM_NO_TEXT);
            if (result == 0)
                result = add_user(c, s->account);
            break;
        case SUBJECT_SERVICE:
            result = add_caller(c, s->raw, KIM_NO_TEXT);
            break;
        case SUBJECT_FEDERATED:
            result = add_caller(c, KIM_NO_TEXT, s->raw);
            break;
        case SUBJECT_CANONICAL:
        case SUBJECT_GONE:
            break;
        }
        if (result < 0)
            return -1;
    }
    return one->subjects_turned ? add_caller(c, KIM_TEXT("*"), KIM_NO_TEXT) : 0;
}

/* Accounts that conditions name, and ARNs of every kind that conditions tell apart. */
static int add_accounts(comparison *c, const aws_test *t, void *user)
{
    (void)user;
    bool is_account = kim_text_equal_nocase(t->key_text, KIM_TEXT("aws:PrincipalAccount"));
    for (size_t i = 0; is_account && i < t->values.count; i++)
        if (t->values.items[i].size == 12 && add_user(c, t->values.items[i]) < 0)
            return -1;
    return 0;
}

static units principal_form(comparison *c, const char *kind)
{
    enum { ACCOUNT_AT = 13 };
    units form = units_of_arn(kim_text_format(c->arena, "arn:aws:iam::????????????:%s", kind), false, c->arena);
    for (size_t i = ACCOUNT_AT; form.items && i < ACCOUNT_AT + 12; i++)
        ((uint16_t *)form.items)[i] = UNIT_ONE_DIGIT;
    return form;
}

/* A user of every kind of name that conditions tell apart, in each account where a user asks. */
static int add_named_users(comparison *c)
{
    uint32_t key = key_table_find(rules_keys(c->r), KIM_TEXT("aws:username"));
    key_work w = {.key = key, .values = {.is_complete = true}};
    size_t before = c->caller_count;
    if (key == UINT32_MAX)
        return 0;
    if (each_test(c, gather_values, &w) < 0 ||
        samples_find(w.texts.items, w.texts.count, units_of(c, "?*"), c->arena, &w.values) < 0)
        return -1;
    c->is_complete &= w.values.is_complete;
    for (size_t i = 0; i < before; i++) {
        const caller *user = &c->callers[i].caller;
        kim_text number = user->account; /* user itself may move */
        for (size_t k = user->kind == CALLER_USER ? 0 : w.values.count; k < w.values.count; k++)
            if (add_caller(c, kim_text_format(c->arena, "arn:aws:iam::%.*s:user/%.*s", KIM_PRINT(number), KIM_PRINT(w.values.items[k])), KIM_NO_TEXT) < 0)
                return -1;
    }
    return 0;
}

static int sample_callers(comparison *c)
{
    static const char *const kinds[] = {"user/?*", "role/?*", "root"};
    bool asks_arn = key_table_find(rules_keys(c->r), KIM_TEXT("aws:PrincipalArn")) != UINT32_MAX;
    bool asks_other = false;
    for (size_t i = 1; i < sizeof tied / sizeof *tied; i++)
        asks_other |= key_table_find(rules_keys(c->r), kim_text_of(tied[i])) != UINT32_MAX;
    if (add_user(c, HOME) < 0)
        return -1;
    if (!c->names && !asks_arn && !asks_other)
        return 0;
    if (add_user(c, ABROAD) < 0 || each_test(c, add_accounts, NULL) < 0 ||
        add_caller(c, KIM_TEXT("arn:aws:iam::111122223333:role/kim-example"), KIM_NO_TEXT) < 0 || (c->names && each_rule(c, add_subjects) < 0))
        return -1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && asks_arn; i++) {
        key_work w = {.key = key_table_find(rules_keys(c->r), KIM_TEXT("aws:PrincipalArn")), .values = {.is_complete = true}};
        if (each_test(c, gather_values, &w) < 0 ||
            samples_find(w.texts.items, w.texts.count, principal_form(c, kinds[i]), c->arena, &w.values) < 0)
            return -1;
        c->is_complete &= w.values.is_complete;
        for (size_t k = 0; k < w.values.count; k++)
            if (add_caller(c, w.values.items[k], KIM_NO_TEXT) < 0)
                return -1;
    }
    return add_named_users(c);
}

static key_value tied_value(comparison *c, const who *w, size_t which)
{
    static const char *const types[] = {
        [CALLER_USER] = "User", [CALLER_ROLE] = "AssumedRole", [CALLER_SESSION] = "AssumedRole",
        [CALLER_FEDERATED_USER] = "FederatedUser", [CALLER_ROOT] = "Account", [CALLER_ANONYMOUS] = "Anonymous"};
    const caller *who_asks = &w->caller;
    bool is_principal = who_asks->account.size > 0, is_service = who_asks->kind == CALLER_SERVICE;
    kim_text text = KIM_NO_TEXT;
    switch (which) {
    case 0:
        text = !is_principal ? KIM_NO_TEXT
               : who_asks->kind == CALLER_SESSION
                   ? kim_text_format(c->arena, "arn:aws:iam::%.*s:role/%.*s", KIM_PRINT(who_asks->account), KIM_PRINT(who_asks->name))
                   : who_asks->text;
        break;
    case 1:
        text = is_principal ? who_asks->account : KIM_NO_TEXT;
        break;
    case 2:
        text = is_service || who_asks->kind == CALLER_IDP ? KIM_NO_TEXT : kim_text_of(types[who_asks->kind]);
        break;
    case 3:
        text = is_service ? KIM_TEXT("true") : KIM_TEXT("false");
        break;
    default:
        text = who_asks->kind == CALLER_USER ? who_asks->name : KIM_NO_TEXT;
        break;
    }
    if (kim_text_is_absent(text))
        return (key_value){.state = KEY_ABSENT};
    kim_text *item = KIM_NEW(c->ev->scratch, kim_text);
    if (item == NULL)
        return (key_value){.state = KEY_UNKNOWN};
    *item = text;
    return (key_value){.state = KEY_GIVEN, .values = {item, 1}};
}

/* ---- what a document says of what is chosen so far ---- */

typedef enum says { SAYS_NO, SAYS_PERHAPS, SAYS_YES } says;

static says both(says a, says b)
{
    return a < b ? a : b;
}

static says of_term(const term *t)
{
    return t == NULL || (t->kind != TERM_TRUE && t->kind != TERM_FALSE) ? SAYS_PERHAPS : t->kind == TERM_TRUE ? SAYS_YES : SAYS_NO;
}

static says action_says(const comparison *c, const rule *one)
{
    if (one->any_action)
        return SAYS_YES;
    if (c->action == SIZE_MAX)
        return SAYS_PERHAPS;
    kim_text action = c->actions.items[c->action];
    for (size_t i = 0; i < one->action_count; i++)
        if (glob_match_nocase(rules_action_pattern(c->r, one->actions[i]), action))
            return one->actions_turned ? SAYS_NO : SAYS_YES;
    return one->actions_turned ? SAYS_YES : SAYS_NO;
}

static says resource_says(comparison *c, const rule *one)
{
    if (one->any_resource)
        return SAYS_YES;
    if (c->action == SIZE_MAX)
        return SAYS_PERHAPS;
    if (c->takes_no_resource[c->action])
        return one->resource_everything != one->resources_turned ? SAYS_YES : SAYS_NO;
    if (c->resource == SIZE_MAX)
        return one->resource_everything ? (one->resources_turned ? SAYS_NO : SAYS_YES) : SAYS_PERHAPS;
    bool perhaps = false;
    for (size_t i = 0; i < one->resource_count; i++)
        switch (arn_pattern_match(one->resources[i], &c->resource_arn, c->extends, &c->ev->context, c->ev->scratch)) {
        case ARN_YES:
            return one->resources_turned ? SAYS_NO : SAYS_YES;
        case ARN_UNRESOLVED:
            if (one->resources_turned)
                return SAYS_NO;
            break;
        case ARN_NO:
            break;
        case ARN_PART:
        case ARN_NOT_KNOWN:
        case ARN_NO_VALUE_FITS:
            perhaps = true;
            break;
        }
    return perhaps ? SAYS_PERHAPS : one->resources_turned ? SAYS_YES : SAYS_NO;
}

static says subject_says(comparison *c, const rule *one)
{
    const term *named[GRADES];
    if (!c->names)
        return SAYS_YES;
    return caller_named(&c->callers[c->caller].caller, one, c->ev->scratch, named) ? of_term(term_any(c->ev->scratch, named, GRADES)) : SAYS_NO;
}

static says rule_says(comparison *c, const rule *one)
{
    says s = action_says(c, one);
    if (s != SAYS_NO)
        s = both(s, resource_says(c, one));
    if (s != SAYS_NO)
        s = both(s, subject_says(c, one));
    if (s != SAYS_NO && one->condition)
        s = both(s, of_term(aws_condition_decide(one->condition, &c->ev->context, c->ev->scratch)));
    return s;
}

static says document_says(comparison *c, const policy_rules *document)
{
    says allow = SAYS_NO, deny = SAYS_NO;
    for (size_t i = 0; document && i < document->count && deny != SAYS_YES; i++) {
        says one = rule_says(c, &document->rules[i]);
        if (document->rules[i].effect == KIM_DENY)
            deny = one > deny ? one : deny;
        else
            allow = one > allow ? one : allow;
    }
    if (deny == SAYS_YES || allow == SAYS_NO)
        return SAYS_NO;
    return allow == SAYS_YES && deny == SAYS_NO ? SAYS_YES : SAYS_PERHAPS;
}

/* ---- the search ---- */

static void put_choices(comparison *c)
{
    forget(c);
    for (size_t i = 0; i < sizeof tied / sizeof *tied; i++) {
        uint32_t key = key_table_find(rules_keys(c->r), kim_text_of(tied[i]));
        if (key != UINT32_MAX)
            set_key(c, key, tied_value(c, &c->callers[c->caller], i));
    }
    for (size_t i = 0; i < c->chosen_keys; i++)
        set_key(c, c->keys[i].key, c->keys[i].items[c->picks[i]].value);
}

typedef enum stage { STAGE_CALLER, STAGE_ACTION, STAGE_RESOURCE, STAGE_KEYS } stage;

/* SAYS_YES: found, and everything is chosen. SAYS_PERHAPS: the steps were used up. */
static says explore(comparison *c, stage at);

static says try_next(comparison *c, stage next, says best)
{
    says found = explore(c, next);
    return found > best ? found : best;
}

static says explore(comparison *c, stage at)
{
    says best = SAYS_NO;
    if (at != STAGE_CALLER) {
        if (++c->steps > SEARCH_MAX_STEPS)
            return SAYS_PERHAPS;
        kim_arena_reset(c->ev->scratch);
        put_choices(c);
        says one = document_says(c, c->sides[0]);
        if (one == SAYS_NO)
            return SAYS_NO;
        says other = document_says(c, c->sides[1]);
        if (other == SAYS_YES)
            return SAYS_NO;
        if (at == STAGE_KEYS && c->chosen_keys == c->key_count)
            return one == SAYS_YES && other == SAYS_NO ? SAYS_YES : SAYS_PERHAPS; /* of a key beyond KEYS_MAX nothing was said */
    }
    switch (at) {
    case STAGE_CALLER:
        for (size_t i = 0; i < c->caller_count && best != SAYS_YES; i++) {
            c->caller = i;
            best = try_next(c, STAGE_ACTION, best);
        }
        return best;
    case STAGE_ACTION:
        for (size_t i = 0; i < c->actions.count && best != SAYS_YES; i++) {
            c->action = i;
            best = try_next(c, STAGE_RESOURCE, best);
        }
        c->action = best == SAYS_YES ? c->action : SIZE_MAX;
        return best;
    case STAGE_RESOURCE:
        for (size_t i = 0; i < (c->takes_no_resource[c->action] ? 1 : c->resources.count) && best != SAYS_YES; i++) {
            c->resource = i;
            c->resource_arn = arn_split(c->takes_no_resource[c->action] ? KIM_TEXT("*") : c->resources.items[i]);
            best = try_next(c, STAGE_KEYS, best);
        }
        c->resource = best == SAYS_YES ? c->resource : SIZE_MAX;
        return best;
    case STAGE_KEYS:
        break;
    }
    const key_choices *k = &c->keys[c->chosen_keys++];
    for (size_t i = 0; i < k->count && best != SAYS_YES; i++) {
        c->picks[c->chosen_keys - 1] = i;
        best = try_next(c, STAGE_KEYS, best);
    }
    if (best != SAYS_YES)
        c->chosen_keys--;
    return best;
}

/* ---- the answer ---- */

static void write_value(const char *name, kim_text text, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    kim_json_put_text(writer, text);
}

static void write_context(comparison *c, kim_json_writer *writer)
{
    kim_json_key(writer, "context");
    kim_json_begin_object(writer);
    for (size_t i = 0; i < sizeof tied / sizeof *tied; i++) {
        if (key_table_find(rules_keys(c->r), kim_text_of(tied[i])) == UINT32_MAX)
            continue;
        key_value value = tied_value(c, &c->callers[c->caller], i);
        if (value.state == KEY_GIVEN) {
            kim_json_key(writer, tied[i]);
            kim_json_put_texts(writer, value.values);
        }
    }
    for (size_t i = 0; i < c->key_count; i++) {
        key_value value = c->keys[i].items[c->picks[i]].value;
        if (value.state != KEY_GIVEN)
            continue;
        kim_json_key_text(writer, c->keys[i].name);
        kim_json_put_texts(writer, value.values);
    }
    kim_json_end_object(writer);
}

static void write_witness(comparison *c, const char *only, kim_json_writer *writer)
{
    const who *w = &c->callers[c->caller];
    kim_json_begin_object(writer);
    kim_json_key(writer, "only");
    kim_json_put_string(writer, only);
    kim_json_key(writer, "request");
    kim_json_begin_object(writer);
    kim_json_key(writer, "principal");
    if (w->federated.size) {
        kim_json_begin_object(writer);
        write_value("Federated", w->federated, writer);
        kim_json_end_object(writer);
    } else {
        kim_json_put_text(writer, w->caller.kind == CALLER_ANONYMOUS ? KIM_TEXT("*") : w->caller.text);
    }
    write_value("action", c->actions.items[c->action], writer);
    write_value("resource", c->resource_arn.whole, writer);
    write_context(c, writer);
    kim_json_end_object(writer);
    kim_json_end_object(writer);
}

static int prepare(comparison *c)
{
    c->is_complete = true;
    return each_rule(c, note_variables) < 0 || each_test(c, note_test_variables, NULL) < 0 ||
                   each_test(c, note_key, NULL) < 0 || sample_actions(c) < 0 || sample_resources(c) < 0 ||
                   sample_callers(c) < 0 ? -1 : 0;
}

static void face(comparison *c, bool only_candidate)
{
    const policy_rules *reference = rules_policy(c->r, KIM_TEXT("reference")), *candidate = rules_policy(c->r, KIM_TEXT("candidate"));
    c->sides[0] = only_candidate ? candidate : reference;
    c->sides[1] = only_candidate ? reference : candidate;
}

static says find(comparison *c, bool only_candidate)
{
    face(c, only_candidate);
    c->caller = 0;
    c->action = c->resource = SIZE_MAX;
    c->chosen_keys = c->steps = 0;
    says found = explore(c, STAGE_CALLER);
    return found == SAYS_NO && !c->is_complete ? SAYS_PERHAPS : found;
}

static void write_side(const char *name, says found, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    if (found == SAYS_PERHAPS)
        kim_json_put_string(writer, "unknown");
    else
        kim_json_put_bool(writer, found == SAYS_YES);
}

static const struct { const char *type; bool names, extends; } types[] = {
    {"identity", false, true}, {"boundary", false, true}, {"scp", false, false}, {"rcp", true, false}, {"resource", true, false},
};

static int write_answer(comparison *c, kim_json_writer *writer, kim_error *err)
{
    says gained, lost;
    kim_json_writer *witnesses = kim_json_writer_new(false); /* written before it is known what comes first */
    face(c, true);
    if (witnesses == NULL || prepare(c) < 0) {
        kim_json_writer_free(witnesses);
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to compare documents");
    }
    gained = find(c, true);
    kim_json_begin_array(witnesses);
    if (gained == SAYS_YES)
        write_witness(c, "candidate", witnesses);
    lost = find(c, false);
    if (lost == SAYS_YES)
        write_witness(c, "reference", witnesses);
    kim_json_end_array(witnesses);
    write_side("new_access", gained, writer);
    write_side("lost_access", lost, writer);
    size_t size;
    const char *bytes = kim_json_writer_bytes(witnesses, &size, err);
    const kim_json *list = bytes ? kim_json_parse(bytes, size, "because", c->arena, err) : NULL;
    if (list) {
        kim_json_key(writer, "because");
        kim_json_put_json(writer, list);
    }
    if (gained == SAYS_PERHAPS || lost == SAYS_PERHAPS) {
        kim_json_key(writer, "why");
        kim_json_put_string(writer, "the documents tell more kinds of requests apart than were tried");
    }
    kim_json_writer_free(witnesses);
    return list ? 0 : -1;
}

int compare_answer(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    kim_text type = kim_json_text_of(kim_json_get(line, "compare"), "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!kim_text_is(type, types[i].type))
            continue;
        evaluator *ev = evaluator_new(es, err);
        if (ev == NULL || evaluator_ready(ev, err) < 0) {
            evaluator_free(ev);
            return -1;
        }
        ev->context.decided = NULL; /* keys change while a stamp stays */
        comparison *c = calloc(1, sizeof *c);
        int result = -1;
        if (!kim_text_is_absent(rules_first_unread(ev->r))) {
            kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(rules_first_unread(ev->r)));
        } else if (c && (c->arena = kim_arena_new(SIZE_MAX))) {
            c->ev = ev;
            c->r = ev->r;
            c->names = types[i].names;
            c->extends = types[i].extends;
            result = write_answer(c, writer, err);
        } else {
            kim_fail(err, KIM_ERR_NOMEM, "no memory to compare documents");
        }
        if (c)
            kim_arena_free(c->arena);
        free(c);
        evaluator_free(ev);
        return result;
    }
    return kim_fail(err, KIM_ERR_INPUT, "compare: type '%.*s' is none; write identity, resource, boundary, scp or rcp", KIM_PRINT(type));
}
