/* SPDX-License-Identifier: Apache-2.0
 *
 * regex.c - a pattern to a tree, the tree to instructions, and these run for all places at once.
 *
 * At each character of the text the set of instructions is kept that some way through the pattern could stand
 * at (Thompson's construction), so that no pattern can make a search take longer than instructions times text.
 *
 * Source: RE2, "Syntax"; Go's regexp/syntax, where its parser decides.
 */
#include "controller/evaluate/cel/regex.h"

#include "controller/evaluate/cel/regex_class.h"
#include "controller/evaluate/cel/text.h"

/* ---- the tree ---- */

typedef enum tree_kind { TREE_EMPTY, TREE_CLASS, TREE_ASSERT, TREE_REPEAT, TREE_ALL, TREE_ANY } tree_kind;
typedef enum assertion { BEGIN_TEXT = 1, END_TEXT = 2, BEGIN_LINE = 4, END_LINE = 8, WORD_EDGE = 16, NO_WORD_EDGE = 32 } assertion;

typedef struct tree tree;
struct tree {
    tree_kind kind;
    uint16_t height;
    assertion assertion;
    int min, max;      /* of a repeat; max -1: none */
    code_class *class;
    tree **items;      /* of all (one behind another) and any (one of them); [1] of a repeat */
    size_t count, capacity;
};

typedef enum flag { FOLD_CASE = 1, MANY_LINES = 2, DOT_IS_ALL = 4 } flag;

typedef struct reader {
    kim_text pattern;
    size_t at;
    unsigned flags;
    int depth;
    kim_arena *arena;
    kim_error *err;
    bool failed;
} reader;

#define REFUSE(r, why, from, to) refuse((r), (why), (from), (to))

static void *refuse(reader *r, const char *why, size_t from, size_t to)
{
    size_t size = to > from ? to - from : 0;
    if (!r->failed)
        kim_fail(r->err, KIM_ERR_INPUT, "%s: `%.*s`", why, (int)(size < 200 ? size : 200), r->pattern.bytes + from);
    r->failed = true;
    return NULL;
}

static void *no_memory(reader *r)
{
    if (!r->failed)
        kim_fail(r->err, KIM_ERR_NOMEM, "no memory for a regular expression");
    r->failed = true;
    return NULL;
}

static void *too_deep(reader *r)
{
    return refuse(r, "expression nests too deeply", 0, r->pattern.size);
}

static tree *leaf(reader *r, tree_kind kind)
{
    tree *t = KIM_NEW(r->arena, tree);
    if (t == NULL)
        return no_memory(r);
    t->kind = kind;
    t->height = 1;
    return t;
}

static bool append(reader *r, tree *to, tree *item)
{
    if (r->failed || item == NULL)
        return false;
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? 2 * to->capacity : 4;
        tree **grown = KIM_NEW_ARRAY(r->arena, tree *, capacity);
        if (grown == NULL)
            return no_memory(r);
        if (to->count)
            memcpy(grown, to->items, to->count * sizeof *grown);
        to->items = grown;
        to->capacity = capacity;
    }
    to->items[to->count++] = item;
    if (item->height >= to->height)
        to->height = (uint16_t)(item->height + 1);
    if (to->height > REGEX_MAX_DEPTH)
        return too_deep(r);
    return true;
}

static code_class *new_class(reader *r)
{
    code_class *c = KIM_NEW(r->arena, code_class);
    if (c == NULL)
        return no_memory(r);
    c->arena = r->arena;
    return c;
}

static tree *class_leaf(reader *r, code_class *c)
{
    if (c == NULL || r->failed)
        return NULL;
    class_settle(c);
    tree *t = c->failed ? no_memory(r) : leaf(r, TREE_CLASS);
    if (t)
        t->class = c;
    return t;
}

static void add_range(reader *r, code_class *c, uint32_t low, uint32_t high)
{
    (r->flags & FOLD_CASE ? class_add_folded : class_add)(c, low, high);
}

static tree *literal(reader *r, uint32_t code_point)
{
    code_class *c = new_class(r);
    if (c)
        add_range(r, c, code_point, code_point);
    return class_leaf(r, c);
}

static tree *assert_leaf(reader *r, assertion a)
{
    tree *t = leaf(r, TREE_ASSERT);
    if (t)
        t->assertion = a;
    return t;
}

/* ---- characters ---- */

