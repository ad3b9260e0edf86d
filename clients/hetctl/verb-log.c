/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* log: what the consoles of several processors print, side by side: each line with the name of who printed it. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus-json.h"
#include "console-log.h"
#include "loop.h"
#include "objects.h"
#include "text.h"
#include "util/fd-util.h"
#include "verb.h"

#define LINES_DEFAULT   10
#define LINE_MAX_SIZE   4096U           /* longer ones are shown in pieces: a guest may print anything */

static gboolean option_follow;
static int option_lines = LINES_DEFAULT;

static const GOptionEntry log_options[] = {
        { "lines", 'n', 0, G_OPTION_ARG_INT, &option_lines, "Lines of each that were printed before (default 10; 0: all)", "N" },
        { "follow", 'f', 0, G_OPTION_ARG_NONE, &option_follow, "Go on with what is printed from now on", NULL },
        {}
};

typedef struct Log Log;

/* One console's file */
typedef struct Source {
        Log *log;
        char *name, *path;
        Color color;
        int fd;
        sd_event_source *changes;
        GString *line;                  /* that has no end yet */
} Source;

struct Log {
        Client *client;
        sd_event *event;
        GPtrArray *sources;             /* of Source* */
        unsigned open;                  /* of them */
        size_t width;                   /* of the widest name */
};

static void source_free(void *data) {
        Source *s = data;

        sd_event_source_disable_unref(s->changes);
        fd_close(s->fd);
        g_string_free(s->line, TRUE);
        g_free(s->name);
        g_free(s->path);
        g_free(s);
}

static void print_line(Source *s) {
        const Log *log = s->log;
        g_autofree char *text = text_clean(s->line->str);
        bool color = log->client->color_out && s->color != COLOR_NONE;

        if (log->client->json != JSON_OFF) {
                g_autoptr(json_object) object = json_object_new_object();

                json_add_string(object, "processor", s->name);
                json_add_string(object, "line", g_strchomp(text));
                json_print(object, JSON_SHORT);
        } else
                printf("%s%*s |%s %s\n", color ? text_color(s->color) : "", (int) log->width, s->name,
                       color ? text_color(COLOR_NONE) : "", g_strchomp(text));
        g_string_truncate(s->line, 0);
}

/* All that is there by now; a NUL would end the line for who prints it */
static int read_new(Source *s) {
        char block[16384];
        ssize_t n;

        while ((n = read(s->fd, block, sizeof(block))) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        if (block[i] == '\n' || s->line->len >= LINE_MAX_SIZE)
                                print_line(s);
                        if (block[i] != '\n' && block[i] != '\0')
                                g_string_append_c(s->line, block[i]);
                }

        fflush(stdout);
        return n < 0 ? -errno : 0;
}

static void finish(Source *s) {
        if (s->line->len > 0)
                print_line(s);
        s->changes = sd_event_source_disable_unref(s->changes);
        if (--s->log->open == 0)
                (void) sd_event_exit(s->log->event, 0);
}

/* Removed: its platform was started again, and what comes goes to a new one */
static bool is_gone(const Source *s) {
        struct stat st;

        return fstat(s->fd, &st) < 0 || st.st_nlink == 0;
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Source *s = userdata;
        int r = read_new(s);

        if (r >= 0 && (event->mask & IN_ATTRIB) && is_gone(s))
                finish(s);
        return r;
}

static bool begin(Source *s, GError **error) {
        uint64_t offset = 0;
        int r;

        s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (s->fd < 0)
                return failure_from_errno(error, errno, s->path);

        /* First listen, then look: nothing is missed in between */
        r = option_follow ? sd_event_add_inotify(s->log->event, &s->changes, s->path, IN_MODIFY | IN_ATTRIB, on_change, s) : 0;
        if (r >= 0)
                r = console_log_find_tail(s->fd, (uint64_t) option_lines, &offset);
        if (r >= 0)
                r = lseek(s->fd, (off_t) offset, SEEK_SET) < 0 ? -errno : read_new(s);

        s->log->open++;
        return r >= 0 || failure_from_errno(error, r, s->path);
}

static void add_source(Log *log, const Processor *processor) {
        static const Color colors[] = { COLOR_CYAN, COLOR_GREEN, COLOR_YELLOW, COLOR_BOLD };
        const char *path = json_get_string(processor->properties, "ConsoleLog");
        Source *s;

        /* Attached by somebody who did not tell, or never started */
        if (!*path || (access(path, F_OK) < 0 && errno == ENOENT))
                return;

        s = g_new0(Source, 1);
        s->log = log;
        s->name = g_strdup(processor_name(processor));
        s->path = g_strdup(path);
        s->color = colors[log->sources->len % G_N_ELEMENTS(colors)];
        s->fd = -EBADF;
        s->line = g_string_new(NULL);
        log->width = MAX(log->width, strlen(s->name));
        g_ptr_array_add(log->sources, s);
}

static bool choose(Log *log, const Objects *objects, const char *name, GError **error) {
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (!objects_resolve(objects, name, &platform, &processor, error))
                return false;

        if (processor)
                add_source(log, processor);
        for (guint i = 0; platform && i < platform->processors->len; i++)
                add_source(log, g_ptr_array_index(platform->processors, i));
        return true;
}

static bool show(Log *log, GError **error) {
        int r = loop_new(NULL, NULL, &log->event);

        for (guint i = 0; r >= 0 && i < log->sources->len; i++)
                if (!begin(g_ptr_array_index(log->sources, i), error))
                        return false;

        if (option_follow && r >= 0)
                r = sd_event_loop(log->event);
        else
                for (guint i = 0; r >= 0 && i < log->sources->len; i++)
                        finish(g_ptr_array_index(log->sources, i));

        return r >= 0 || failure_from_errno(error, r, "reading the logs of the consoles failed");
}

static bool verb_log(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(source_free);
        g_autoptr(Objects) objects = NULL;
        Log log = { .client = client, .sources = sources };
        bool ok = true;

        if (option_lines < 0)
                return failure_usage(error, "log", "--lines=%d: it is a number of lines, or 0 for all.", option_lines);
        if (!client_need_local(client, "A console", error) || !objects_load(client, &objects, error))
                return false;

        for (int i = 0; ok && i < n; i++)
                ok = choose(&log, objects, arguments[i], error);
        if (ok && sources->len == 0)
                ok = failure(error, EXIT_WRONG_STATE, "'hetctl status' shows the states.", "None of them has printed anything yet.");
        ok = ok && show(&log, error);

        g_ptr_array_set_size(sources, 0);
        sd_event_unref(log.event);
        return ok;
}

const Verb verbs_log[] = {
        { "log", "PLATFORM|PROCESSOR...", "Show what consoles print, each line with its processor's name",
          "Of a platform all of its processors are shown. It reads hetd's logs of the consoles, so it takes no console\n"
          "away from anybody; 'hetctl console' is for typing. With --follow it ends when it is interrupted, or the\n"
          "platform is started again. With --json each line is an object: processor, line.\n"
          "\n"
          "Examples:\n"
          "  hetctl log first-light --lines=0\n"
          "  hetctl log first-light/master first-light/slave2 --follow",
          1, -1, log_options, verb_log },
        {}
};
