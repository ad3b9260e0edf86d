/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A motor controller: the service "motor" at 0x600. Commands, one a message, and what it answers:
 *   speed N       ok; from now on the motor gets faster or slower until it makes N turns a second, at most 100
 *   status        speed 40 of 55
 *   jam           nothing: somebody holds the shaft. The controller cannot go on, and fails
 *
 * The motor is a number in this program, which changes by one turn a second each 10 ms.
 */

#include "application.h"
#include "text.h"

#define TICK_MS         10u
#define SPEED_MAX       100u

static unsigned speed, wanted;

/* False: it is none */
static bool obey(Text text, Answer *answer) {
        unsigned number;

        if (text_take_word(&text, "speed")) {
                if (!text_take_number(&text, SPEED_MAX, &number) || !text_is_empty(&text))
                        return false;
                wanted = number;
                print("motor: speed %u is wanted\n", wanted);
                answer_add(answer, "ok\n");
                return true;
        }
        if (text_take_word(&text, "status") && text_is_empty(&text)) {
                answer_add(answer, "speed ");
                answer_add_number(answer, speed);
                answer_add(answer, " of ");
                answer_add_number(answer, wanted);
                answer_add(answer, "\n");
                return true;
        }
        if (text_take_word(&text, "jam") && text_is_empty(&text))
                fail("the motor takes too much current");
        return false;
}

static void command(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        Answer answer = { .size = 0 };

        if (!obey((Text) { data, size }, &answer))
                answer_add(&answer, "error: speed 0 to 100, status, or jam\n");
        rpmsg_send(service, source, answer.data, answer.size);
}

static void tick(void) {
        if (speed < wanted)
                speed++;
        else if (speed > wanted)
                speed--;
}

static const RpmsgService services[] = {
        { "motor", 0x600, command },
};

const Application application = {
        .name = "motor controller",
        APPLICATION_SERVICES(services),
        .tick = tick,
        .tick_ms = TICK_MS,
};
