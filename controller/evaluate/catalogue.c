/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue.c - the catalogue file, held as it is and indexed.
 *
 * The file's bytes stay in one buffer and every text points into it; only the actions' lower-case names
 * are written out once more, end to end, because patterns are compared with them. As the file
 * is sorted by those names, what begins alike is one run of ids: a pattern such as s3:Get* is two binary
 * searches, and only what follows its first * is compared name by name. Exact names go
 * through an open hash table.
 */
#include "controller/evaluate/catalogue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct action {
    kim_text name, keys;
    uint32_t lower;      /* where it begins in catalogue.lower; the next one's is its end */
    uint32_t first_use;  /* the same, in catalogue.uses */
    uint32_t service;
    catalogue_level level;
} action;

struct catalogue {
    char *bytes;
    kim_text provider;
    action *actions;                /* [action_count + 1]: the last one only ends the one before */
    size_t action_count;
    char *lower;
    catalogue_service *services;    /* [service_count] */
    size_t service_count;
    catalogue_resource_type *types; /* [type_count] */
    size_t type_count;
    catalogue_use *uses;            /* [use_count] */
    size_t use_count;
    catalogue_key *keys;            /* [key_count] */
    size_t key_count;
    uint32_t *action_slots, *key_slots; /* hash tables: index + 1, 0 for none */
    size_t action_mask, key_mask;
    kim_text *patterns;             /* [key_count] keys with ${...}, as patterns; absent: none */
};

