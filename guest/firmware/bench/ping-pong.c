/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The measuring side of the ping-pong. */

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "console.h"
#include "irq.h"
#include "ping-pong.h"
#include "timer.h"

#define WARM_UP         10u             /* one in so many is for that, before those that count */
#define ROUND_TRIPS     10000u
#define NS_PER_S        1000000000u
#define US_PER_S        1000000u
/* In parts of a second: */
#define RETRY           100u            /* until the peer answers for the first time, ping as often */
#define SETTLE          10u             /* no answer for so long: all those pings are answered */
#define GIVE_UP_S       100u            /* for a whole measurement */

static volatile bool answered, expired, requested;
static unsigned count = ROUND_TRIPS, pause_us;
static char label[32] = "start";
static uint32_t samples[ROUND_TRIPS];

void ping_pong_answered(void) {
        answered = true;
}

static void timer_interrupt(void) {
        timer_stop();
        expired = true;
}

static void set_deadline(uint64_t ticks) {
        expired = false;
        timer_start(timer_now() + ticks);
}

static bool wait_answer(void) {
        while (!answered && !expired)
                irq_wait();
        return answered;
}

static void connect(const PingPongTransport *transport) {
        /* Pings are lost while the peer is not set up, and it has no other way to say that it is. */
        do {
                answered = false;
                set_deadline(timer_frequency() / RETRY);
                transport->ping();
        } while (!wait_answer());

        do {
                answered = false;
                set_deadline(timer_frequency() / SETTLE);
        } while (wait_answer());
        timer_stop();
}

static bool round_trip(const PingPongTransport *transport, uint32_t *ret_ticks) {
        uint64_t pause = (uint64_t) pause_us * timer_frequency() / US_PER_S, start = timer_now();

        while (timer_now() - start < pause)
                ;
        answered = false;
        start = timer_now();
        transport->ping();
        if (!wait_answer())
                return false;
        *ret_ticks = (uint32_t) (timer_now() - start);
        return true;
}

/* Shell sort: short, and quick enough for some thousand numbers */
static void sort(uint32_t *numbers, unsigned n) {
        for (unsigned gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
                for (unsigned i = gap; i < n; i++) {
                        uint32_t number = numbers[i];
                        unsigned k;

                        for (k = i; k >= gap && numbers[k - gap] > number; k -= gap)
                                numbers[k] = numbers[k - gap];
                        numbers[k] = number;
                }
}

static unsigned nanoseconds(unsigned sample) {
        return (unsigned) ((uint64_t) samples[sample] * NS_PER_S / timer_frequency());
}

static void report(const PingPongTransport *transport) {
        sort(samples, count);
        print("bench: result transport=%s label=%s n=%u min_ns=%u p50_ns=%u p99_ns=%u max_ns=%u\n", transport->name, label, count,
              nanoseconds(0), nanoseconds(count / 2), nanoseconds(count / 100 * 99), nanoseconds(count - 1));
}

static void measure(const PingPongTransport *transport) {
        unsigned warm_ups = count / WARM_UP;
        uint32_t warm_up;

        set_deadline((uint64_t) timer_frequency() * GIVE_UP_S);
        for (unsigned i = 0; i < warm_ups + count; i++)
                if (!round_trip(transport, i < warm_ups ? &warm_up : &samples[i - warm_ups])) {
                        print("bench: error transport=%s label=%s answers=%u n=%u\n", transport->name, label, i, warm_ups + count);
                        return;
                }
        timer_stop();
        report(transport);
}

static char *skip_spaces(char *p) {
        while (*p == ' ')
                p++;
        return p;
}

/* Up to a space */
static char *take_label(char *p) {
        unsigned i;

        if (!*p)
                return p;
        for (i = 0; i < sizeof(label) - 1 && *p && *p != ' '; i++)
                label[i] = *p++;
        label[i] = '\0';
        return p;
}

static unsigned take_number(char **p, unsigned otherwise) {
        unsigned number = 0;
        char *start = *p = skip_spaces(*p);

        for (; **p >= '0' && **p <= '9'; ++*p)
                number = number * 10 + (unsigned) (**p - '0');
        return *p > start ? number : otherwise;
}

/* "run LABEL COUNT PAUSE" */
static void command(char *line) {
        static const char run[] = "run";
        unsigned i;

        for (i = 0; run[i]; i++)
                if (line[i] != run[i])
                        return;
        line = take_label(skip_spaces(line + i));
        count = take_number(&line, ROUND_TRIPS);
        if (count < 1 || count > ROUND_TRIPS)
                count = ROUND_TRIPS;
        pause_us = take_number(&line, 0);
        requested = true;
}

void ping_pong_run(const PingPongTransport *transport) {
        irq_enable(BOARD_TIMER_IRQ, IRQ_LEVEL, timer_interrupt);
        print("bench: waiting for the peer, transport=%s\n", transport->name);
        connect(transport);
        for (;;) {
                measure(transport);
                console_listen(command);
                for (requested = false; !requested;)
                        irq_wait();
        }
}
