/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The real objects of hetd on one end of a socketpair, a client on the other, both in one loop. There is no bus daemon, so a
 * message has no sender: nobody is asked who calls.
 */

#include "bus.h"

typedef struct BusFixture {
        sd_event *event;
        sd_bus *server, *client;
        Manager *manager;
        char *directory;                /* of this test, removed at its end */
        GPtrArray *signals;             /* of sd_bus_message*: what the client received, in order */
} BusFixture;

int bus_fixture_setup(void **state);
int bus_fixture_teardown(void **state);

/* Turns the loop until the condition holds; the test fails if it does not within ten seconds */
#define bus_fixture_until(f, condition) \
        do { \
                uint64_t deadline_ = bus_fixture_now() + 10 * G_USEC_PER_SEC; \
                while (!(condition)) \
                        bus_fixture_turn(f, deadline_, #condition); \
        } while (0)

uint64_t bus_fixture_now(void);
void bus_fixture_turn(BusFixture *f, uint64_t deadline, const char *condition);

/* A call, and its reply: a reference of the caller's. NULL: error_name (may be NULL) is what must have come instead. */
sd_bus_message *bus_fixture_call(BusFixture *f, const char *path, const char *interface, const char *member,
                                 const char *error_name, const char *types, ...);
/* The text of the last error */
const char *bus_fixture_error(void);
/* A property that is a string */
char *bus_fixture_get(BusFixture *f, const char *path, const char *interface, const char *property);

/* A sealed memfd with a text in it */
int bus_fixture_file(const char *text);
/* An executable script in the test's directory; its path, to be freed */
char *bus_fixture_script(BusFixture *f, const char *name, const char *text);
/* Defines the platform `one`: a master and a slave, with that QEMU */
void bus_fixture_define(BusFixture *f, const char *qemu);

/* How many signals of that name came; the last of them is rewound and in *ret, if ret is not NULL (borrowed) */
unsigned bus_fixture_count(BusFixture *f, const char *member, sd_bus_message **ret);
/* The values of a string property in all change signals of an object, joined by " " */
char *bus_fixture_changes(BusFixture *f, const char *path, const char *property);