static inline unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static int compare_folded(kim_text a, kim_text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    for (size_t i = 0; i < shorter; i++) {
        int difference = fold((unsigned char)a.bytes[i]) - fold((unsigned char)b.bytes[i]);
        if (difference)
            return difference;
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

/* ---- hash tables ---- */

static size_t hash(kim_text text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a over the folded bytes */
    for (size_t i = 0; i < text.size; i++)
        h = (h ^ fold((unsigned char)text.bytes[i])) * 0x100000001b3u;
    return (size_t)(h ^ (h >> 29));
}

static size_t table_size(size_t count)
{
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

static void put(uint32_t *slots, size_t mask, kim_text name, size_t index)
{
    size_t at = hash(name) & mask;
    while (slots[at])
        at = (at + 1) & mask;
    slots[at] = (uint32_t)index + 1;
}

/* ---- patterns ---- */

/* Does all of text match? Both are folded; the pattern holds no two * in a row. */
static bool glob(const char *p, const char *p_end, const char *t, const char *t_end)
{
    const char *star = NULL, *resume = NULL;
    while (t < t_end) {
        if (p < p_end && *p == '*') {
            star = ++p;
            resume = t;
        } else if (p < p_end && (*p == '?' || *p == *t)) {
            p++;
            t++;
        } else if (star) {
            p = star;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

kim_text catalogue_lower(const catalogue *cat, int32_t id)
{
    const action *a = &cat->actions[id];
    return (kim_text){cat->lower + a[0].lower, a[1].lower - a[0].lower};
}

/* The first id whose name is not below prefix; or, with `past`, not below all that begins with it. */
static size_t bound(const catalogue *cat, kim_text prefix, bool past)
{
    size_t low = 0, high = cat->action_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        kim_text name = catalogue_lower(cat, (int32_t)middle);
        size_t shorter = name.size < prefix.size ? name.size : prefix.size;
        int order = memcmp(name.bytes, prefix.bytes, shorter);
        bool below = order < 0 || (order == 0 && (past || name.size < prefix.size));
        if (below)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void set_run(uint64_t *set, size_t from, size_t to)
{
    for (; from < to && from % 64; from++)
        set[from / 64] |= UINT64_C(1) << from % 64;
    for (; from + 64 <= to; from += 64)
        set[from / 64] = UINT64_MAX;
    for (; from < to; from++)
        set[from / 64] |= UINT64_C(1) << from % 64;
}

/* Folds, and makes one * of several. Returns the size, or 0 for what is longer than any name. */
static size_t normal_pattern(kim_text pattern, char out[2 * CATALOGUE_MAX_NAME + 1])
{
    size_t size = 0, literal = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = (char)fold((unsigned char)pattern.bytes[i]);
        if (c == '*' && size && out[size - 1] == '*')
            continue;
        if (c != '*' && ++literal > CATALOGUE_MAX_NAME)
            return 0;
        out[size++] = c;
    }
    return size;
}

size_t catalogue_match(const catalogue *cat, kim_text pattern, uint64_t *set)
{
    char text[2 * CATALOGUE_MAX_NAME + 1];
    size_t size = normal_pattern(pattern, text), begin = 0;
    if (size == 0)
        return 0;
    while (begin < size && text[begin] != '*' && text[begin] != '?')
        begin++;
    if (begin == size) { /* no wildcard */
        int32_t id = catalogue_action(cat, (kim_text){text, size});
        if (id >= 0)
            set_run(set, (size_t)id, (size_t)id + 1);
        return id >= 0;
    }
    kim_text prefix = {text, begin};
    size_t from = bound(cat, prefix, false), to = bound(cat, prefix, true), found = 0;
    if (begin + 1 == size && text[begin] == '*') {
        set_run(set, from, to);
        return to - from;
    }
    for (size_t id = from; id < to; id++) {
        kim_text name = catalogue_lower(cat, (int32_t)id);
        if (glob(text + begin, text + size, name.bytes + begin, name.bytes + name.size)) {
            set[id / 64] |= UINT64_C(1) << id % 64;
            found++;
        }
    }
    return found;
}

/* ---- reading: a line, its fields, one function a kind of line ---- */

enum { MAX_FIELDS = 6 };

typedef struct reader {
    const char *origin;
    uint32_t line;
    kim_text fields[MAX_FIELDS]; /* of the line, its kind first */
    size_t field_count;
    catalogue *cat;
    size_t promised;             /* actions, as the first line says */
    size_t lower_size;
    kim_text previous_action, previous_key;
    size_t capacity[5];          /* of actions, services, types, uses, keys */
    kim_error *err;
} reader;

static int refuse(reader *in, const char *what, kim_text which)
{
    return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: %s '%.*s'", in->origin, in->line, what,
                    (int)(which.size < 100 ? which.size : 100), which.bytes ? which.bytes : "");
}

/* Makes room for one more, at the end of an array that may move. */
static int grow(reader *in, void **items, size_t count, size_t *capacity, size_t size)
{
    if (count + 1 < *capacity) /* one in hand: the actions keep an end mark */
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : 256;
    void *larger = realloc(*items, wanted * size);
    if (!larger)
        return kim_fail(in->err, KIM_ERR_NOMEM, "%s: no memory for the catalogue", in->origin);
    *items = larger;
    *capacity = wanted;
    return 0;
}

static kim_text list_field(kim_text field)
{
    return kim_text_is(field, "-") ? KIM_NO_TEXT : field;
}

bool catalogue_next(kim_text *rest, kim_text *name)
{
    if (rest->size == 0)
        return false;
    const char *comma = memchr(rest->bytes, ',', rest->size);
    size_t size = comma ? (size_t)(comma - rest->bytes) : rest->size;
    *name = (kim_text){rest->bytes, size};
    size_t taken = comma ? size + 1 : size;
    *rest = (kim_text){rest->bytes + taken, rest->size - taken};
    return true;
}

static int read_number(reader *in, kim_text field, size_t most, size_t *out)
{
    size_t value = 0;
    if (field.size == 0 || field.size > 9)
        return refuse(in, "this is no number:", field);
    for (size_t i = 0; i < field.size; i++) {
        if (field.bytes[i] < '0' || field.bytes[i] > '9')
            return refuse(in, "this is no number:", field);
        value = value * 10 + (size_t)(field.bytes[i] - '0');
    }
    if (value > most)
        return kim_fail(in->err, KIM_ERR_LIMIT, "%s:%u: %zu is past %zu", in->origin, in->line, value, most);
    *out = value;
    return 0;
}

static int read_catalogue(reader *in)
{
    size_t format;
    if (in->cat->provider.bytes)
        return refuse(in, "a second head:", in->fields[0]);
    if (read_number(in, in->fields[1], 999, &format) < 0)
        return -1;
    if (format != CATALOGUE_FORMAT)
        return kim_fail(in->err, KIM_ERR_VERSION, "%s:%u: format %zu; this program reads format %d: install the "
                        "catalogue that came with it", in->origin, in->line, format, CATALOGUE_FORMAT);
    in->cat->provider = in->fields[2];
    return read_number(in, in->fields[3], CATALOGUE_MAX_BYTES / 8, &in->promised);
}

static int read_key(reader *in)
{
    static const char *const names[] = {"String", "ARN", "Numeric", "Date", "Bool", "IPAddress", "Binary"};
    catalogue *cat = in->cat;
    kim_text name = in->fields[1], type = in->fields[2];
    catalogue_key key = {.name = name};

    if (cat->service_count)
        return refuse(in, "keys stand before all services, unlike", name);
    if (in->previous_key.bytes && compare_folded(in->previous_key, name) >= 0)
        return refuse(in, "keys are sorted by lower-case name, unlike", name);
    in->previous_key = name;
    if (type.size > 7 && memcmp(type.bytes, "ArrayOf", 7) == 0) {
        key.multivalued = true;
        type = (kim_text){type.bytes + 7, type.size - 7};
    }
    size_t t = 0;
    while (t < sizeof names / sizeof *names && !kim_text_is(type, names[t]))
        t++;
    if (t == sizeof names / sizeof *names)
        return refuse(in, "no type of condition keys:", in->fields[2]);
    key.type = (catalogue_type)t;
    if (grow(in, (void **)&cat->keys, cat->key_count, &in->capacity[4], sizeof *cat->keys) < 0)
        return -1;
    cat->keys[cat->key_count++] = key;
    return 0;
}

/* Are the prefixes in the order that their actions' names have? "s3-x" stands before "s3", for - < : */
static bool prefixes_ascend(kim_text a, kim_text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = compare_folded((kim_text){a.bytes, shorter}, (kim_text){b.bytes, shorter});
    if (order || a.size == b.size)
        return order < 0;
    return a.size < b.size ? ':' < fold((unsigned char)b.bytes[shorter]) : fold((unsigned char)a.bytes[shorter]) < ':';
}

static int read_service(reader *in)
{
    catalogue *cat = in->cat;
    kim_text prefix = in->fields[1];
    bool rcp = kim_text_is(in->fields[2], "rcp");

    if (!rcp && !kim_text_is(in->fields[2], "-"))
        return refuse(in, "no flag of a service:", in->fields[2]);
    if (cat->service_count && !prefixes_ascend(cat->services[cat->service_count - 1].prefix, prefix))
        return refuse(in, "services are sorted by prefix and ':', unlike", prefix);
    if (grow(in, (void **)&cat->services, cat->service_count, &in->capacity[1], sizeof *cat->services) < 0)
        return -1;
    cat->services[cat->service_count++] = (catalogue_service){
        .prefix = prefix, .name = in->fields[3], .takes_rcp = rcp, .first = (int32_t)cat->action_count,
        .first_resource_type = (uint32_t)cat->type_count,
    };
    return 0;
}

/* The service that lines now belong to; NULL, with the error, before the first. */
static catalogue_service *current_service(reader *in)
{
    if (in->cat->service_count == 0) {
        refuse(in, "before any service:", in->fields[0]);
        return NULL;
    }
    return &in->cat->services[in->cat->service_count - 1];
}

static int read_resource(reader *in)
{
    catalogue *cat = in->cat;
    catalogue_service *service = current_service(in);
    if (!service)
        return -1;
    if (service->count)
        return refuse(in, "resource types stand before their service's actions, unlike", in->fields[1]);
    if (service->resource_type_count && compare_folded(cat->types[cat->type_count - 1].name, in->fields[1]) > 0)
        return refuse(in, "resource types are sorted by lower-case name, unlike", in->fields[1]);
    if (grow(in, (void **)&cat->types, cat->type_count, &in->capacity[2], sizeof *cat->types) < 0)
        return -1;
    cat->types[cat->type_count++] = (catalogue_resource_type){
        .name = in->fields[1], .arn = in->fields[2], .keys = list_field(in->fields[3]),
    };
    service->resource_type_count++;
    return 0;
}

/* Adds the uses that an action's list names; both it and the service's types are sorted. */
static int read_uses(reader *in, const catalogue_service *service, kim_text list)
{
    catalogue *cat = in->cat;
    size_t type = service->first_resource_type, end = type + service->resource_type_count;
    for (kim_text rest = list, name; catalogue_next(&rest, &name);) {
        bool required = name.size && name.bytes[name.size - 1] == '!';
        name.size -= required;
        while (type < end && !kim_text_equal(cat->types[type].name, name))
            type++;
        if (type == end)
            return refuse(in, "no resource type of the service, or out of order:", name);
        size_t forms = 1;
        while (type + forms < end && kim_text_equal(cat->types[type + forms].name, name))
            forms++;
        if (grow(in, (void **)&cat->uses, cat->use_count, &in->capacity[3], sizeof *cat->uses) < 0)
            return -1;
        cat->uses[cat->use_count++] = (catalogue_use){
            .first_form = (uint32_t)type, .form_count = (uint32_t)forms, .required = required,
        };
        type += forms;
    }
    return 0;
}

static int read_action(reader *in)
{
    catalogue *cat = in->cat;
    catalogue_service *service = current_service(in);
    kim_text name = in->fields[1];
    if (!service)
        return -1;
    size_t prefix = service->prefix.size;
    if (name.size < prefix + 2 || name.bytes[prefix] != ':' || memcmp(name.bytes, service->prefix.bytes, prefix) != 0)
        return refuse(in, "not an action of the service above:", name);
    if (in->previous_action.bytes && compare_folded(in->previous_action, name) >= 0)
        return refuse(in, "actions are sorted by lower-case name, unlike", name);
    in->previous_action = name;
    int level = CATALOGUE_LIST;
    while (level <= CATALOGUE_PERMISSIONS && !kim_text_is(in->fields[2], catalogue_level_name((catalogue_level)level)))
        level++;
    if (level > CATALOGUE_PERMISSIONS)
        return refuse(in, "no access level:", in->fields[2]);
    if (grow(in, (void **)&cat->actions, cat->action_count, &in->capacity[0], sizeof *cat->actions) < 0)
        return -1;
    cat->actions[cat->action_count++] = (action){
        .name = name, .keys = list_field(in->fields[4]), .level = (catalogue_level)level,
        .lower = (uint32_t)in->lower_size, .first_use = (uint32_t)cat->use_count,
        .service = (uint32_t)cat->service_count - 1,
    };
    in->lower_size += name.size;
    service->count++;
    return read_uses(in, service, list_field(in->fields[3]));
}

static int read_on(reader *in)
{
    catalogue *cat = in->cat;
    catalogue_service *service = current_service(in);
    if (!service)
        return -1;
    size_t use = service->count ? cat->actions[cat->action_count - 1].first_use : cat->use_count;
    while (use < cat->use_count && !kim_text_equal(cat->types[cat->uses[use].first_form].name, in->fields[1]))
        use++;
    if (use == cat->use_count || cat->uses[use].keys.bytes)
        return refuse(in, "not a resource type of the action above, or a second time:", in->fields[1]);
    cat->uses[use].keys = list_field(in->fields[2]);
    return 0;
}

static const struct kind {
    const char *name;
    size_t fields; /* its own name counted */
    int (*read)(reader *in);
} kinds[] = {
    {"action", 5, read_action},
    {"on", 3, read_on},
    {"resource", 4, read_resource},
    {"key", 3, read_key},
    {"service", 4, read_service},
    {"catalogue", 4, read_catalogue},
};

static int read_line(reader *in, const char *from, const char *to)
{
    in->field_count = 0;
    for (const char *at = from;; ) {
        const char *tab = memchr(at, '\t', (size_t)(to - at));
        if (in->field_count == MAX_FIELDS)
            return refuse(in, "too many fields after", in->fields[1]);
        in->fields[in->field_count++] = (kim_text){at, (size_t)((tab ? tab : to) - at)};
        if (!tab)
            break;
        at = tab + 1;
    }
    const struct kind *kind = kinds, *end = kinds + sizeof kinds / sizeof *kinds;
    while (kind < end && !kim_text_is(in->fields[0], kind->name))
        kind++;
    if (kind == end)
        return refuse(in, "no such kind of line:", in->fields[0]);
    if (kind->fields != in->field_count)
        return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: %s has %zu fields after its kind, not %zu", in->origin,
                        in->line, kind->name, kind->fields - 1, in->field_count - 1);
    for (size_t i = 1; i < in->field_count; i++)
        if (in->fields[i].size == 0)
            return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: field %zu of %s is empty; an empty list is written -",
                            in->origin, in->line, i, kind->name);
    if (in->fields[1].size > CATALOGUE_MAX_NAME)
        return kim_fail(in->err, KIM_ERR_LIMIT, "%s:%u: a name of %zu bytes; the longest may have %d", in->origin,
                        in->line, in->fields[1].size, CATALOGUE_MAX_NAME);
    if (kind->read != read_catalogue && !in->cat->provider.bytes)
        return refuse(in, "the first line is 'catalogue', not", in->fields[0]);
    return kind->read(in);
}

/* Printable ASCII, tabs and newlines: 0 where all is; else the byte's place + 1. */
static size_t find_foreign_byte(const char *bytes, size_t size)
{
    for (size_t block = 0; block < size; block += 4096) {
        size_t end = size - block < 4096 ? size : block + 4096;
        unsigned foreign = 0;
        for (size_t i = block; i < end; i++) {
            unsigned char c = (unsigned char)bytes[i];
            foreign |= (c < 0x20 || c > 0x7e) & (c != '\t') & (c != '\n');
        }
        for (size_t i = block; foreign && i < end; i++) {
            unsigned char c = (unsigned char)bytes[i];
            if ((c < 0x20 || c > 0x7e) && c != '\t' && c != '\n')
                return i + 1;
        }
    }
    return 0;
}

static int read_lines(reader *in, const char *bytes, size_t size)
{
    const char *at = bytes, *end = bytes + size;
    size_t foreign = find_foreign_byte(bytes, size);
    if (foreign) {
        uint32_t line = 1;
        for (size_t i = 0; i + 1 < foreign; i++)
            line += bytes[i] == '\n';
        return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: byte 0x%02x is neither printable ASCII nor a tab", in->origin,
                        line, (unsigned char)bytes[foreign - 1]);
    }
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        in->line++;
        if (!newline)
            return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: the last line has no end: the file was cut short",
                            in->origin, in->line);
        if (newline > at && *at != '#' && read_line(in, at, newline) < 0)
            return -1;
        at = newline + 1;
    }
    if (in->cat->action_count != in->promised || !in->cat->provider.bytes)
        return kim_fail(in->err, KIM_ERR_INPUT, "%s:%u: %zu actions where the first line promises %zu: the file was "
                        "cut short or edited", in->origin, in->line, in->cat->action_count, in->promised);
    return 0;
}

