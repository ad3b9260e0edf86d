/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Measures round trips: an interrupt to the peer, which answers with one. The same for every transport, so that their
 * numbers compare. The side that measures sleeps (WFI) while it waits; the other one does so unless it is told to be awake.
 */

typedef struct PingPongTransport {
        const char *name;               /* for the result line */
        void (*ping)(void);             /* interrupts the peer */
} PingPongTransport;

/* By the interrupt handler of the transport, when the peer has answered */
void ping_pong_answered(void);

/*
 * Waits for the peer, measures once, then once more for each line "run LABEL [COUNT [PAUSE]]" on the console: COUNT
 * round trips (10,000), and the guest computes for PAUSE microseconds (0) before each. A measurement gives one line, in nanoseconds (label "start" for the first, and for
 * "run" alone):
 *   bench: result transport=… label=… n=… min_ns=… p50_ns=… p99_ns=… max_ns=…
 * or, if answers fail to come:
 *   bench: error transport=… label=… answers=… n=…
 */
_Noreturn void ping_pong_run(const PingPongTransport *transport);

/*
 * The other side, whose interrupt handlers answer. It says "bench: answering, …" when it is ready, and "bench: awake" or
 * "bench: asleep" for a line of that word on its console: whether its CPU runs or is halted when a ping comes.
 */
_Noreturn void ping_pong_answer(const char *transport);
