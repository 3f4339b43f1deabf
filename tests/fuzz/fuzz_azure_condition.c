/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_azure_condition.c - any text is a condition or is refused with its place; what can be read decides
 * well for no attribute, for one that is not known and for values of every type, and settles in itself.
 */
#include <stdlib.h>

#include "controller/evaluate/azure_condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static azure_attribute look(void *from, uint32_t key)
{
    static const azure_value values[] = {
        {AZURE_STRING, {"a", 1}}, {AZURE_NUMBER, {"-5.50", 5}}, {AZURE_BOOL, {"true", 4}}, {AZURE_STRING, {"2024-06-01T12:00:00.1234567+02:00", 33}},
        {AZURE_TEXT, {"10.0.0.5", 8}}, {AZURE_STRING, {"b24988ac-6180-42a0-ab88-20f7382dd24c", 36}}};
    unsigned how = (*(const unsigned *)from + key) % 9;
    if (how < 6)
        return (azure_attribute){AZURE_GIVEN, &values[how], 1};
    return (azure_attribute){.state = how == 6 ? AZURE_ABSENT : how == 7 ? AZURE_NOT_KNOWN : AZURE_PRESENT};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_text text = {(const char *)bytes, size}, unread;
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    text_map *keys = arena ? text_map_new(arena) : NULL;
    if (keys && size < 64 * 1024 && kim_text_is_utf8(text)) {
        const azure_condition *c = azure_condition_compile(text, keys, arena, &unread);
        if ((c == NULL) != (unread.bytes != NULL) && !kim_arena_is_full(arena))
            abort();
        for (unsigned how = 0; c && how < 9; how++) {
            const azure_facts facts = {.action = KIM_TEXT("microsoft.storage/storageaccounts/read"), .look = look, .from = &how};
            const term *t = azure_condition_decide(c, &facts, arena);
            if (t == NULL && !kim_arena_is_full(arena))
                abort();
            if (t && (t->kind == TERM_EXPRESSION) && kim_text_is_absent(t->text))
                abort();
        }
    }
    kim_arena_free(arena);
    return 0;
}