/* ---- indexing ---- */

/* "aws:RequestTag/${TagKey}" as the folded pattern "aws:requesttag/?*", in `out`; its size. */
static size_t key_pattern(kim_text name, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        const char *close = name.bytes[i] == '$' && i + 1 < name.size && name.bytes[i + 1] == '{'
                                ? memchr(name.bytes + i, '}', name.size - i) : NULL;
        if (close) {
            out[size++] = '?';
            out[size++] = '*';
            i = (size_t)(close - name.bytes);
        } else {
            out[size++] = (char)fold((unsigned char)name.bytes[i]);
        }
    }
    return size;
}

static int index_keys(catalogue *cat)
{
    size_t slots = table_size(cat->key_count), room = 1;
    for (size_t k = 0; k < cat->key_count; k++)
        room += cat->keys[k].name.size;
    cat->key_mask = slots - 1;
    cat->key_slots = calloc(slots, sizeof *cat->key_slots);
    /* the patterns' texts follow the array; each is shorter than its name, as ${} is longer than ?* */
    cat->patterns = calloc(1, (cat->key_count + 1) * sizeof *cat->patterns + room);
    if (!cat->key_slots || !cat->patterns)
        return -1;
    char *text = (char *)(cat->patterns + cat->key_count + 1);
    for (size_t k = 0; k < cat->key_count; k++) {
        kim_text name = cat->keys[k].name;
        put(cat->key_slots, cat->key_mask, name, k);
        size_t size = key_pattern(name, text);
        if (size < name.size) { /* it holds ${...} */
            cat->patterns[k] = (kim_text){text, size};
            text += size;
        }
    }
    return 0;
}