static char peek(const reader *r, size_t ahead)
{
    return r->at + ahead < r->pattern.size ? r->pattern.bytes[r->at + ahead] : '\0';
}

static bool is_at_end(const reader *r)
{
    return r->at >= r->pattern.size;
}

static bool take(reader *r, char c)
{
    if (is_at_end(r) || r->pattern.bytes[r->at] != c)
        return false;
    r->at++;
    return true;
}

static uint32_t next(reader *r)
{
    size_t size;
    uint32_t c = cel_get_utf8((kim_text){r->pattern.bytes + r->at, r->pattern.size - r->at}, &size);
    r->at += size;
    return c;
}

static bool is_octal(char c) { return c >= '0' && c <= '7'; }
static bool is_word(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= 'a' && c <= 'z'); }

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_braced_hex(reader *r, uint32_t *out)
{
    size_t digits = 0;
    for (*out = 0; !take(r, '}'); digits++) {
        int v = is_at_end(r) ? -1 : hex_value(r->pattern.bytes[r->at++]);
        if (v < 0 || (*out = *out * 16 + (uint32_t)v) > LAST_CODE_POINT)
            return false;
    }
    return digits > 0;
}

static bool read_hex(reader *r, uint32_t *out)
{
    if (take(r, '{'))
        return read_braced_hex(r, out);
    int high = hex_value(peek(r, 0)), low = hex_value(peek(r, 1));
    r->at += 2;
    *out = (uint32_t)(high * 16 + low);
    return high >= 0 && low >= 0;
}

/* The character that an escape stands for; `at` is behind the backslash. */
static bool read_escape(reader *r, uint32_t *out)
{
    static const char letters[] = "afnrtv", meanings[] = "\a\f\n\r\t\v";
    size_t start = r->at - 1;
    if (is_at_end(r)) {
        REFUSE(r, "trailing backslash at end of expression", r->at, r->at);
        return false;
    }
    uint32_t c = next(r);
    const char *known = c < 0x80 && c ? strchr(letters, (int)c) : NULL;
    bool fine = true;
    if (known) {
        *out = (uint32_t)meanings[known - letters];
    } else if (c == 'x') {
        fine = read_hex(r, out);
    } else if (c == '0' || (c >= '1' && c <= '7' && is_octal(peek(r, 0)))) {
        *out = c - '0';
        for (int i = 0; i < 2 && is_octal(peek(r, 0)); i++)
            *out = *out * 8 + (uint32_t)(r->pattern.bytes[r->at++] - '0');
    } else {
        *out = c;
        fine = c < 0x80 && (c == '_' || !is_word(c));
    }
    if (!fine)
        REFUSE(r, "invalid escape sequence", start, r->at < r->pattern.size ? r->at : r->pattern.size);
    return fine;
}

/* ---- classes ---- */

typedef struct named_class {
    const char *name;
    code_range ranges[4];
    size_t count;
} named_class;

