/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h - one provider's way of deciding: a row in the table of engines.
 *
 * The questions are the same everywhere (evaluate.h); how statements combine is not. An engine reads the
 * records of its own scopes only, so that an estate of four clouds and a factory is five estates in
 * one, joined by `can_become`. To add a provider is to add a row and a file.
 */
#ifndef KIM_ENGINE_H
#define KIM_ENGINE_H

#include "controller/evaluate/evaluate.h"

enum { ENGINES_MAX = 16 }; /* each has a slot of the estate and of the evaluator */

/* Every function gets what it has to be told; those that may be missing say so. */
typedef struct engine {
    const char *provider;     /* "kubernetes": question.provider, a profile's id */
    const char *scope_prefix; /* its records' scopes begin with it: "k8s:"; NULL: scopes that no other has */
    bool (*owns)(kim_text scope); /* scopes beside those of scope_prefix that are its own; NULL: none */

    /* Compiles what of the estate is its own; kept with the estate and shared by all threads.
     * NULL with err: KIM_ERR_NOMEM. What cannot be understood stays in it as unread, it is no error. */
    void *(*compile)(estate *es, kim_error *err);
    void (*forget)(void *compiled);
    /* The same for a newer estate (estate_before, estate_changed) of which records of its own changed, from what was
     * compiled of the older one, which stays; it copies what it points at of the newer one. NULL: compile it anew.
     * May be missing. What was compiled also serves newer estates of which nothing of its own changed: questions look
     * into the estate that it was made of. */
    void *(*change)(const void *before, estate *es);
    /* Scratch of one evaluator, made at its first question to this engine; NULL with err. Both may be missing. */
    void *(*state_new)(evaluator *ev, const void *compiled, kim_error *err);
    void (*state_free)(void *state);

    /* ev's scratch is reset before; the answer's parts live in it, or in what is compiled. */
    int (*decide)(evaluator *ev, const question *q, answer *out, kim_error *err);
    int (*who_can)(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err);
    int (*what_can)(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err);

    /* Of a whole case: the first thing in the estate that could not be read, in words; absent: all was. */
    kim_text (*first_unread)(const void *compiled);
    /* The case forms of these names: write their members into an open object. May be missing. */
    int (*compare)(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
    int (*expand)(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
    int (*may_grant)(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
} engine;

/* By provider ("aws"); a profile's id that is no engine's own name has the neutral one. NULL: not known. */
const engine *engine_find(const estate *es, kim_text provider);
/* Whose records a scope holds, by how it begins; never NULL (the neutral engine has what no other has). */
const engine *engine_of_scope(kim_text scope);
/* Does a record of this scope belong to that engine? */
bool engine_reads(const engine *e, kim_text scope);

/* What the engine compiled of the estate, made by the first who asks. NULL with err. */
const void *engine_compiled(const engine *e, estate *es, kim_error *err);
/* The engine's part of this evaluator. NULL with err. */
void *engine_state(const engine *e, evaluator *ev, kim_error *err);

extern const engine aws_engine, azure_engine, gcp_engine, kubernetes_engine, neutral_engine; /* engine.c has the table */

#endif