static int index_actions(catalogue *cat, size_t lower_size)
{
    size_t slots = table_size(cat->action_count);
    cat->action_mask = slots - 1;
    cat->action_slots = calloc(slots, sizeof *cat->action_slots);
    cat->lower = malloc(lower_size + 1);
    if (!cat->action_slots || !cat->lower)
        return -1;
    char *at = cat->lower;
    for (size_t id = 0; id < cat->action_count; id++) {
        kim_text name = cat->actions[id].name;
        for (size_t i = 0; i < name.size; i++)
            *at++ = (char)fold((unsigned char)name.bytes[i]);
        put(cat->action_slots, cat->action_mask, name, id);
    }
    cat->actions[cat->action_count] = (action){.lower = (uint32_t)lower_size, .first_use = (uint32_t)cat->use_count};
    return 0;
}

/* Takes bytes, even on failure. */
static catalogue *build(char *bytes, size_t size, const char *origin, kim_error *err)
{
    catalogue *cat = calloc(1, sizeof *cat);
    reader in = {.origin = origin, .cat = cat, .err = err};
    if (!cat) {
        free(bytes);
        goto nomem;
    }
    cat->bytes = bytes;
    if (size > CATALOGUE_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: %zu bytes; a catalogue may have %d", origin, size, CATALOGUE_MAX_BYTES);
        goto fail;
    }
    if (grow(&in, (void **)&cat->actions, 0, &in.capacity[0], sizeof *cat->actions) < 0 ||
        read_lines(&in, bytes, size) < 0)
        goto fail;
    if (index_actions(cat, in.lower_size) < 0 || index_keys(cat) < 0)
        goto nomem;
    return cat;
nomem:
    kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for the catalogue", origin);
fail:
    catalogue_free(cat);
    return NULL;
}

