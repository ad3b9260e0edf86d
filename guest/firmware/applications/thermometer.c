/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A temperature sensor: the service "thermometer" at 0x500. Commands, one a message, and what it answers:
 *   read          21.4
 *   watch N       the next N readings, one every 100 ms; N up to 1000, 0 ends it
 *
 * There is no sensor on the board, so there is a room instead: it is warm by day and cool by night, and a day has 20
 * seconds. Temperatures are in tenths of a degree.
 */

#include "application.h"
#include "text.h"

#define TICK_MS         100u
#define DAY             200u            /* ticks */
#define COLDEST         180u
#define WATCH_MAX       1000u

static unsigned now;                    /* the time of day */

/* Who watches: one at a time, the last that has asked */
static struct {
        const RpmsgService *service;
        uint32_t address;
        unsigned left;
} watcher;

static unsigned temperature(void) {
        return COLDEST + (now < DAY / 2 ? now : DAY - now);
}

static bool send_reading(const RpmsgService *service, uint32_t destination) {
        Answer answer = { .size = 0 };

        answer_add_number(&answer, temperature() / 10);
        answer_add(&answer, ".");
        answer_add_number(&answer, temperature() % 10);
        answer_add(&answer, "\n");
        return rpmsg_send(service, destination, answer.data, answer.size);
}

static void command(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        static const char help[] = "error: read, or watch 0 to 1000\n";
        Text read = { data, size }, watch = read;
        unsigned count;

        if (text_take_word(&read, "read") && text_is_empty(&read)) {
                send_reading(service, source);
        } else if (text_take_word(&watch, "watch") && text_take_number(&watch, WATCH_MAX, &count) && text_is_empty(&watch)) {
                watcher.service = service;
                watcher.address = source;
                watcher.left = count;
                print("thermometer: 0x%x watches, %u readings\n", (unsigned) source, count);
        } else
                rpmsg_send(service, source, help, sizeof(help) - 1);
}

static void tick(void) {
        now = (now + 1) % DAY;
        /* Linux may be late in taking them; then the reading waits for the next tick. */
        if (watcher.left > 0 && send_reading(watcher.service, watcher.address))
                watcher.left--;
}

static void gone(void) {
        watcher.left = 0;
}

static const RpmsgService services[] = {
        { "thermometer", 0x500, command },
};

const Application application = {
        .name = "thermometer",
        APPLICATION_SERVICES(services),
        .gone = gone,
        .tick = tick,
        .tick_ms = TICK_MS,
};
