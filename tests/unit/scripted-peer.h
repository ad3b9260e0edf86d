/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The other end of a QMP connection, on the loop of the test: a list of steps, each of which waits for a command, or writes. What
 * comes out of turn, and a step that is left over, fails the test. Reads one byte at a time as QEMU does, so an fd is seen with the
 * very byte that carried it.
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

typedef struct ScriptedPeer ScriptedPeer;

ScriptedPeer *peer_new(sd_event *event, int *ret_client_fd);
ScriptedPeer *peer_new_fd(sd_event *event, int fd_consume);
void peer_finish(ScriptedPeer *peer);           /* fails on leftovers; frees */

/*
 * Waits for a command. arguments is JSON or NULL for none; in it the string "*" takes any string and remembers it, "$0" is the first
 * one that was remembered. n_fds have to come with the first byte.
 */
void peer_expect(ScriptedPeer *peer, const char *command, const char *arguments, unsigned n_fds);

/* Writes text. $id is the id of the last command, $0 that of the first one and so on. */
void peer_send(ScriptedPeer *peer, const char *text);
void peer_send_bytes(ScriptedPeer *peer, const void *bytes, size_t size);

void peer_hold(ScriptedPeer *peer);             /* waits for peer_continue() */
void peer_close(ScriptedPeer *peer);

/* expect + send, the usual pair */
void peer_answer(ScriptedPeer *peer, const char *command, const char *arguments, unsigned n_fds, const char *text);
/* greeting, qmp_capabilities, its reply */
void peer_negotiate(ScriptedPeer *peer);

/* All text is written in pieces: the first of so many bytes, the others of so many; one a loop turn. 0: no limit. */
void peer_set_pieces(ScriptedPeer *peer, size_t first, size_t others);
void peer_continue(ScriptedPeer *peer);
bool peer_is_held(ScriptedPeer *peer);
void peer_stop_reading(ScriptedPeer *peer);
void peer_start_reading(ScriptedPeer *peer);

unsigned peer_n_commands(ScriptedPeer *peer);
const char *peer_id(ScriptedPeer *peer, unsigned i);
int peer_last_fd(ScriptedPeer *peer);           /* borrowed, negative when there was none */
