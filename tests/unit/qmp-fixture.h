/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A QmpClient and its scripted peer. Every callback writes one word into a log; a test states the whole log, and with it the order
 * and the number of the callbacks:  ready  event:NAME  TAG=result  TAG!Error  closed!Error
 */

#include "qmp-client.h"
#include "scripted-peer.h"
#include "util/error.h"

#define SHORT_USEC      (20 * 1000)
#define GUARD_USEC      (60 * G_USEC_PER_SEC)           /* ends a test that would hang; nothing depends on its length */

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 9}, \"package\": \"p\"}, \"capabilities\": []}}\r\n"
#define STAMP    "\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}"
#define OK       "{\"return\": {}, \"id\": \"$id\"}\r\n"
#define ERROR    "{\"id\": \"$id\", \"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}\r\n"


typedef struct Fixture {
        sd_event *event;
        ScriptedPeer *peer;
        QmpClient *client;
        GString *log;
        char *text;                     /* of the last error */
        uint64_t usec;                  /* of the last event */
        char *free_at;                  /* word of the log at which the callback frees the client */
        char *cancel_at;                /* ... cancels cancel_id */
        uint64_t cancel_id;
        unsigned n_fds;
} Fixture;

/* The client's sendmsg(): at most so many bytes at once (0: EAGAIN). A line of getfd is too short for the kernel to ever cut it. */
extern size_t send_limit;
extern unsigned n_sends;
extern const QmpClientHandlers handlers;

void on_reply(QmpClient *client, json_object *result, const GError *error, void *userdata);
uint64_t call_full(Fixture *f, const char *name, const char *arguments, const QmpClientFd *fds, size_t n_fds, uint64_t usec);
uint64_t call(Fixture *f, const char *name);
void run_once(Fixture *f);
/* Runs until nothing is left to be done now */
void settle(Fixture *f);
/* Runs until the log is as long as expected, then until there is silence, and compares */
void expect_log(Fixture *f, const char *expected);
void attach(Fixture *f);
void detach(Fixture *f);
void connect_ready(Fixture *f);

int setup(void **state);
int teardown(void **state);                     /* fails when an fd is left open, or a step of the peer */

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