static const named_class perl_classes[] = {
    {"d", {{'0', '9'}}, 1}, {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
};
static const named_class posix_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3}, {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2}, {"ascii", {{0, 0x7f}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2}, {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}, 2}, {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1}, {"lower", {{'a', 'z'}}, 1}, {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4}, {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1}, {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static const named_class *find_class(const named_class *classes, size_t count, kim_text name)
{
    for (size_t i = 0; i < count; i++)
        if (kim_text_is(name, classes[i].name))
            return &classes[i];
    return NULL;
}

static void add_named(reader *r, code_class *to, const named_class *n, bool negated)
{
    code_class all = {.arena = r->arena};
    for (size_t i = 0; i < n->count; i++)
        add_range(r, &all, n->ranges[i].low, n->ranges[i].high);
    class_add_class(to, &all, negated);
}

/* \d \s \w and their opposites; false, and nothing is taken: another escape. */
static bool take_perl_class(reader *r, code_class *to)
{
    char letter = (char)(peek(r, 1) | 0x20);
    const named_class *n = peek(r, 0) == '\\' ? find_class(perl_classes, 3, (kim_text){&letter, 1}) : NULL;
    if (n == NULL)
        return false;
    add_named(r, to, n, peek(r, 1) != letter);
    r->at += 2;
    return true;
}

/* \pN, \p{Greek}, \P{^Greek}; false, and nothing is taken: another escape. */
static bool take_property(reader *r, code_class *to)
{
    size_t start = r->at;
    if (peek(r, 0) != '\\' || (peek(r, 1) | 0x20) != 'p' || r->at + 2 >= r->pattern.size)
        return false;
    bool negated = peek(r, 1) == 'P';
    r->at += 2;
    kim_text name = {r->pattern.bytes + r->at, 0};
    if (take(r, '{')) {
        const char *end = memchr(name.bytes, '}', r->pattern.size - r->at + 1);
        if (end == NULL)
            return REFUSE(r, "invalid character class range", start, r->pattern.size) != NULL;
        name = (kim_text){name.bytes + 1, (size_t)(end - name.bytes) - 1};
        r->at += name.size + 1;
    } else {
        next(r);
        name.size = (size_t)(r->pattern.bytes + r->at - name.bytes);
    }
    if (name.size && name.bytes[0] == '^') {
        negated = !negated;
        name = (kim_text){name.bytes + 1, name.size - 1};
    }
    code_class all = {.arena = r->arena};
    if (!class_add_property(&all, name, r->flags & FOLD_CASE))
        return REFUSE(r, "invalid character class range", start, r->at) != NULL;
    class_add_class(to, &all, negated);
    return true;
}

/* [:alpha:] within a class; false, and nothing is taken: it is none. */
static bool take_posix_class(reader *r, code_class *to)
{
    kim_text rest = {r->pattern.bytes + r->at, r->pattern.size - r->at};
    if (peek(r, 0) != '[' || peek(r, 1) != ':')
        return false;
    const char *end = memmem(rest.bytes + 2, rest.size - 2, ":]", 2);
    if (end == NULL)
        return false;
    kim_text name = {rest.bytes + 2, (size_t)(end - rest.bytes) - 2};
    bool negated = name.size && name.bytes[0] == '^';
    size_t start = r->at;
    r->at += name.size + 4;
    if (negated)
        name = (kim_text){name.bytes + 1, name.size - 1};
    const named_class *n = find_class(posix_classes, sizeof posix_classes / sizeof *posix_classes, name);
    if (n == NULL)
        return REFUSE(r, "invalid character class range", start, r->at) != NULL;
    add_named(r, to, n, negated);
    return true;
}

static bool read_class_character(reader *r, size_t start, uint32_t *out)
{
    if (is_at_end(r)) {
        REFUSE(r, "missing closing ]", start, r->pattern.size);
        return false;
    }
    if (take(r, '\\'))
        return read_escape(r, out);
    *out = next(r);
    return true;
}

static void read_range(reader *r, code_class *to, size_t start)
{
    size_t here = r->at;
    uint32_t low = 0, high;
    if (!read_class_character(r, start, &low))
        return;
    high = low;
    if (peek(r, 0) == '-' && r->at + 1 < r->pattern.size && peek(r, 1) != ']') {
        r->at++;
        if (!read_class_character(r, start, &high))
            return;
    }
    if (high < low)
        REFUSE(r, "invalid character class range", here, r->at);
    else
        add_range(r, to, low, high);
}

static tree *read_class(reader *r)
{
    size_t start = r->at++;
    bool negated = take(r, '^');
    code_class *c = new_class(r);
    for (bool first = true; c && !r->failed && (first || peek(r, 0) != ']' || is_at_end(r)); first = false)
        if (!take_posix_class(r, c) && !r->failed && !take_property(r, c) && !r->failed && !take_perl_class(r, c))
            read_range(r, c, start);
    r->at++;
    if (c && negated && !r->failed)
        class_negate(c);
    return class_leaf(r, c);
}

/* ---- groups, repeats ---- */

static tree *read_alternatives(reader *r);

/* (?P<name> or (?<name>, up to its end. */
static bool take_capture_name(reader *r, size_t start)
{
    bool with_p = peek(r, 2) == 'P' && peek(r, 3) == '<' && r->at + 4 < r->pattern.size;
    if (!with_p && !(peek(r, 2) == '<' && r->at + 3 < r->pattern.size))
        return false;
    size_t from = r->at + (with_p ? 4 : 3), i = from;
    while (i < r->pattern.size && r->pattern.bytes[i] != '>')
        i++;
    bool fine = i < r->pattern.size && i > from;
    for (size_t k = from; k < i; k++)
        fine &= is_word((unsigned char)r->pattern.bytes[k]);
    if (!fine)
        return REFUSE(r, "invalid named capture", start, i < r->pattern.size ? i + 1 : i) != NULL;
    r->at = i + 1;
    return true;
}

/* (?flags) or (?flags: ; 1: a group is opened; 0: flags of the rest of this one; -1: neither. */
static int read_flags(reader *r)
{
    static const char letters[] = "imsU";
    unsigned flags = r->flags, bits[] = {FOLD_CASE, MANY_LINES, DOT_IS_ALL, 0};
    bool negative = false, saw_flag = false;
    for (r->at += 2; !is_at_end(r);) {
        char c = r->pattern.bytes[r->at++];
        const char *letter = c ? strchr(letters, c) : NULL;
        if (letter) {
            unsigned bit = bits[letter - letters];
            flags = negative ? flags & ~bit : flags | bit;
            saw_flag = true;
        } else if (c == '-' && !negative) {
            negative = true;
            saw_flag = false;
        } else if ((c == ':' || c == ')') && (!negative || saw_flag)) {
            r->flags = flags;
            return c == ':';
        } else {
            break;
        }
    }
    return -1;
}

/* What stands in a group, up to its ")". The flags of before hold again behind it. */
static tree *read_group_body(reader *r, unsigned flags_before, bool is_capture)
{
    tree *t = read_alternatives(r);
    if (r->failed)
        return NULL;
    if (!take(r, ')'))
        return REFUSE(r, "missing closing )", 0, r->pattern.size);
    r->flags = flags_before;
    if (is_capture && ++t->height > REGEX_MAX_DEPTH)
        return too_deep(r);
    return t;
}

/* NULL where it was flags alone, or has failed. */
static tree *read_group(reader *r)
{
    size_t start = r->at;
    unsigned before = r->flags;
    if (peek(r, 1) != '?') {
        r->at++;
        return read_group_body(r, before, true);
    }
    if (take_capture_name(r, start))
        return read_group_body(r, before, true);
    int opened = r->failed ? 0 : read_flags(r);
    if (opened < 0)
        return REFUSE(r, "invalid or unsupported Perl syntax", start, r->at);
    return opened > 0 ? read_group_body(r, before, false) : NULL;
}

/* A decimal number without needless zeros; -2: none; -1: too large. */
static int read_count(reader *r)
{
    int value = 0;
    size_t start = r->at;
    if (peek(r, 0) == '0' && peek(r, 1) >= '0' && peek(r, 1) <= '9')
        return -2;
    for (; peek(r, 0) >= '0' && peek(r, 0) <= '9'; r->at++)
        value = value < 0 || value > 10000000 ? -1 : value * 10 + (peek(r, 0) - '0');
    return r->at == start ? -2 : value;
}

/* {n}, {n,} or {n,m}; false, and nothing is taken: the brace is a literal. */
static bool take_counts(reader *r, int *min, int *max)
{
    size_t start = r->at++;
    *min = *max = read_count(r);
    if (*min != -2 && take(r, ',')) {
        *max = -1;
        if (peek(r, 0) != '}') {
            *max = read_count(r);
            *min = *max == -1 ? -1 : *min;
        }
    }
    if (*min != -2 && *max != -2 && take(r, '}'))
        return true;
    r->at = start;
    return false;
}

/* May this be copied so often, with the repeats in it? */
static bool may_repeat(const tree *t, int times)
{
    if (t->kind == TREE_REPEAT && t->max == 0)
        return true;
    if (t->kind == TREE_REPEAT && (t->min >= 2 || t->max >= 2)) {
        int m = t->max < 0 ? t->min : t->max;
        if (m > times)
            return false;
        times = m > 0 ? times / m : times;
    }
    for (size_t i = 0; i < t->count; i++)
        if (!may_repeat(t->items[i], times))
            return false;
    return true;
}

/* Puts what stands last in a sequence under a repeat; `at` is behind the operator. */
static void repeat_last(reader *r, tree *sequence, int min, int max, size_t start, size_t previous)
{
    take(r, '?');
    if (previous != SIZE_MAX)
        REFUSE(r, "invalid nested repetition operator", previous, r->at);
    else if (sequence->count == 0)
        REFUSE(r, "missing argument to repetition operator", start, r->at);
    tree *t = r->failed ? NULL : leaf(r, TREE_REPEAT);
    if (t == NULL || !append(r, t, sequence->items[sequence->count - 1]))
        return;
    t->min = min;
    t->max = max;
    sequence->items[sequence->count - 1] = t;
    if (t->height >= sequence->height)
        sequence->height = (uint16_t)(t->height + 1);
    if ((min >= 2 || max >= 2) && !may_repeat(t, REGEX_MAX_REPEAT))
        REFUSE(r, "invalid repeat count", start, r->at);
}

/* True where a repeat operator, or what looks like one, was taken. */
static bool take_repeat(reader *r, tree *sequence, size_t previous)
{
    size_t start = r->at;
    int min, max;
    switch (peek(r, 0)) {
    case '*':
        r->at++;
        repeat_last(r, sequence, 0, -1, start, previous);
        return true;
    case '+':
        r->at++;
        repeat_last(r, sequence, 1, -1, start, previous);
        return true;
    case '?':
        r->at++;
        repeat_last(r, sequence, 0, 1, start, previous);
        return true;
    case '{':
        if (!take_counts(r, &min, &max))
            return false;
        if (min < 0 || min > REGEX_MAX_REPEAT || max > REGEX_MAX_REPEAT || (max >= 0 && min > max))
            REFUSE(r, "invalid repeat count", start, r->at);
        else
            repeat_last(r, sequence, min, max, start, previous);
        return true;
    default:
        return false;
    }
}

/* \Q...\E: the characters between are literals. */
static void read_quoted(reader *r, tree *sequence)
{
    for (r->at += 2; !is_at_end(r) && !r->failed;) {
        if (peek(r, 0) == '\\' && peek(r, 1) == 'E') {
            r->at += 2;
            return;
        }
        append(r, sequence, literal(r, next(r)));
    }
}

static void read_backslash(reader *r, tree *sequence)
{
    static const struct { char letter; assertion assertion; } assertions[] = {
        {'A', BEGIN_TEXT}, {'b', WORD_EDGE}, {'B', NO_WORD_EDGE}, {'z', END_TEXT},
    };
    code_class *c = new_class(r);
    uint32_t code_point;
    if (c == NULL)
        return;
    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++) {
        if (peek(r, 1) != assertions[i].letter)
            continue;
        r->at += 2;
        append(r, sequence, assert_leaf(r, assertions[i].assertion));
        return;
    }
    if (peek(r, 1) == 'Q')
        read_quoted(r, sequence);
    else if (take_property(r, c) || (!r->failed && take_perl_class(r, c)))
        append(r, sequence, class_leaf(r, c));
    else if (!r->failed && take(r, '\\') && read_escape(r, &code_point))
        append(r, sequence, literal(r, code_point));
}

