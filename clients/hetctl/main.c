/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hetctl: the command line of hetd. Options that concern all verbs, help, and which verb it is. */

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pager.h"
#include "text.h"
#include "util/parse.h"
#include "verb.h"

#define TIMEOUT_DEFAULT_USEC    (120 * (uint64_t) G_USEC_PER_SEC)

static gboolean option_help, option_version, option_user, option_system, option_quiet, option_no_ask_password, option_no_pager;
static char *option_json, *option_timeout, *option_host;

static const GOptionEntry common_options[] = {
        { "user", 0, 0, G_OPTION_ARG_NONE, &option_user, "Talk to the hetd of this user (default unless root)", NULL },
        { "system", 0, 0, G_OPTION_ARG_NONE, &option_system,
          "Talk to the hetd of the system (default for root)", NULL },
        { "host", 'H', 0, G_OPTION_ARG_STRING, &option_host,
          "Talk to the hetd of the system of another host, by ssh", "[USER@]HOST" },
        { "json", 'j', 0, G_OPTION_ARG_STRING, &option_json,
          "Print JSON: short, pretty or off; -j and --json alone are pretty", "FORMAT" },
        { "timeout", 't', 0, G_OPTION_ARG_STRING, &option_timeout,
          "Longest wait for hetd: 30, 500ms, 2min, infinity (default 2min)", "TIME" },
        { "no-pager", 0, 0, G_OPTION_ARG_NONE, &option_no_pager, "Do not show long output in $SYSTEMD_PAGER, $PAGER or less", NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &option_quiet, "Print errors and asked-for data only", NULL },
        { "no-ask-password", 0, 0, G_OPTION_ARG_NONE, &option_no_ask_password, "Do not ask for a password that polkit may want", NULL },
        { "help", 'h', 0, G_OPTION_ARG_NONE, &option_help, "Print this help, or the help of a verb", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &option_version, "Print the version of hetctl", NULL },
        {}
};

static const struct {
        const char *title;
        const Verb *verbs;
} groups[] = {
        { "Platforms", verbs_platform },
        { "Processors", verbs_processor },
        { "Look", verbs_look },
        { NULL, verbs_console },
        { NULL, verbs_log },
        { NULL, verbs_coredump },
        { NULL, verbs_monitor },
        { NULL, verbs_top },
        { NULL, verbs_graph },
        { NULL, verbs_verify },
};

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
                for (const Verb *verb = groups[i].verbs; verb->name; verb++)
                        if (strcmp(verb->name, name) == 0)
                                return verb;

        return NULL;
}

static void print_options(const GOptionEntry *entries) {
        for (const GOptionEntry *entry = entries; entry->long_name; entry++) {
                g_autofree char *name = g_strdup_printf("%s%s%s", entry->long_name, entry->arg_description ? "=" : "",
                                                        entry->arg_description ? entry->arg_description : "");

                if (entry->short_name)
                        printf("  -%c, --%-22s %s\n", entry->short_name, name, entry->description);
                else
                        printf("      --%-22s %s\n", name, entry->description);
        }
}

static void print_help(void) {
        printf("Usage: hetctl [OPTION...] VERB [ARGUMENT...]\n"
               "\n"
               "Controls hetd, which runs heterogeneous platforms: a master QEMU and its slaves, which share\n"
               "memory and interrupts.\n");

        for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
                if (groups[i].title)
                        printf("\n%s:\n", groups[i].title);
                for (const Verb *verb = groups[i].verbs; verb->name; verb++) {
                        g_autofree char *left = g_strdup_printf("%s %s", verb->name, verb->arguments);

                        if (verb->summary)
                                printf("  %-30s %s\n", left, verb->summary);
                }
        }

        printf("\nPROCESSOR is PLATFORM/PROCESSOR, or the processor's name alone where there is one of that name.\n"
               "\nOptions:\n");
        print_options(common_options);
        printf("\n"
               "A first session:\n"
               "  hetd --user &                                 # as root: systemctl start hetd\n"
               "  hetctl start first-light.platform --set FIRMWARE_DIR=build/guest/firmware\n"
               "  hetctl status                                 # who is there, and what does it do?\n"
               "  hetctl boot first-light/slave2                # load its firmware, let it run\n"
               "  hetctl console first-light/slave2 --history   # what did it print? (Ctrl-] leaves)\n"
               "  hetctl kick first-light/slave2 3              # an interrupt from its master\n"
               "  hetctl stop first-light\n"
               "\n"
               "'hetctl VERB --help' tells more of a verb, 'man hetctl' of all, with the exit statuses.\n");
}

static void print_verb_help(const Verb *verb) {
        printf("Usage: hetctl %s%s%s%s\n\n%s.\n\n%s\n", verb->name, verb->options ? " [OPTION...]" : "",
               *verb->arguments ? " " : "", verb->arguments, verb->summary ? verb->summary : verb->name, verb->help);
        if (verb->options) {
                printf("\nOptions of %s:\n", verb->name);
                print_options(verb->options);
        }
        printf("\nOptions of all verbs:\n");
        print_options(common_options);
}

