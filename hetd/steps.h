/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QMP commands to one or more processors, one after the other. */

#include "gather.h"
#include "processor.h"

typedef struct Steps Steps;

Steps *steps_new(DoneFunc done, void *userdata);
/* fds are duplicated. tolerant: its failure is a line in the log, and the next command is sent all the same. */
void steps_add(Steps *steps, Processor *p, bool tolerant, const char *command, json_object *arguments_consume,
               const QmpClientFd *fds, size_t n_fds);
/* For steps that will not be run; done is not called */
void steps_free(Steps *steps);
/*
 * Sends the first; done is told when all were answered, or which was the first to fail. Nothing is sent if one of their fds could not
 * be duplicated: what a step takes away another one would not give back. The steps free themselves.
 */
void steps_run(Steps *steps);
/* Of steps that run: the command that was sent is the last one, and what comes of it is that they were canceled */
void steps_cancel(Steps *steps);