static tree *dot(reader *r)
{
    code_class *c = new_class(r);
    if (c && r->flags & DOT_IS_ALL) {
        class_add(c, 0, LAST_CODE_POINT);
    } else if (c) {
        class_add(c, 0, '\n' - 1);
        class_add(c, '\n' + 1, LAST_CODE_POINT);
    }
    return class_leaf(r, c);
}

static void read_atom(reader *r, tree *sequence)
{
    tree *group;
    switch (peek(r, 0)) {
    case '(':
        if ((group = read_group(r)) != NULL)
            append(r, sequence, group);
        return;
    case '^':
        r->at++;
        append(r, sequence, assert_leaf(r, r->flags & MANY_LINES ? BEGIN_LINE : BEGIN_TEXT));
        return;
    case '$':
        r->at++;
        append(r, sequence, assert_leaf(r, r->flags & MANY_LINES ? END_LINE : END_TEXT));
        return;
    case '.':
        r->at++;
        append(r, sequence, dot(r));
        return;
    case '[':
        append(r, sequence, read_class(r));
        return;
    case '\\':
        read_backslash(r, sequence);
        return;
    default:
        append(r, sequence, literal(r, next(r)));
    }
}

static tree *read_sequence(reader *r)
{
    tree *sequence = leaf(r, TREE_ALL);
    size_t previous = SIZE_MAX; /* where a repeat began that ends here */
    while (sequence && !r->failed && !is_at_end(r) && peek(r, 0) != '|' && peek(r, 0) != ')') {
        size_t start = r->at;
        if (take_repeat(r, sequence, previous)) {
            previous = start;
            continue;
        }
        read_atom(r, sequence);
        previous = SIZE_MAX;
    }
    if (r->failed)
        return NULL;
    return sequence->count == 1 ? sequence->items[0] : sequence;
}

