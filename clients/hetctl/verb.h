/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hetctl can do: one table of verbs for each verb-*.c, each ending with a verb without name. */

#include "client.h"

typedef struct Verb {
        const char *name;
        const char *arguments;          /* for the help: "PLATFORM..." */
        const char *summary;            /* a line in the list of verbs; NULL: not shown there */
        const char *help;               /* paragraphs and examples */
        int min_arguments, max_arguments;       /* -1: any number */
        const GOptionEntry *options;    /* of its own, NULL: none */
        /* arguments[0..n-1], without the verb */
        bool (*run)(Client *client, int n, char **arguments, GError **error);
        bool paged;                     /* its output may be longer than a terminal */
} Verb;

extern const Verb verbs_platform[];     /* verb-platform.c: start, stop, ... */
extern const Verb verbs_processor[];    /* verb-processor.c: boot, halt, kick, ... */
extern const Verb verbs_coredump[];     /* verb-coredump.c */
extern const Verb verbs_look[];         /* verb-look.c: list, status, describe, version */
extern const Verb verbs_console[];      /* verb-console.c */
extern const Verb verbs_monitor[];      /* verb-monitor.c */
extern const Verb verbs_log[];          /* verb-log.c */
extern const Verb verbs_top[];          /* verb-top.c */
extern const Verb verbs_graph[];        /* verb-graph.c */
extern const Verb verbs_verify[];       /* verb-verify.c */