/* GLib leaves the first "--" where something behind it begins with a dash */
static void drop_separator(int *argc, char **argv) {
        for (int i = 1; i < *argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        memmove(&argv[i], &argv[i + 1], (size_t) (*argc - i) * sizeof(char *));
                        (*argc)--;
                        return;
                }
}

/* Takes the options out of argv. verb NULL: only those before the verb. */
static bool parse_options(int *argc, char ***argv, const Verb *verb, GError **error) {
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GError) e = NULL;

        g_option_context_set_help_enabled(context, FALSE);
        g_option_context_add_main_entries(context, common_options, NULL);
        if (verb && verb->options)
                g_option_context_add_main_entries(context, verb->options, NULL);
        g_option_context_set_strict_posix(context, !verb);

        if (!g_option_context_parse(context, argc, argv, &e))
                return failure_usage(error, verb ? verb->name : NULL, "%s.", e->message);

        if (verb)
                drop_separator(argc, *argv);
        return true;
}

static bool may_color(int fd) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *colors = getenv("SYSTEMD_COLORS");
        bool wanted;

        if (colors && parse_boolean(colors, &wanted) >= 0)
                return wanted;

        return isatty(fd) && !(no_color && *no_color) && g_strcmp0(term, "dumb") != 0;
}

static bool set_up_client(Client *client, GError **error) {
        if (option_user && option_system)
                return failure_usage(error, NULL, "--user and --system exclude each other.");

        if (option_user && option_host)
                return failure_usage(error, NULL, "--user and --host exclude each other: it is the system's hetd of the host.");

        client->host = option_host;
        client->system = option_system || option_host || (!option_user && geteuid() == 0);
        client->quiet = option_quiet;
        client->ask_password = !option_no_ask_password && isatty(STDIN_FILENO);
        client->timeout_usec = TIMEOUT_DEFAULT_USEC;
        client->color_out = may_color(STDOUT_FILENO);
        client->color_err = may_color(STDERR_FILENO);

        return (!option_json || arguments_parse_json(option_json, &client->json, error)) &&
               (!option_timeout || arguments_parse_timeout(option_timeout, &client->timeout_usec, error));
}

static bool check_count(const Verb *verb, int n, GError **error) {
        if (n < verb->min_arguments)
                return failure_usage(error, verb->name, "%s wants %s.", verb->name, verb->arguments);
        if (verb->max_arguments >= 0 && n > verb->max_arguments)
                return failure_usage(error, verb->name, "%s takes %s: %d arguments are too many.", verb->name,
                                     *verb->arguments ? verb->arguments : "none", n);

        return true;
}

/* The verb that argv begins with, and argv behind it; "help VERB" is "VERB --help". NULL: none was named. */
static bool take_verb(int *argc, char ***argv, const Verb **ret, GError **error) {
        *ret = NULL;
        if (*argc > 1 && strcmp((*argv)[1], "help") == 0) {
                option_help = TRUE;
                (*argc)--;
                (*argv)++;
        }
        if (*argc < 2)
                return true;

        (*argc)--;
        (*argv)++;
        *ret = find_verb(**argv);
        return *ret || failure_usage(error, NULL, "There is no verb '%s'.", **argv);
}

static bool run(Client *client, int argc, char **argv, GError **error) {
        const Verb *verb;

        arguments_expand_json(argc, argv);
        if (!parse_options(&argc, &argv, NULL, error) || !take_verb(&argc, &argv, &verb, error) ||
            (verb && !parse_options(&argc, &argv, verb, error)))
                return false;

        if (option_version) {
                puts("hetctl " HET_VERSION);
                return true;
        }
        if (!option_help && !verb)
                return failure_usage(error, NULL, "A verb is wanted, such as 'hetctl status'.");
        if (!option_help && (!check_count(verb, argc - 1, error) || !set_up_client(client, error)))
                return false;

        /* Behind it standard output is no terminal any more */
        if (!option_no_pager && (option_help || verb->paged))
                pager_open();
        if (!option_help)
                return verb->run(client, argc - 1, argv + 1, error);

        if (verb)
                print_verb_help(verb);
        else
                print_help();
        return true;
}

/* The message, with what may be done next on lines of its own */
static void print_error(const GError *error) {
        bool color = may_color(STDERR_FILENO);
        g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);

        for (char **line = lines; *line; line++) {
                g_autofree char *clean = text_clean(*line);

                fprintf(stderr, line == lines ? color ? "hetctl: \033[31m%s\033[0m\n" : "hetctl: %s\n" : "        %s\n",
                        clean);
        }
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;
        Client client = {};
        bool ok;

        setlocale(LC_ALL, "");
        ok = run(&client, argc, argv, &error);
        client_close(&client);
        if (pager_close() && ok)
                return EXIT_OK;         /* whether all was written is the user's choice */

        if (!ok) {
                fflush(stdout);
                print_error(error);
                return error->code;
        }
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fputs("hetctl: writing the output failed\n", stderr);
                return EXIT_FAILED;
        }
        return EXIT_OK;
}
