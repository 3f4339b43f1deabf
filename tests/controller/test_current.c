/* SPDX-License-Identifier: Apache-2.0
 *
 * test_current.c - the estate in force: there is none before a publication, a newer one takes its place,
 * and whoever asks goes on with the one that he holds.
 */
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "controller/current.h"
#include "controller/ingest/ingest.h"
#include "controller/load.h"
#include "tests/controller/agent_side.h"

enum { READERS = 3, PUBLICATIONS = 40 };

typedef struct fixture {
    store *st;
    current *cu;
    atomic_bool stop;
    atomic_uint asked;
} fixture;

static int set_up(void **state)
{
    kim_error err = {0};
    fixture *f = calloc(1, sizeof *f);
    f->st = store_open(":memory:", 0, &err);
    f->cu = current_start(f->st, NULL, 1, &err);
    if (!f->st || !f->cu)
        fail_msg("%s", err.message);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    current_stop(f->cu);
    store_close(f->st);
    free(f);
    return 0;
}

static void publish(fixture *f, int number)
{
    kim_error err = {0};
    char name[32];
    uint64_t count;
    snprintf(name, sizeof name, "%d", number);
    const kim_record ann = identity_record(ACCOUNT, "ann", name);
    kim_bytes bytes = entries_of(&ann, 1);
    if (ingest_import(f->st, bytes.data, bytes.size, &count, &err) < 0 ||
        ingest_import_publish(f->st, NOW_UNIX_MS + number, &err) < 0)
        fail_msg("%s", err.message);
    kim_bytes_free(&bytes);
}

/* Ann's name is the number of the publication. */
static int number_in(const estate *es)
{
    const kim_record *ann = estate_find(es, KIM_IDENTITY, KIM_TEXT("ann"));
    char name[32];
    snprintf(name, sizeof name, "%.*s", KIM_PRINT(ann->identity.name));
    return atoi(name);
}

static void before_a_publication_there_is_none(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    assert_null(current_hold(f->cu));
    assert_int_equal(current_published_unix_ms(f->cu), 0);
    assert_int_equal(current_build(f->cu, false, &err), 0);
    assert_null(current_hold(f->cu));
    assert_int_equal(current_build(f->cu, true, &err), 0); /* an empty one, where it is asked for */
    estate *es = current_hold(f->cu);
    assert_non_null(es);
    estate_release(es);
}

static void who_holds_an_estate_keeps_it(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    publish(f, 1);
    assert_int_equal(current_build(f->cu, false, &err), 0);
    estate *first = current_hold(f->cu);
    publish(f, 2);
    assert_int_equal(current_build(f->cu, false, &err), 0);
    estate *second = current_hold(f->cu);
    assert_int_equal(number_in(first), 1);
    assert_int_equal(number_in(second), 2);
    assert_int_equal(current_published_unix_ms(f->cu), NOW_UNIX_MS + 2);
    estate_release(first);
    estate_release(second);
}

/* The text of all records, in their order; to be freed. */
static kim_bytes records_of(estate *es)
{
    kim_error err = {0};
    kim_bytes all = {0};
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        size_t count;
        const kim_record *items = estate_records(es, (kim_record_type)type, &count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(kim_record_encode(&items[i], &all, &err), 0);
    }
    return all;
}

static void an_estate_that_followed_the_publications_is_the_one_in_the_store(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    int64_t ignored;
    for (int i = 1; i <= 2 * PUBLICATIONS; i++) { /* more than a chain of estates may be long */
        publish(f, i);
        assert_int_equal(current_build(f->cu, false, &err), 0);
        estate *followed = current_hold(f->cu), *read = estate_load(f->st, NULL, &ignored, &err);
        kim_bytes one = records_of(followed), other = records_of(read);
        assert_int_equal(number_in(followed), i);
        assert_int_equal(one.size, other.size);
        assert_memory_equal(one.data, other.data, one.size);
        kim_bytes_free(&one);
        kim_bytes_free(&other);
        estate_release(followed);
        estate_release(read);
    }
}

static void *ask_on_and_on(void *argument)
{
    fixture *f = argument;
    int last = 0;
    while (!atomic_load(&f->stop)) {
        estate *es = current_hold(f->cu);
        if (es) {
            int number = number_in(es);
            if (number < last) /* never back to an older one */
                return argument;
            last = number;
            atomic_fetch_add(&f->asked, 1);
        }
        estate_release(es);
        sched_yield();
    }
    return NULL;
}

static void readers_and_publications_go_on_together(void **state)
{
    fixture *f = *state;
    pthread_t readers[READERS];
    void *failed;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, ask_on_and_on, f), 0);
    for (int i = 1; i <= PUBLICATIONS; i++) {
        publish(f, i);
        current_wake(f->cu);
        sched_yield();
    }
    for (int number = 0; number != PUBLICATIONS || atomic_load(&f->asked) == 0;) { /* the last one comes */
        estate *es = current_hold(f->cu);
        number = es ? number_in(es) : 0;
        estate_release(es);
        sched_yield();
    }
    atomic_store(&f->stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], &failed);
        assert_null(failed);
    }
}

#define HOLDING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOLDING(before_a_publication_there_is_none),
        HOLDING(who_holds_an_estate_keeps_it),
        HOLDING(an_estate_that_followed_the_publications_is_the_one_in_the_store),
        HOLDING(readers_and_publications_go_on_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
