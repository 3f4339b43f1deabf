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
#include "controller/evaluate/aws_forms.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/inclusion.h"
#include "controller/evaluate/points.h"

enum {
    SEARCH_MAX_STEPS = 2000000,
    KEYS_MAX = 256,
    FILLED_KEYS_MAX = 4,  /* variables of one text that are filled with every value, and */
    FILLED_MAX = 512,     /* how many texts that may give */
    EXAMPLES_MAX = 96,    /* resources that actions are done to */
    LISTED_MAX = 3,       /* values of a key at once */
};

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
    bool is_complete;
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
    bool is_for_all;         /* of the type: one without a principal speaks of everyone */
    const policy_rules *sides[2]; /* the one that must allow, the one that must not */
    samples actions, resources;
    pattern_list resource_patterns;
    bool *takes_no_resource; /* [actions.count] */
    const key_choices *carried; /* [TIED] what the callers say of the keys that follow from them */
    uint8_t *fits;           /* [actions.count * resources.count] 0: not known, 1: the action is done to it, 2: it is not */
    who *callers;
    size_t caller_count;
    key_choices keys[KEYS_MAX];
    size_t key_count;
    bool is_complete; /* of what is being sampled: every kind was */
    bool has_all_callers;
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
    c->actions.is_complete = synthetic.is_complete;
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

/* Keys that follow from who asks; they are no variables of their own. */
static const char *const tied[] = {
    "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:PrincipalIsAWSService", "aws:username",
};
enum { TIED = sizeof tied / sizeof *tied };

static bool is_tied(kim_text name)
{
    for (size_t i = 0; i < TIED; i++)
        if (kim_text_equal_nocase(name, kim_text_of(tied[i])))
            return true;
    return false;
}

static const key_choices *find_choices(const comparison *c, uint32_t key)
{
    for (size_t i = 0; i < c->key_count; i++)
        if (c->keys[i].key == key)
            return &c->keys[i];
    return NULL;
}

/* The same, and what the callers carry. */
static const key_choices *find_options(const comparison *c, uint32_t key)
{
    for (size_t i = 0; c->carried && i < TIED; i++)
        if (c->carried[i].key == key)
            return &c->carried[i];
    return find_choices(c, key);
}

/* The keys of a text's variables; true where each has its values and they are not too many together. */
static bool keys_of(comparison *c, const template *t, const key_choices *found[FILLED_KEYS_MAX], size_t *count)
{
    size_t product = 1;
    bool all = true;
    *count = 0;
    for (size_t i = 0; i < t->count; i++) {
        const key_choices *values = t->parts[i].key == UINT32_MAX ? NULL : find_options(c, t->parts[i].key);
        bool known = t->parts[i].key == UINT32_MAX;
        for (size_t k = 0; k < *count; k++)
            known |= found[k] == values;
        if (known)
            continue;
        if (values == NULL || *count == FILLED_KEYS_MAX || product * values->count > FILLED_MAX) {
            all = false;
            continue;
        }
        product *= values->count;
        found[(*count)++] = values;
    }
    return all;
}

