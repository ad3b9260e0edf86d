/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the names of Linux's own rpmsg drivers are good for:
 *   rpmsg-tty   0x400  echo, on /dev/ttyRPMSGn; a line "crash" makes the program fail, and "hang" makes it hang
 *   rpmsg-raw   0x401  echo, for rpmsg_char: /dev/rpmsgN
 *   rpmsg-ping  0x402  "ping…" is answered with "pong…"
 */

#include "application.h"
#include "text.h"

static void echo(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        rpmsg_send(service, source, data, size);
}

static void terminal(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        Text text = { data, size };

        if (text_take_word(&text, "crash") && text_is_empty(&text)) {
                print("crashing, as told\n");
                __builtin_trap();       /* an undefined instruction */
        }
        text = (Text) { data, size };
        if (text_take_word(&text, "hang") && text_is_empty(&text)) {
                print("hanging, as told\n");
                for (;;)
                        ;
        }
        echo(service, source, data, size);
}

static void ping(const RpmsgService *service, uint32_t source, char *data, size_t size) {
        if (size < 4 || data[0] != 'p' || data[1] != 'i' || data[2] != 'n' || data[3] != 'g')
                return;
        data[1] = 'o';
        rpmsg_send(service, source, data, size);
}

static const RpmsgService services[] = {
        { "rpmsg-tty", 0x400, terminal },
        { "rpmsg-raw", 0x401, echo },
        { "rpmsg-ping", 0x402, ping },
};

const Application application = {
        .name = "rpmsg firmware",
        APPLICATION_SERVICES(services),
};