static tree *read_alternatives(reader *r)
{
    if (++r->depth > REGEX_MAX_DEPTH)
        return too_deep(r);
    tree *any = leaf(r, TREE_ANY);
    do
        if (any == NULL || !append(r, any, read_sequence(r)))
            return NULL;
    while (take(r, '|'));
    r->depth--;
    return any->count == 1 ? any->items[0] : any;
}

/* ---- instructions ---- */

typedef enum operation { MATCH, CONSUME, CHECK, JUMP, SPLIT } operation;

typedef struct instruction {
    operation operation;
    uint32_t x, y;           /* where to go on: jump; split, both */
    assertion assertion;     /* check */
    const code_class *class; /* consume */
} instruction;

struct regex {
    instruction *code;
    uint32_t count, capacity;
    uint64_t *ascii; /* [count][2]: which ASCII characters a consume takes */
};

static uint32_t emit(reader *r, regex *to, instruction i)
{
    if (r->failed)
        return 0;
    if (to->count == REGEX_MAX_INSTRUCTIONS) {
        kim_fail(r->err, KIM_ERR_LIMIT, "expression too large: more than %d steps", REGEX_MAX_INSTRUCTIONS);
        r->failed = true;
        return 0;
    }
    if (to->count == to->capacity) {
        uint32_t capacity = to->capacity ? 2 * to->capacity : 32;
        instruction *grown = KIM_NEW_ARRAY(r->arena, instruction, capacity);
        if (grown == NULL) {
            no_memory(r);
            return 0;
        }
        if (to->count)
            memcpy(grown, to->code, to->count * sizeof *grown);
        to->code = grown;
        to->capacity = capacity;
    }
    to->code[to->count] = i;
    return to->count++;
}