/* Adds the template's units for all values of its variables; one that is left out is any text. */
static int fill_all(comparison *c, const template *t, bool wild, bool nocase, pattern_list *out)
{
    const key_choices *keys[FILLED_KEYS_MAX];
    size_t count, product = 1;
    c->is_complete &= keys_of(c, t, keys, &count);
    for (size_t k = 0; k < count; k++)
        product *= keys[k]->count;
    for (size_t i = 0; i < product; i++) {
        units pattern;
        forget(c);
        for (size_t k = 0, rest = i; k < count; rest /= keys[k++]->count)
            set_key(c, keys[k]->key, keys[k]->items[rest % keys[k]->count].value);
        if (template_fill(t, &c->ev->context, wild, c->arena, &pattern) == UNRESOLVED)
            continue;
        if (add_pattern(c, out, nocase ? units_nocase(pattern, c->arena) : pattern) < 0)
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
        bool variables = p->count == ARN_PARTS && p->parts[ARN_PARTS - 1].parts != NULL;
        if (variables) { /* in-part wildcards are not told apart here: more kinds than needed */
            if (fill_all(c, &p->whole, true, false, &c->resource_patterns) < 0)
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

static int add_resource(comparison *c, kim_text resource)
{
    for (size_t i = 0; i < c->resources.count; i++)
        if (kim_text_equal(c->resources.items[i], resource))
            return 0;
    return samples_add(&c->resources, resource, c->arena);
}

/* What the actions that are asked about are done to. */
static int add_examples(comparison *c)
{
    enum { FORMS = 2 };
    const catalogue *cat = c->ev->cat;
    for (size_t a = 0; cat && a < c->actions.count; a++) {
        int32_t id = catalogue_action(cat, c->actions.items[a]);
        for (size_t form = 0; id >= 0 && form < FORMS && c->resources.count < EXAMPLES_MAX; form++) {
            kim_text example = aws_resource_of_form(cat, id, form, HOME, c->arena);
            if (!kim_text_is_absent(example) && add_resource(c, example) < 0)
                return -1;
        }
    }
    return 0;
}

static bool is_done_to(comparison *c, size_t action, size_t resource)
{
    const catalogue *cat = c->ev->cat;
    int32_t id = cat ? catalogue_action(cat, c->actions.items[action]) : -1;
    uint8_t *known = &c->fits[action * c->resources.count + resource];
    if (*known == 0)
        *known = id < 0 || aws_may_be_done_to(cat, id, c->resources.items[resource], c->ev->scratch) ? 1 : 2;
    return *known == 1;
}

static int sample_resources(comparison *c)
{
    for (size_t i = 0; i < sizeof likely_resources / sizeof *likely_resources; i++)
        if (samples_add(&c->resources, kim_text_of(likely_resources[i]), c->arena) < 0)
            return -1;
    c->resources.is_complete = c->is_complete = true;
    if (add_examples(c) < 0)
        return -1;
    if (each_rule(c, gather_resources) < 0 ||
        samples_find(c->resource_patterns.items, c->resource_patterns.count, any_arn(c), c->arena, &c->resources) < 0)
        return -1;
    c->resources.is_complete &= c->is_complete;
    c->fits = KIM_NEW_ARRAY(c->arena, uint8_t, c->actions.count * c->resources.count + 1);
    return c->fits ? 0 : -1;
}

/* ---- keys ---- */

typedef struct key_work {
    uint32_t key;
    samples values;      /* single values */
    pattern_list texts;  /* of operators on texts */
    double *numbers, *dates; /* [.._count] */
    size_t number_count, date_count, set_count;
    bool has_bool, has_net, has_arn, has_binary;
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

/* Adds a number to a row that grows at every power of two. */
static int add_number(comparison *c, double **row, size_t *count, double number)
{
    if ((*count & (*count - 1)) == 0) {
        double *grown = KIM_NEW_ARRAY(c->arena, double, *count ? *count * 2 : 1);
        if (grown == NULL)
            return -1;
        if (*count)
            memcpy(grown, *row, *count * sizeof *grown);
        *row = grown;
    }
    (*row)[(*count)++] = number;
    return 0;
}

/* "${aws:PrincipalTag/team}" alone: the number of its key; UINT32_MAX: it is something else. */
static uint32_t lone_variable(const template *t)
{
    return t->count == 1 ? t->parts[0].key : UINT32_MAX;
}

/* What a caller carries may be compared with a key: then that key may have the caller's values. */
static int gather_carried(comparison *c, const aws_test *t, void *user)
{
    key_work *w = user;
    const key_choices *carried = c->carried && is_tied(t->key_text) ? find_options(c, t->key) : NULL;
    for (size_t i = 0; carried && i < t->values.count; i++)
        for (size_t k = 0; lone_variable(aws_test_template(t, i)) == w->key && k < carried->count; k++)
            if (carried->items[k].value.state == KEY_GIVEN && add_value(c, w, carried->items[k].value.values.items[0]) < 0)
                return -1;
    return 0;
}

static int add_texts(comparison *c, const aws_test *t, key_work *w, size_t i)
{
    kim_text raw = t->values.items[i];
    uint32_t lone = lone_variable(aws_test_template(t, i));
    if (is_tied(t->key_text) && lone != UINT32_MAX && lone != t->key)
        return 0; /* the other key gets what the callers carry: gather_carried */
    bool wild = strstr(t->op, "Like") != NULL || begins(t->op, "Arn");
    if (aws_test_template(t, i)->parts)
        return fill_all(c, aws_test_template(t, i), wild, strstr(t->op, "IgnoreCase") != NULL, &w->texts);
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
    w->set_count += t->is_set;
    for (size_t i = 0; i < t->values.count; i++) {
        kim_text raw = t->values.items[i];
        int result = begins(t->op, "Numeric")                            ? add_number(c, &w->numbers, &w->number_count, aws_test_number(t, i))
                     : begins(t->op, "Date")                             ? add_number(c, &w->dates, &w->date_count, aws_test_number(t, i))
                     : strstr(t->op, "IpAddress")                        ? points_of_network(raw, c->arena, &w->values)
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
static int add_lists(comparison *c, key_choices *k, const samples *single, size_t tests)
{
    enum { MOST = 24, MOST_OF_THREE = 8 };
    size_t n = single->count < MOST ? single->count : MOST;
    c->is_complete &= n == single->count && tests <= LISTED_MAX && (tests < LISTED_MAX || n <= MOST_OF_THREE);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const kim_text pair[3] = {single->items[i], single->items[j], KIM_NO_TEXT};
            if (add_given(c, k, pair, 2) < 0)
                return -1;
            for (size_t m = j + 1; m < n && n <= MOST_OF_THREE; m++) {
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

/* Both, each text once. Not complete without memory. */
static samples joined(comparison *c, samples first, samples second)
{
    samples all = {.is_complete = first.is_complete && second.is_complete};
    for (size_t i = 0; i < first.count + second.count; i++) {
        kim_text text = i < first.count ? first.items[i] : second.items[i - first.count];
        bool is_there = false;
        for (size_t k = 0; k < all.count && !is_there; k++)
            is_there = kim_text_equal(all.items[k], text);
        if (!is_there && samples_add(&all, text, c->arena) < 0)
            all.is_complete = false;
    }
    return all;
}

static int sample_key(comparison *c, kim_text name, uint32_t key)
{
    key_work w = {.key = key, .values = {.is_complete = true}};
    key_choices k = {.key = key, .name = name};
    c->is_complete = true;
    if (each_test(c, gather_values, &w) < 0 || each_test(c, gather_carried, &w) < 0)
        return -1;
    if (w.has_bool && (add_value(c, &w, KIM_TEXT("true")) < 0 || add_value(c, &w, KIM_TEXT("false")) < 0))
        return -1;
    if (w.has_net && (add_value(c, &w, KIM_TEXT("203.0.113.77")) < 0 || add_value(c, &w, KIM_TEXT("2001:db8:ffff::77")) < 0))
        return -1;
    if (w.has_binary && (add_value(c, &w, KIM_TEXT("a2lt")) < 0 || add_value(c, &w, KIM_TEXT("S2lt")) < 0))
        return -1;
    /* The texts come first: they say most. No text at all is one too. */
    samples texts = {.is_complete = true};
    const catalogue_key *known = c->ev->cat ? catalogue_key_find(c->ev->cat, name) : NULL;
    bool may_be_text = w.texts.count || (known && known->type == CATALOGUE_STRING) ||
                       !(w.has_bool || w.has_net || w.has_binary || w.number_count || w.date_count);
    if ((may_be_text && samples_find(w.texts.items, w.texts.count, units_of(c, "*"), c->arena, &texts) < 0) ||
        (w.has_arn && samples_find(w.texts.items, w.texts.count, any_arn(c), c->arena, &texts) < 0) ||
        points_of_numbers(w.numbers, w.number_count, c->arena, &w.values) < 0 ||
        points_of_dates(w.dates, w.date_count, c->arena, &w.values) < 0)
        return -1;
    w.values = joined(c, texts, w.values);
    c->is_complete &= w.values.is_complete;
    if (may_be_absent(name) && add_choice(c, &k, (key_value){.state = KEY_ABSENT}) < 0)
        return -1;
    for (size_t i = 0; i < w.values.count; i++)
        if (add_given(c, &k, &w.values.items[i], 1) < 0)
            return -1;
    if (w.set_count && (known == NULL || known->multivalued) && add_lists(c, &k, &w.values, w.set_count) < 0)
        return -1;
    k.is_complete = c->is_complete;
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

/* Those whom no policy names: without credentials, a service, with a provider's token. */
static int add_strangers(comparison *c)
{
    if (add_caller(c, KIM_TEXT("*"), KIM_NO_TEXT) < 0 || add_caller(c, KIM_TEXT("kim-example.amazonaws.com"), KIM_NO_TEXT) < 0)
        return -1;
    return add_caller(c, KIM_NO_TEXT, KIM_TEXT("kim-example.com"));
}

static int add_subjects(comparison *c, const rule *one)
{
    for (size_t i = 0; i < one->subject_count; i++) {
        const subject *s = &one->subjects[i];
        int result = one->subjects_turned && s->account.size ? add_caller(c, kim_text_format(c->arena, "arn:aws:iam::%.*s:root", KIM_PRINT(s->account)), KIM_NO_TEXT) : 0;
        bool is_any = kim_text_is(s->raw, "*");
        if (result < 0)
            return -1;
        switch (s->kind) {
        case SUBJECT_EVERYONE:
            result = add_strangers(c);
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
            result = is_any ? add_strangers(c) : add_caller(c, s->raw, KIM_NO_TEXT);
            break;
        case SUBJECT_FEDERATED:
            result = is_any ? add_strangers(c) : add_caller(c, KIM_NO_TEXT, s->raw);
            break;
        case SUBJECT_CANONICAL:
        case SUBJECT_GONE:
            break;
        }
        if (result < 0)
            return -1;
    }
    return one->subjects_turned ? add_strangers(c) : 0;
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
    c->is_complete = true;
    for (size_t i = 1; i < TIED; i++)
        asks_other |= key_table_find(rules_keys(c->r), kim_text_of(tied[i])) != UINT32_MAX;
    if (add_user(c, HOME) < 0)
        return -1;
    c->has_all_callers = true;
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
    int result = add_named_users(c);
    c->has_all_callers = c->is_complete;
    return result;
}

static key_value tied_value(const who *w, size_t which, kim_arena *arena)
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
                   ? kim_text_format(arena, "arn:aws:iam::%.*s:role/%.*s", KIM_PRINT(who_asks->account), KIM_PRINT(who_asks->name))
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
    kim_text *item = KIM_NEW(arena, kim_text);
    if (item == NULL)
        return (key_value){.state = KEY_UNKNOWN};
    *item = text;
    return (key_value){.state = KEY_GIVEN, .values = {item, 1}};
}

static bool is_same(key_value a, key_value b)
{
    return a.state == b.state && (a.state != KEY_GIVEN || kim_text_equal(a.values.items[0], b.values.items[0]));
}

/* The tied keys' values, each once, for texts that hold them as variables. */
static int carry(comparison *c)
{
    key_choices *carried = KIM_NEW_ARRAY(c->arena, key_choices, TIED);
    for (size_t i = 0; carried && i < TIED; i++) {
        key_choices *k = &carried[i];
        k->key = key_table_find(rules_keys(c->r), kim_text_of(tied[i]));
        k->items = KIM_NEW_ARRAY(c->arena, choice, c->caller_count);
        for (size_t w = 0; k->items && k->key != UINT32_MAX && w < c->caller_count; w++) {
            key_value value = tied_value(&c->callers[w], i, c->arena);
            bool is_there = false;
            for (size_t n = 0; n < k->count && !is_there; n++)
                is_there = is_same(k->items[n].value, value);
            if (!is_there)
                k->items[k->count++] = (choice){value};
        }
        if (k->items == NULL)
            return -1;
    }
    c->carried = carried;
    return carried ? 0 : -1;
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
    for (size_t i = 0; i < one->action_count; i++) {
        kim_text pattern = rules_action_pattern(c->r, one->actions[i]);
        if (c->action == SIZE_MAX ? kim_text_is(pattern, "*") : glob_match_nocase(pattern, c->actions.items[c->action]))
            return one->actions_turned ? SAYS_NO : SAYS_YES;
    }
    return c->action == SIZE_MAX ? SAYS_PERHAPS : one->actions_turned ? SAYS_YES : SAYS_NO;
}

static says resource_says(comparison *c, const rule *one)
{
    if (one->any_resource)
        return SAYS_YES;
    if (c->action != SIZE_MAX && c->takes_no_resource[c->action])
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
    if (!c->names || (c->is_for_all && one->any_subject))
        return SAYS_YES;
    if (c->caller == SIZE_MAX)
        return SAYS_PERHAPS;
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
    for (size_t i = 0; i < TIED && c->caller != SIZE_MAX; i++) {
        uint32_t key = key_table_find(rules_keys(c->r), kim_text_of(tied[i]));
        if (key != UINT32_MAX)
            set_key(c, key, tied_value(&c->callers[c->caller], i, c->ev->scratch));
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

/* What was found among all that were tried. Where not every kind was, nothing is not surely nothing. */
static says after(says best, bool were_all)
{
    return best == SAYS_NO && !were_all ? SAYS_PERHAPS : best;
}

static says try_resource(comparison *c, size_t index, kim_text resource, says best)
{
    c->resource = index;
    c->resource_arn = arn_split(resource);
    c->resource_arn.is_pattern = false; /* one resource, even where its name holds a star */
    return try_next(c, STAGE_KEYS, best);
}

static says explore(comparison *c, stage at)
{
    says best = SAYS_NO;
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
    if (at == STAGE_KEYS && c->chosen_keys == c->key_count) { /* of a key beyond KEYS_MAX nothing was said */
        bool can_be_asked = c->takes_no_resource[c->action] || !glob_has_wildcard(c->resource_arn.whole);
        return one == SAYS_YES && other == SAYS_NO && can_be_asked ? SAYS_YES : SAYS_PERHAPS;
    }
    switch (at) {
    case STAGE_CALLER:
        for (size_t i = 0; i < c->caller_count && best != SAYS_YES; i++) {
            c->caller = i;
            best = try_next(c, STAGE_ACTION, best);
        }
        c->caller = best == SAYS_YES ? c->caller : SIZE_MAX;
        return after(best, c->has_all_callers);
    case STAGE_ACTION:
        for (size_t i = 0; i < c->actions.count && best != SAYS_YES; i++) {
            c->action = i;
            best = try_next(c, STAGE_RESOURCE, best);
        }
        c->action = best == SAYS_YES ? c->action : SIZE_MAX;
        return after(best, c->actions.is_complete);
    case STAGE_RESOURCE:
        best = c->takes_no_resource[c->action] ? try_resource(c, 0, KIM_TEXT("*"), best) : SAYS_NO;
        /* What the action is done to comes first. */
        for (size_t i = 0; i < 2 * c->resources.count && best != SAYS_YES && !c->takes_no_resource[c->action]; i++) {
            size_t index = i % c->resources.count;
            if (is_done_to(c, c->action, index) == (i < c->resources.count))
                best = try_resource(c, index, c->resources.items[index], best);
        }
        c->resource = best == SAYS_YES ? c->resource : SIZE_MAX;
        return after(best, c->takes_no_resource[c->action] || c->resources.is_complete);
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
    return after(best, k->is_complete);
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
    for (size_t i = 0; i < TIED; i++) {
        if (key_table_find(rules_keys(c->r), kim_text_of(tied[i])) == UINT32_MAX)
            continue;
        key_value value = tied_value(&c->callers[c->caller], i, c->ev->scratch);
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
    kim_text owner = arn_account(&c->resource_arn);
    bool is_alike = !c->names && c->caller_count == 1; /* whoever asks: let it be one of the resource's account */
    bool is_theirs = is_alike && owner.size == HOME.size && !glob_has_wildcard(owner);
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
    } else if (is_theirs) {
        kim_json_put_text(writer, kim_text_format(c->arena, "arn:%.*s:iam::%.*s:user/kim-example", KIM_PRINT(c->resource_arn.parts[1]), KIM_PRINT(owner)));
    } else {
        kim_json_put_text(writer, w->caller.kind == CALLER_ANONYMOUS ? KIM_TEXT("*") : w->caller.text);
    }
    write_value("action", c->actions.items[c->action], writer);
    write_value("resource", c->resource_arn.whole, writer);
    if (!c->names) /* the document alone decides: no other account's policy is asked */
        write_value("resource_account", is_theirs ? owner : w->caller.account, writer);
    write_context(c, writer);
    kim_json_end_object(writer);
    kim_json_end_object(writer);
}

static int prepare(comparison *c)
{
    return sample_callers(c) < 0 || carry(c) < 0 || each_rule(c, note_variables) < 0 || each_test(c, note_test_variables, NULL) < 0 ||
                   each_test(c, note_key, NULL) < 0 || sample_actions(c) < 0 || sample_resources(c) < 0 ? -1 : 0;
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
    c->caller = c->action = c->resource = SIZE_MAX;
    c->chosen_keys = c->steps = 0;
    says found = explore(c, STAGE_CALLER);
    return found;
}

static void write_side(const char *name, says found, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    if (found == SAYS_PERHAPS)
        kim_json_put_string(writer, "unknown");
    else
        kim_json_put_bool(writer, found == SAYS_YES);
}

static const struct { const char *type; bool names, extends, is_for_all; } types[] = {
    {"identity", false, true, false}, {"boundary", false, true, false}, {"session", false, true, false},
    {"scp", false, false, false}, {"rcp", true, false, true}, {"resource", true, false, false},
};

static int write_answer(comparison *c, kim_json_writer *writer, kim_error *err)
{
    says gained, lost;
    kim_json_writer *witnesses = kim_json_writer_new(false); /* written before it is known what comes first */
    face(c, true);
    const policy_rules *reference = rules_policy(c->r, KIM_TEXT("reference")), *candidate = rules_policy(c->r, KIM_TEXT("candidate"));
    bool surely_no_gain = policy_surely_includes(reference, candidate, c->arena);
    bool surely_no_loss = policy_surely_includes(candidate, reference, c->arena);
    if (witnesses == NULL || ((!surely_no_gain || !surely_no_loss) && prepare(c) < 0)) {
        kim_json_writer_free(witnesses);
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to compare documents");
    }
    gained = surely_no_gain ? SAYS_NO : find(c, true);
    kim_json_begin_array(witnesses);
    if (gained == SAYS_YES)
        write_witness(c, "candidate", witnesses);
    lost = surely_no_loss ? SAYS_NO : find(c, false);
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
            c->is_for_all = types[i].is_for_all;
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
