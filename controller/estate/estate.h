/* SPDX-License-Identifier: Apache-2.0
 *
 * estate.h - everything known at one moment, interned and indexed in memory.
 *
 * An estate is built from records once and never changes: whoever asks holds a reference, and a newer
 * one takes its place beside it, built anew or from the older one and what changed. Usage is not in it (the
 * store answers for that).
 */
#ifndef KIM_ESTATE_H
#define KIM_ESTATE_H

#include <kim/record.h>

typedef struct estate estate;
typedef struct estate_builder estate_builder;
typedef struct catalogue catalogue; /* controller/evaluate/catalogue.h */

/* catalogues_dir  holds the action catalogues (etc/catalogue as installed); NULL: none are known
 * Errors: KIM_ERR_NOMEM, KIM_ERR_IO and KIM_ERR_INPUT for a catalogue that cannot be read */
estate_builder *estate_builder_new(const char *catalogues_dir, kim_error *err);
/* Copies the record. A later record with the same key replaces an earlier one. Usage is ignored.
 * Errors: KIM_ERR_NOMEM, KIM_ERR_LIMIT */
int estate_builder_add(estate_builder *builder, const kim_record *record, kim_error *err);
/* What is not in the records does not exist, rather than not being known: a case says all there is. */
void estate_builder_set_complete(estate_builder *builder);
void estate_builder_free(estate_builder *builder); /* NULL is fine */

/* For a newer estate: what is not added or dropped is as in `before`, which the result holds. All that the sources
 * say of a key is added once one of them says something new: the older record counts no more. */
estate_builder *estate_builder_from(estate *before, kim_error *err);
/* Nobody states this record any more, unless it is added too; of it the key counts. Errors: as of adding */
int estate_builder_drop(estate_builder *builder, const kim_record *record, kim_error *err);
/* Is another one from it worth while? What a chain of estates holds and shows no more is bounded. */
bool estate_may_change(const estate *es);

/* Takes the builder, even on failure. NULL with err: KIM_ERR_NOMEM, KIM_ERR_LIMIT */
estate *estate_build(estate_builder *builder, kim_error *err);
estate *estate_hold(estate *es);    /* another reference; thread-safe; returns es */
void estate_release(estate *es);    /* the last one ends it; NULL is fine */

/* The records as they came in, by type: borrowed from the estate, in the order of their keys' ids. */
const kim_record *estate_records(const estate *es, kim_record_type type, size_t *count);
/* The identity, resource or scope of that id; NULL where there is none. */
const kim_record *estate_find(const estate *es, kim_record_type type, kim_text id);

/* The id of a record that estate_find finds: the first field of each such type. */
static inline kim_text estate_id(const kim_record *record)
{
    return record->as_scope.id;
}

bool estate_is_complete(const estate *es);
/* The actions a provider has; NULL where no catalogue of it is installed. */
const catalogue *estate_catalogue(const estate *es, kim_text provider);

const char *estate_catalogues_dir(const estate *es); /* as given to the builder; NULL: none */

/* What later stages derive from the estate and what lives as long as it, one thing a place: made by the first
 * who asks (others wait), NULL where making it failed; the next who asks tries again. */
enum { ESTATE_SLOTS = 16 };
typedef void *estate_make_function(estate *es, kim_error *err);
void *estate_derived(estate *es, unsigned place, estate_make_function *make, void (*end)(void *), kim_error *err);
void *estate_derived_already(estate *es, unsigned place); /* NULL: nobody asked */
/* Before others know the estate: what an older one's derived thing became. It points at none of this estate's
 * records, which may end before it does. end NULL: it is the older one's own. */
void estate_derive(estate *es, unsigned place, void *made, void (*end)(void *));

/* The older estate that it was built from; NULL: none. */
estate *estate_before(const estate *es);
/* What differs from it, by type: records as they are now, or as they were dropped. In the order of keys. */
const kim_record *estate_changed(const estate *es, kim_record_type type, size_t *count);

#endif