catalogue *catalogue_parse(const char *bytes, size_t size, const char *origin, kim_error *err)
{
    char *copy = malloc(size + 1);
    if (!copy) {
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for the catalogue", origin);
        return NULL;
    }
    if (size)
        memcpy(copy, bytes, size);
    return build(copy, size, origin, err);
}

catalogue *catalogue_load(const char *path, kim_error *err)
{
    struct stat about;
    char *bytes = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0)
        goto io;
    if (!S_ISREG(about.st_mode) || about.st_size > CATALOGUE_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: not a regular file of at most %d bytes", path, CATALOGUE_MAX_BYTES);
        close(fd);
        return NULL;
    }
    bytes = malloc((size_t)about.st_size + 1);
    if (!bytes)
        goto io; /* errno is ENOMEM */
    while (size < (size_t)about.st_size) {
        ssize_t got = read(fd, bytes + size, (size_t)about.st_size - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            goto io;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    close(fd);
    return build(bytes, size, path, err);
io:
    kim_fail(err, errno == ENOMEM ? KIM_ERR_NOMEM : KIM_ERR_IO, "%s: %s", path, strerror(errno));
    free(bytes);
    if (fd >= 0)
        close(fd);
    return NULL;
}

void catalogue_free(catalogue *cat)
{
    if (!cat)
        return;
    free(cat->bytes);
    free(cat->actions);
    free(cat->lower);
    free(cat->services);
    free(cat->types);
    free(cat->uses);
    free(cat->keys);
    free(cat->action_slots);
    free(cat->key_slots);
    free(cat->patterns);
    free(cat);
}

/* ---- answers ---- */

kim_text catalogue_provider(const catalogue *cat)
{
    return cat->provider;
}

size_t catalogue_count(const catalogue *cat)
{
    return cat->action_count;
}

size_t catalogue_words(const catalogue *cat)
{
    return (cat->action_count + 63) / 64;
}

int32_t catalogue_action(const catalogue *cat, kim_text name)
{
    if (name.size > CATALOGUE_MAX_NAME)
        return -1;
    for (size_t at = hash(name) & cat->action_mask; cat->action_slots[at]; at = (at + 1) & cat->action_mask) {
        uint32_t id = cat->action_slots[at] - 1;
        if (compare_folded(cat->actions[id].name, name) == 0)
            return (int32_t)id;
    }
    return -1;
}

kim_text catalogue_name(const catalogue *cat, int32_t id)
{
    return cat->actions[id].name;
}

catalogue_level catalogue_level_of(const catalogue *cat, int32_t id)
{
    return cat->actions[id].level;
}

const char *catalogue_level_name(catalogue_level level)
{
    static const char *const names[] = {"list", "read", "write", "tagging", "permissions"};
    return names[level];
}

bool catalogue_takes_no_resource(const catalogue *cat, int32_t id)
{
    return cat->actions[id].first_use == cat->actions[id + 1].first_use;
}

const catalogue_use *catalogue_uses(const catalogue *cat, int32_t id, size_t *count)
{
    *count = cat->actions[id + 1].first_use - cat->actions[id].first_use;
    return *count ? cat->uses + cat->actions[id].first_use : NULL;
}

kim_text catalogue_keys(const catalogue *cat, int32_t id)
{
    return cat->actions[id].keys;
}

const catalogue_service *catalogue_service_of(const catalogue *cat, int32_t id)
{
    return &cat->services[cat->actions[id].service];
}

const catalogue_service *catalogue_service_find(const catalogue *cat, kim_text prefix)
{
    for (size_t low = 0, high = cat->service_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const catalogue_service *service = &cat->services[middle];
        if (compare_folded(service->prefix, prefix) == 0)
            return service;
        if (prefixes_ascend(service->prefix, prefix))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const catalogue_service *catalogue_services(const catalogue *cat, size_t *count)
{
    *count = cat->service_count;
    return cat->services;
}

const catalogue_resource_type *catalogue_resource_types(const catalogue *cat, size_t *count)
{
    *count = cat->type_count;
    return cat->types;
}

const catalogue_key *catalogue_key_find(const catalogue *cat, kim_text name)
{
    char folded[CATALOGUE_MAX_NAME];
    if (name.size > sizeof folded)
        return NULL;
    for (size_t at = hash(name) & cat->key_mask; cat->key_slots[at]; at = (at + 1) & cat->key_mask) {
        const catalogue_key *key = &cat->keys[cat->key_slots[at] - 1];
        if (compare_folded(key->name, name) == 0)
            return key;
    }
    for (size_t i = 0; i < name.size; i++)
        folded[i] = (char)fold((unsigned char)name.bytes[i]);
    for (size_t k = 0; k < cat->key_count; k++) {
        kim_text pattern = cat->patterns[k];
        if (pattern.size && glob(pattern.bytes, pattern.bytes + pattern.size, folded, folded + name.size))
            return &cat->keys[k];
    }
    return NULL;
}
