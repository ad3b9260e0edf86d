/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* QmpClient: what QEMU may say, in whatever pieces, and what it may not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmp-fixture.h"
#include "qmp-message.h"

#include <stdio.h>
#include <string.h>

/* One conversation with everything a stream can hold: pretty-printed, UTF-8 of all lengths, escapes, several kinds */
static void converse(Fixture *f, size_t first, size_t others) {
        attach(f);
        peer_set_pieces(f->peer, first, others);
        peer_send(f->peer, GREETING);
        peer_answer(f->peer, "qmp_capabilities", NULL, 0, OK);
        call_full(f, "ask", "{\"a\": [1, \"x\"]}", NULL, 0, 0);
        peer_expect(f->peer, "ask", "{\"a\": [1, \"x\"]}", 0);
        peer_set_pieces(f->peer, first, others);
        peer_send(f->peer, "{\"event\": \"STOP\",\r\n    \"data\": {\r\n        \"t\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u00e9}{\\\"\"\r\n    },\r\n    " STAMP "\r\n}\r\n"
                          "{\r\n    \"return\": {\r\n        \"n\": 18446744073709551615,\r\n        \"b\": [true, null, -1.5]\r\n    },\r\n    \"id\": \"$id\"\r\n}\r\n"
                          "{\"event\": \"RESUME\", " STAMP "}{\"event\":\"RESET\", " STAMP "}");
        expect_log(f, "ready event:STOP{\"t\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9}{\\\"\"} "
                      "ask={\"n\":18446744073709551615,\"b\":[true,null,-1.5]} event:RESUME event:RESET");
        assert_int_equal(f->usec, 5000007);
        detach(f);
}

static void test_split_everywhere(void **state) {
        for (size_t first = 1; first < 400; first++)
                converse(*state, first, 0);
}

static void test_pieces(void **state) {
        static const size_t sizes[] = { 1, 2, 3, 5, 7, 137, 143 };

        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
                converse(*state, sizes[i], sizes[i]);
        converse(*state, 0, 0);
}

static void test_early_events(void **state) {
        Fixture *f = *state;

        attach(f);
        call(f, "queued");
        peer_send(f->peer, "{\"event\": \"A\", " STAMP "}\r\n" GREETING "{\"event\": \"B\", " STAMP "}\r\n");
        peer_answer(f->peer, "qmp_capabilities", NULL, 0,
                    "{\"event\": \"C\", " STAMP "}" OK "{\"event\": \"D\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}");
        peer_answer(f->peer, "queued", NULL, 0, OK);
        expect_log(f, "ready event:A event:B event:C event:D queued={}");
        assert_true(f->usec == UINT64_MAX);
}

static void test_early_events_limit(void **state) {
        Fixture *f = *state;

        attach(f);
        for (unsigned i = 0; i < 257; i++)
                peer_send(f->peer, "{\"event\": \"A\", " STAMP "}\r\n");
        expect_log(f, "closed!ProtocolError");
}

static void test_foreign_replies(void **state) {
        Fixture *f = *state;

        attach(f);
        peer_send(f->peer, "{\"return\": {\"stale\": 0}, \"id\": \"hetd-0-1\"}" GREETING "{\"return\": {}, \"id\": 1}");
        peer_answer(f->peer, "qmp_capabilities", NULL, 0, OK);
        call(f, "first");
        call(f, "second");
        peer_expect(f->peer, "first", NULL, 0);
        peer_expect(f->peer, "second", NULL, 0);
        peer_send(f->peer, "{\"return\": {}}{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": null}{\"return\": {}, \"id\": \"$1\\u0000\"}"
                           "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\"}}"
                           "{\"return\": {}, \"id\": \"$0\"}"                           /* once more */
                           "{\"return\": {\"n\": 2}, \"id\": \"$2\"}{\"return\": {\"n\": 1}, \"id\": \"$1\"}"
                           "{\"return\": {\"n\": 3}, \"id\": \"$1\"}{\"event\": \"END\", " STAMP "}");
        expect_log(f, "ready second={\"n\":2} first={\"n\":1} event:END");
}

static void test_ids_unique(void **state) {
        Fixture *f = *state;
        g_autofree char *id = NULL;

        connect_ready(f);
        id = g_strdup(peer_id(f->peer, 0));
        detach(f);
        connect_ready(f);
        assert_string_not_equal(peer_id(f->peer, 0), id);
        /* the same process: the same epoch, another number */
        assert_memory_equal(peer_id(f->peer, 0), id, QMP_UNIQUE_EPOCH_LENGTH + 1);
}

static void test_errors(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        call(f, "a");
        peer_answer(f->peer, "a", NULL, 0, ERROR);
        expect_log(f, "a!Qemu");
        assert_non_null(strstr(f->text, "no way"));
        call(f, "b");
        peer_answer(f->peer, "b", NULL, 0, "{\"id\": \"$id\", \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"what\\u0000?\"}}");
        expect_log(f, "a!Qemu b!NotSupported");
        call(f, "c");
        peer_answer(f->peer, "c", NULL, 0, "{\"id\": \"$id\", \"return\": null}");
        expect_log(f, "a!Qemu b!NotSupported c!ProtocolError");
        call(f, "d");
        peer_answer(f->peer, "d", NULL, 0, "{\"id\": \"$id\", \"return\": \"7\"}");
        expect_log(f, "a!Qemu b!NotSupported c!ProtocolError d=\"7\"");
}

