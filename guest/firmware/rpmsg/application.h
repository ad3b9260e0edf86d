/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A slave for a Linux master in one C file. It has its services and says what they are:
 *
 *      static void echo(const RpmsgService *service, uint32_t source, char *data, size_t size) {
 *              rpmsg_send(service, source, data, size);
 *      }
 *
 *      static const RpmsgService services[] = {
 *              { "rpmsg-tty", 0x400, echo },
 *      };
 *
 *      const Application application = {
 *              .name = "echo",
 *              APPLICATION_SERVICES(services),
 *      };
 *
 * scripts/firmware makes a program of it. Everything else (start, interrupts, the resource table, rings, the log) comes
 * from the files beside this one; main.c has the loop in which all functions of an application are called, one at a
 * time. What an application can use:
 *
 *      rpmsg_send()            rpmsg.h: at any time, not only as an answer
 *      print()                 console.h: on the UART, and in the log that Linux shows as trace0
 *      fail()                  fault.h: gives up, which Linux notices
 *      memcpy(), memset()      string.h
 *      text.h                  commands that people have typed, and answers
 *
 * There is no C library.
 */

#include "console.h"
#include "fault.h"
#include "rpmsg.h"
#include "string.h"

typedef struct Application {
        const char *name;               /* for the log */
        const RpmsgService *services;
        unsigned service_count;
        void (*gone)(void);             /* as for rpmsg_init(); may be NULL */
        void (*tick)(void);             /* called again and again; may be NULL */
        unsigned tick_ms;               /* how often: 1 to TICK_MS_MAX */
} Application;

#define APPLICATION_SERVICES(array) .services = (array), .service_count = sizeof(array) / sizeof((array)[0])

/* By the application */
extern const Application application;
