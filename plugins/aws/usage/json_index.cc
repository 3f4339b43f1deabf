// SPDX-License-Identifier: Apache-2.0
//
// json_index.cc - the one C++ file: simdjson's stage 1 behind json_index.h.
//
// No exception may leave: allocation is nothrow here and in simdjson, which reports by error code.

#include "plugins/aws/usage/json_index.h"

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <memory>
#include <new>

struct json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

extern "C" json_index *json_index_new(size_t max_bytes)
{
    json_index *index = new (std::nothrow) json_index;
    if (index && simdjson::get_active_implementation()->create_dom_parser_implementation(
                     max_bytes, 1, index->parser) != simdjson::SUCCESS) {
        delete index;
        return nullptr;
    }
    return index;
}

extern "C" void json_index_free(json_index *index)
{
    delete index;
}

extern "C" const char *json_index_find(json_index *index, const char *text, size_t size,
                                       const uint32_t **positions, size_t *count)
{
    if (size > index->parser->capacity())
        return "longer than its window";
    switch (index->parser->stage1(reinterpret_cast<const uint8_t *>(text), size,
                                  simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        *positions = index->parser->structural_indexes.get();
        *count = index->parser->n_structural_indexes;
        return nullptr;
    case simdjson::UTF8_ERROR:
        return "no UTF-8";
    case simdjson::UNCLOSED_STRING:
        return JSON_INDEX_OPEN;
    case simdjson::UNESCAPED_CHARS:
        return "a control character in a string";
    default:
        return "no JSON";
    }
}