static void test_not_qmp(void **state) {
        static const char *const messages[] = {
                "x", "7", "\"s\"", "null", "[]", "{]", "{'a': 1}", "{\"a\": 1,}", "{} ", "{\"a\": 1}", "{\"a\": NaN}", "/* */",
                "{\"return\": {}, \"error\": {\"class\": \"a\", \"desc\": \"b\"}}",
                "{\"event\": 7, " STAMP "}", "{\"event\": \"\", " STAMP "}", "{\"event\": \"A\\u0000B\", " STAMP "}",
                "{\"event\": \"A\"}", "{\"event\": \"A\", \"timestamp\": 7}",
                "{\"event\": \"A\", \"timestamp\": {\"seconds\": \"7\", \"microseconds\": 1}}",
                "{\"event\": \"A\", \"timestamp\": {\"seconds\": 7}}",
                "{\"event\": \"A\", \"data\": 7, " STAMP "}", "{\"event\": \"A\", \"data\": null, " STAMP "}",
                "{\"error\": \"x\"}", "{\"error\": {\"class\": \"x\"}}", "{\"error\": {\"desc\": \"x\"}}",
                "{\"error\": {\"class\": 7, \"desc\": \"x\"}}", "{\"error\": {\"class\": \"x\", \"desc\": 7}}",
                GREETING,                                                                       /* a second one */
                "{\"return\": \"\xff\"}", "{\"return\": \"\xc0\x80\"}", "{\"return\": \"\xed\xa0\x80\"}", "{\"return\": \"\xf4\x90\x80\x80\"}",
                "{\"return\": \"\xe2\x82\"}", "{\"return\": \"a\nb\"}", "{\"return\": \x01 1}",
                "{\"return\": 1-2}", "{\"return\": 01}", "{\"return\": [}]}", "{\"return\"}", "{\"return\": \"\\u12\"}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++)
                for (size_t piece = 0; piece < 2; piece++) {
                        Fixture *f = *state;

                        connect_ready(f);
                        call(f, "lost");
                        peer_expect(f->peer, "lost", NULL, 0);
                        peer_set_pieces(f->peer, piece, piece);
                        peer_send(f->peer, messages[i]);
                        expect_log(f, "lost!MonitorLost closed!ProtocolError");
                        assert_int_equal(qmp_client_get_state(f->client), QMP_CLIENT_CLOSED);
                        detach(f);
                }
}

static void test_bad_greeting(void **state) {
        static const char *const messages[] = {
                "{\"QMP\": 7}", "{\"QMP\": {}}", "{\"QMP\": {\"version\": {}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": \"9\"}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": -9}}, \"capabilities\": []}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 9}}}}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++) {
                Fixture *f = *state;

                attach(f);
                peer_send(f->peer, messages[i]);
                expect_log(f, "closed!ProtocolError");
                detach(f);
        }
}

static void test_raw_nul(void **state) {
        Fixture *f = *state;

        connect_ready(f);
        peer_send_bytes(f->peer, "{\"return\": \0{}}", 14);
        expect_log(f, "closed!ProtocolError");
}

static void test_nesting(void **state) {
        Fixture *f = *state;
        g_autoptr(GString) text = g_string_new("{\"return\": ");

        for (unsigned i = 0; i < 5000; i++)
                g_string_append(text, "[");
        connect_ready(f);
        peer_send(f->peer, text->str);
        expect_log(f, "closed!ProtocolError");
}

/* size bytes in all, the last two not written yet */
static char *big_reply(const char *id, size_t size) {
        char *text = g_malloc(size + 1);
        int n = snprintf(text, size, "{\"id\": \"%s\", \"return\": \"", id);

        memset(text + n, 'x', size - n);
        strcpy(text + size - 2, "\"}");
        return text;
}

static void test_message_size(void **state) {
        Fixture *f = *state;
        g_autofree char *fits = NULL, *exceeds = NULL;

        connect_ready(f);
        fits = big_reply("nobody", QMP_CLIENT_MESSAGE_MAX);
        peer_send_bytes(f->peer, fits, strlen(fits));
        peer_send(f->peer, "{\"event\": \"MIDDLE\", " STAMP "}\r\n");
        /* counted for each message, not in all */
        peer_send_bytes(f->peer, fits, strlen(fits));
        peer_send(f->peer, "{\"event\": \"END\", " STAMP "}\r\n");
        expect_log(f, "event:MIDDLE event:END");
        exceeds = big_reply("nobody", QMP_CLIENT_MESSAGE_MAX + 1);
        peer_send_bytes(f->peer, exceeds, strlen(exceeds));
        expect_log(f, "event:MIDDLE event:END closed!ProtocolError");
        assert_non_null(strstr(f->text, "16777216"));
}

static void test_too_many_values(void **state) {
        Fixture *f = *state;
        g_autoptr(GString) text = g_string_new("{\"return\": [0");

        for (unsigned i = 0; i < 1024 * 1024; i++)
                g_string_append(text, ",0");
        connect_ready(f);
        /* counted for each message */
        for (unsigned i = 0; i < 3; i++) {
                peer_send_bytes(f->peer, text->str, 1024 * 1024 - 1);
                peer_send(f->peer, "]}");
        }
        peer_send(f->peer, "{\"event\": \"END\", " STAMP "}");
        expect_log(f, "event:END");
        peer_send(f->peer, text->str);
        expect_log(f, "event:END closed!ProtocolError");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_split_everywhere),
                TEST(test_pieces),
                TEST(test_early_events),
                TEST(test_early_events_limit),
                TEST(test_foreign_replies),
                TEST(test_ids_unique),
                TEST(test_errors),
                TEST(test_not_qmp),
                TEST(test_bad_greeting),
                TEST(test_raw_nul),
                TEST(test_nesting),
                TEST(test_message_size),
                TEST(test_too_many_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