static void translate(reader *r, regex *to, const tree *t);

static void translate_repeat(reader *r, regex *to, const tree *t)
{
    for (int i = 0; i < t->min && !r->failed; i++)
        translate(r, to, t->items[0]);
    if (t->max < 0) {
        uint32_t split = emit(r, to, (instruction){.operation = SPLIT});
        translate(r, to, t->items[0]);
        emit(r, to, (instruction){.operation = JUMP, .x = split});
        if (!r->failed)
            to->code[split].x = split + 1, to->code[split].y = to->count;
        return;
    }
    uint32_t first = to->count, each = 0; /* x{0,3} is (x(x(x)?)?)?: each may skip to the end */
    for (int i = t->min; i < t->max && !r->failed; i++) {
        uint32_t split = emit(r, to, (instruction){.operation = SPLIT});
        translate(r, to, t->items[0]);
        each = to->count - split;
    }
    for (uint32_t i = first; each && !r->failed && i < to->count; i += each)
        to->code[i].x = i + 1, to->code[i].y = to->count;
}

static void translate_any(reader *r, regex *to, const tree *t)
{
    uint32_t jumps = UINT32_MAX; /* those to the end, chained through x */
    for (size_t i = 0; i + 1 < t->count && !r->failed; i++) {
        uint32_t split = emit(r, to, (instruction){.operation = SPLIT});
        translate(r, to, t->items[i]);
        jumps = emit(r, to, (instruction){.operation = JUMP, .x = jumps});
        if (!r->failed)
            to->code[split].x = split + 1, to->code[split].y = to->count;
    }
    translate(r, to, t->items[t->count - 1]);
    while (!r->failed && jumps != UINT32_MAX) {
        uint32_t before = to->code[jumps].x;
        to->code[jumps].x = to->count;
        jumps = before;
    }
}

static void translate(reader *r, regex *to, const tree *t)
{
    switch (t->kind) {
    case TREE_EMPTY:
        return;
    case TREE_CLASS:
        emit(r, to, (instruction){.operation = CONSUME, .class = t->class});
        return;
    case TREE_ASSERT:
        emit(r, to, (instruction){.operation = CHECK, .assertion = t->assertion});
        return;
    case TREE_REPEAT:
        translate_repeat(r, to, t);
        return;
    case TREE_ANY:
        translate_any(r, to, t);
        return;
    case TREE_ALL:
        for (size_t i = 0; i < t->count && !r->failed; i++)
            translate(r, to, t->items[i]);
    }
}

static void fill_ascii(reader *r, regex *re)
{
    re->ascii = KIM_NEW_ARRAY(r->arena, uint64_t, 2 * (size_t)re->count);
    if (re->ascii == NULL) {
        no_memory(r);
        return;
    }
    for (uint32_t i = 0; i < re->count; i++) {
        const code_class *c = re->code[i].class;
        for (size_t k = 0; c && k < c->count && c->ranges[k].low < 0x80; k++)
            for (uint32_t p = c->ranges[k].low; p <= c->ranges[k].high && p < 0x80; p++)
                re->ascii[2 * (size_t)i + p / 64] |= (uint64_t)1 << p % 64;
    }
}

