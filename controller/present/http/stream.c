/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - one ring, one lock, one condition: each side wakes the other after every step.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/http/stream.h"

struct stream {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t head, held; /* where the oldest byte is; how many there are */
    bool waits;        /* the maker found no room */
    bool ended, left;
    char ring[STREAM_RING_BYTES];
};

stream *stream_new(void)
{
    stream *s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    memset(s, 0, offsetof(stream, ring));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    return s;
}

void stream_free(stream *s)
{
    if (s == NULL)
        return;
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t put(stream *s, const char *bytes, size_t size)
{
    size_t tail = (s->head + s->held) % STREAM_RING_BYTES;
    size_t fits = smaller(size, STREAM_RING_BYTES - s->held);
    size_t first = smaller(fits, STREAM_RING_BYTES - tail);
    memcpy(s->ring + tail, bytes, first);
    memcpy(s->ring, bytes + first, fits - first);
    s->held += fits;
    return fits;
}

int stream_write(void *context, const char *bytes, size_t size, kim_error *err)
{
    stream *s = context;
    pthread_mutex_lock(&s->lock);
    while (size > 0 && !s->left) {
        size_t done = put(s, bytes, size);
        bytes += done;
        size -= done;
        s->waits = size > 0;
        if (done > 0 || s->waits)
            pthread_cond_broadcast(&s->moved);
        if (s->waits)
            pthread_cond_wait(&s->moved, &s->lock);
    }
    s->waits = false;
    bool left = s->left;
    pthread_mutex_unlock(&s->lock);
    return left ? kim_fail(err, KIM_ERR_STOPPED, "the caller has gone") : 0;
}

void stream_end(stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

bool stream_settles(stream *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->ended && !s->waits)
        pthread_cond_wait(&s->moved, &s->lock);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

size_t stream_held(stream *s)
{
    pthread_mutex_lock(&s->lock);
    size_t held = s->held;
    pthread_mutex_unlock(&s->lock);
    return held;
}

size_t stream_read(stream *s, char *into, size_t max)
{
    pthread_mutex_lock(&s->lock);
    while (s->held == 0 && !s->ended)
        pthread_cond_wait(&s->moved, &s->lock);
    size_t size = smaller(max, s->held);
    size_t first = smaller(size, STREAM_RING_BYTES - s->head);
    memcpy(into, s->ring + s->head, first);
    memcpy(into + first, s->ring, size - first);
    s->head = (s->head + size) % STREAM_RING_BYTES;
    s->held -= size;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return size;
}

void stream_leave(stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->left = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}
