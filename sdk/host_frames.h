/* SPDX-License-Identifier: Apache-2.0
 *
 * host_frames.h - what a parent and its kim-provider-host say to each other, as frames.
 *
 * Each frame's payload is a msgpack array of the fields named here. The parent starts the process
 * with the socket as descriptor 3, sends SETTINGS, and gets READY. Answers are gathered while more calls
 * wait; descriptor 4 is memory that both share, where the host notes the number of each call as it
 * begins, so that the parent knows which one a crash belongs to. Calls are
 * carried out one after the other, in order; each ends with DONE. While a call runs, the host may ask (COMMIT, DIAL, SECRET) and
 * then waits for the answer; there is never more than one question open.
 *
 * Both sides come from the same build: no version is negotiated here.
 */
#ifndef KIM_HOST_FRAMES_H
#define KIM_HOST_FRAMES_H

enum { HOST_SOCKET = 3, HOST_MARK = 4 };

enum {
    /* parent to host */
    HOST_SETTINGS = 1,       /* instance, [[name, secret, [value, ...]], ...] */
    HOST_NORMALISE = 2,      /* call, timeout_ms, kind, name, bytes */
    HOST_NORMALISE_FILE = 3, /* call, timeout_ms, kind, name; and a descriptor */
    HOST_COLLECT = 4,        /* call, timeout_ms, mode, cursor */
    HOST_USAGE = 5,          /* call, timeout_ms, cursor */
    HOST_RECOGNISE = 6,      /* call, timeout_ms, name, head */
    HOST_RENDER = 7,         /* call, timeout_ms, format, proposal */
    HOST_COMMITTED = 8,      /* code, message */
    HOST_DIALLED = 9,        /* code, message; and a descriptor where code is 0 */
    HOST_SECRET_IS = 10,     /* code, message, value */
    HOST_INTERRUPT = 11,     /* call: it and those before it shall stop */

    /* host to parent */
    HOST_READY = 32,   /* code, message, id, version, vendor, summary, abi_major, abi_minor, capabilities,
                        [host, ...] */
    HOST_RECORDS = 33, /* call, records */
    HOST_COMMIT = 34,  /* call, cursor, records */
    HOST_OUTPUT = 35,  /* call, bytes */
    HOST_DONE = 36,    /* call, code, message, value, record_count */
    HOST_LOG = 37,     /* level, event, message */
    HOST_METRIC = 38,  /* name, value as text */
    HOST_DIAL = 39,    /* host, port */
    HOST_SECRET = 40,  /* name */
};

enum {
    HOST_CLOSE_GRACE_MS = 4000, /* from the deadline, when should_stop turns true, to SIGKILL */
    HOST_MAX_HOSTS = 64,       /* that a plugin may ask to reach */
    HOST_TEXT_MAX_BYTES = 4096, /* of an event, message or name in a frame; longer ones are cut */
};

#endif