regex *regex_compile(kim_text pattern, kim_arena *arena, kim_error *err)
{
    reader r = {.pattern = pattern, .arena = arena, .err = err};
    regex *re = KIM_NEW(arena, regex);
    if (re == NULL)
        return no_memory(&r);
    tree *t = read_alternatives(&r);
    if (!r.failed && !is_at_end(&r))
        REFUSE(&r, "unexpected )", 0, pattern.size);
    if (!r.failed)
        translate(&r, re, t);
    emit(&r, re, (instruction){.operation = MATCH});
    if (!r.failed)
        fill_ascii(&r, re);
    return r.failed ? NULL : re;
}

/* ---- searching ---- */

/* Instructions that are stood at, in any order, each once. */
typedef struct places {
    uint32_t *dense, *sparse, count;
} places;

static bool add(places *p, uint32_t at)
{
    uint32_t k = p->sparse[at];
    if (k < p->count && p->dense[k] == at)
        return false;
    p->sparse[at] = p->count;
    p->dense[p->count++] = at;
    return true;
}

/* Which assertions hold between two characters; UINT32_MAX: the text's edge. */
static unsigned holding(uint32_t before, uint32_t after)
{
    bool edge = (before != UINT32_MAX && is_word(before)) != (after != UINT32_MAX && is_word(after));
    return (before == UINT32_MAX ? BEGIN_TEXT | BEGIN_LINE : before == '\n' ? BEGIN_LINE : 0) |
        (after == UINT32_MAX ? END_TEXT | END_LINE : after == '\n' ? END_LINE : 0) | (edge ? WORD_EDGE : NO_WORD_EDGE);
}

/* Goes from an instruction as far as it goes without a character. True: to the match. */
static bool follow(const regex *r, places *to, uint32_t *stack, uint32_t from, unsigned assertions)
{
    uint32_t height = 0;
    if (add(to, from))
        stack[height++] = from;
    while (height > 0) {
        uint32_t at = stack[--height], next_at[2] = {at + 1, at + 1};
        const instruction *i = &r->code[at];
        if (i->operation == MATCH)
            return true;
        if (i->operation == CONSUME || (i->operation == CHECK && !(i->assertion & assertions)))
            continue;
        if (i->operation == JUMP || i->operation == SPLIT)
            next_at[0] = i->x, next_at[1] = i->operation == SPLIT ? i->y : i->x;
        for (int k = 0; k < 2; k++)
            if (add(to, next_at[k]))
                stack[height++] = next_at[k];
    }
    return false;
}

static bool consumes(const regex *r, uint32_t at, uint32_t c)
{
    if (r->code[at].operation != CONSUME)
        return false;
    if (c < 0x80)
        return r->ascii[2 * (size_t)at + c / 64] >> c % 64 & 1;
    return class_holds(r->code[at].class, c);
}

int regex_search(const regex *r, kim_text text, kim_arena *scratch)
{
    uint32_t *memory = KIM_NEW_ARRAY(scratch, uint32_t, 5 * (size_t)r->count), before = UINT32_MAX;
    if (memory == NULL)
        return -1;
    places now = {memory, memory + r->count, 0}, then = {memory + 2 * (size_t)r->count, memory + 3 * (size_t)r->count, 0};
    uint32_t *stack = memory + 4 * (size_t)r->count;
    for (size_t at = 0, size = 0; at <= text.size; at += size) {
        bool at_end = at == text.size;
        uint32_t c = at_end ? UINT32_MAX : cel_get_utf8((kim_text){text.bytes + at, text.size - at}, &size);
        unsigned assertions = holding(before, c);
        then.count = 0;
        for (uint32_t i = 0; i < now.count; i++) /* those that took the character before stand behind it */
            if (consumes(r, now.dense[i], before) && follow(r, &then, stack, now.dense[i] + 1, assertions))
                return 1;
        if (follow(r, &then, stack, 0, assertions))
            return 1;
        places other = now;
        now = then;
        then = other;
        before = c;
        if (at_end)
            break;
    }
    return 0;
}

size_t regex_cost(const regex *r, kim_text text)
{
    return r->count + (size_t)r->count * (text.size + 1) / 8;
}
