/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The daemon: options, signals, and the order in which things begin and end. */

#include "adopt.h"
#include "bus.h"
#include "fd-store.h"
#include "log.h"
#include "manager.h"
#include "notify.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_WORDS_USEC (2 * (int64_t) G_USEC_PER_SEC)

typedef struct Options {
        gboolean user, system, version, keep, units;
        char *runtime_directory, *firmware_directory, *log_level;
        char **directories, **qemu, **quotas;
} Options;

static void options_clear(Options *o) {
        g_free(o->runtime_directory);
        g_free(o->firmware_directory);
        g_free(o->log_level);
        g_strfreev(o->directories);
        g_strfreev(o->qemu);
        g_strfreev(o->quotas);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* --- options --- */

static bool options_parse(Options *o, int *argc, char ***argv, GError **error) {
        const GOptionEntry entries[] = {
                { "user", 0, 0, G_OPTION_ARG_NONE, &o->user, "Be on the session bus (the default when not root)", NULL },
                { "system", 0, 0, G_OPTION_ARG_NONE, &o->system, "Be on the system bus (the default for root)", NULL },
                { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->runtime_directory,
                  "Where sockets and logs are (/run/hetd, or hetd in $XDG_RUNTIME_DIR)", "DIR" },
                { "platform-dir", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->directories,
                  "Where to look for platform files, instead of the usual places; may be repeated", "DIR" },
                { "qemu", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->qemu,
                  "The QEMU binary for a target, e.g. arm=/opt/qemu-het/bin/qemu-system-arm; may be repeated", "TARGET=PATH" },
                { "firmware-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->firmware_directory,
                  "What ${FIRMWARE_DIR} is in platform files", "DIR" },
                { "quota", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->quotas,
                  "How much each user may have: platforms (64), processors (1024), memory (infinity), jobs (16), calls (128); may be repeated",
                  "KIND=N" },
                { "units", 0, 0, G_OPTION_ARG_NONE, &o->units,
                  "Have systemd start each QEMU, as an instance of the unit het-processor@.service", NULL },
                { "keep", 0, 0, G_OPTION_ARG_NONE, &o->keep, "Leave the platforms running at the end, for the next hetd", NULL },
                { "log-level", 0, 0, G_OPTION_ARG_STRING, &o->log_level, "debug, info, notice, warning or err (info)", "LEVEL" },
                { "version", 0, 0, G_OPTION_ARG_NONE, &o->version, "Say which version this is", NULL },
                {},
        };
        g_autoptr(GOptionContext) context = g_option_context_new("- the daemon of heterogeneous QEMU platforms");

        g_option_context_add_main_entries(context, entries, NULL);
        g_option_context_set_summary(context, "Starts and connects the QEMU processes of heterogeneous platforms, and is asked to do so on "
                                     "D-Bus (org.hetd1).\nhetctl is its command line.");
        if (!g_option_context_parse(context, argc, argv, error))
                return false;

        if (*argc > 1) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "Unknown argument %s", (*argv)[1]);
                return false;
        }

        if (o->user && o->system) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "Either --user or --system");
                return false;
        }

        if (!o->user && !o->system)
                o->user = geteuid() != 0;
        return true;
}

static char *absolute(const char *path) {
        return path ? g_canonicalize_filename(path, NULL) : NULL;
}

static bool parse_qemu(char **list, GHashTable *to, GError **error) {
        for (char **s = list; s && *s; s++) {
                const char *equals = strchr(*s, '=');

                if (!equals || equals == *s || !equals[1]) {
                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--qemu=%s: it must be TARGET=PATH", *s);
                        return false;
                }

                g_hash_table_insert(to, g_strndup(*s, (gsize) (equals - *s)), absolute(equals + 1));
        }

        return true;
}

/* They are told on D-Bus, which has nothing but UTF-8 */
static bool check_paths(const ManagerOptions *options, GError **error) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new();
        GHashTableIter iter;
        char *qemu;

        g_ptr_array_add(paths, options->runtime_directory);
        if (options->firmware_directory)
                g_ptr_array_add(paths, options->firmware_directory);
        for (char **d = options->directories; *d; d++)
                g_ptr_array_add(paths, *d);
        g_hash_table_iter_init(&iter, options->qemu);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &qemu))
                g_ptr_array_add(paths, qemu);

        for (guint i = 0; i < paths->len; i++)
                if (!g_utf8_validate(paths->pdata[i], -1, NULL)) {
                        g_autofree char *shown = g_filename_display_name(paths->pdata[i]);

                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "The path %s is not UTF-8, name another", shown);
                        return false;
                }

        return true;
}

static bool parse_quotas(char **list, QuotaLimits *to, GError **error) {
        quota_limits_set_defaults(to);
        for (char **s = list; s && *s; s++)
                if (!quota_limits_parse(to, *s, error)) {
                        g_prefix_error(error, "--quota=: ");
                        return false;
                }

        return true;
}

static bool manager_options(const Options *o, QuotaLimits *quotas, ManagerOptions *ret, GError **error) {
        GHashTable *qemu = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        const char *runtime = g_getenv("RUNTIME_DIRECTORY");    /* RuntimeDirectory= of a unit */

        if (!parse_qemu(o->qemu, qemu, error) || !parse_quotas(o->quotas, quotas, error)) {
                g_hash_table_unref(qemu);
                return false;
        }

        ret->qemu = qemu;
        ret->polkit = !o->user;
        ret->units = o->units;
        ret->quotas = quotas;
        ret->firmware_directory = absolute(o->firmware_directory);
        ret->directories = o->directories ? g_strdupv(o->directories) : platform_config_get_directories(o->user);
        for (char **d = ret->directories; *d; d++) {
                char *path = absolute(*d);

                g_free(*d);
                *d = path;
        }

        if (o->runtime_directory)
                ret->runtime_directory = absolute(o->runtime_directory);
        else if (runtime)
                ret->runtime_directory = g_strdup(runtime);
        else
                ret->runtime_directory = o->user ? g_build_filename(g_get_user_runtime_dir(), "hetd", NULL) : g_strdup("/run/hetd");

        return check_paths(ret, error);
}

/* --- the daemon --- */

typedef struct Daemon {
        sd_event *event;
        sd_bus *bus;
        Manager *manager;
        bool lost_bus, keep, has_name;
} Daemon;

static void on_ended(const GError *error, void *userdata) {
        Daemon *d = userdata;

        bus_flush(d->manager);          /* the last states are told too */
        (void) sd_event_exit(d->event, d->lost_bus ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void begin_end(Daemon *d, const char *why) {
        if (d->manager->ending)
                return;

        log_info("%s: %s the platforms", why, d->keep ? "leaving" : "ending");
        notify_send("STOPPING=1", -EBADF);
        if (d->keep) {
                manager_leave_alone(d->manager);
                on_ended(NULL, d);
        } else
                manager_end(d->manager, on_ended, d);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        g_autofree char *name = g_strdup_printf("SIG%s", sigabbrev_np((int) si->ssi_signo));

        begin_end(userdata, name);
        return 0;
}

static void lose_bus(void *userdata) {
        Daemon *d = userdata;

        d->lost_bus = true;
        begin_end(d, "The bus is gone");
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        lose_bus(userdata);
        return 0;
}

static void begin(Daemon *d) {
        if (d->has_name)
                return;

        d->has_name = true;
        log_info("hetd " HET_VERSION " is on the bus as " BUS_NAME);
        adopt_platforms(d->manager);
        notify_send("READY=1\nSTATUS=On the bus", -EBADF);
}

/* A bus that has started hetd for a call hands that call over before it answers RequestName, but after this signal: who asked must
 * not be told that there are no platforms */
static int on_name_acquired(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name;

        if (sd_bus_message_read(m, "s", &name) >= 0 && g_str_equal(name, BUS_NAME))
                begin(userdata);
        return 0;
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Daemon *d = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        uint32_t answer = 0;

        if (!e && sd_bus_message_read(m, "u", &answer) >= 0 && answer == 1) {
                begin(d);
                return 0;
        }

        if (e)
                log_error("Cannot have the name " BUS_NAME " on this bus: %s", e->message);
        else
                log_error("The name " BUS_NAME " is taken: another hetd is on this bus (busctl status " BUS_NAME ")");
        (void) sd_event_exit(d->event, EXIT_FAILURE);
        return 0;
}

/* The directory itself: there is no file that could be left over, and the lock is gone with the process */
static bool lock_directory(const char *path, int *ret) {
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 && access(path, W_OK) >= 0 && flock(fd, LOCK_EX | LOCK_NB) >= 0) {
                *ret = fd_take(&fd);
                return true;
        }

        if (errno == EWOULDBLOCK)
                log_error("Another hetd uses %s: end that one, or name another directory with --runtime-dir=", path);
        else
                log_error("Cannot use %s: %s: mend that, or name another directory with --runtime-dir=", path, g_strerror(errno));
        return false;
}

static bool open_runtime_directory(const char *path, int *ret_lock) {
        struct stat st;

        if (g_mkdir_with_parents(path, 0700) < 0 || stat(path, &st) < 0) {
                log_error("Cannot make the directory %s: %s", path, g_strerror(errno));
                return false;
        }

        /* Whoever else could write there could put a link in the place of a platform's directory */
        if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
                return lock_directory(path, ret_lock);

        log_error("%s is not a directory of user %u that nobody else can write to: mend that, or name another with --runtime-dir=",
                  path, geteuid());
        return false;
}

static bool is_ignored(int number) {
        struct sigaction now;

        return sigaction(number, NULL, &now) >= 0 && now.sa_handler == SIG_IGN;
}

static int connect_signals(Daemon *d) {
        static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
        sigset_t set;
        int r = 0;

        /* Who read the log may be gone; that would leave the QEMUs without hetd */
        (void) signal(SIGPIPE, SIG_IGN);
        /* Nor is it worth them that a file cannot be as large (RLIMIT_FSIZE): who writes it is told so */
        (void) signal(SIGXFSZ, SIG_IGN);

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
                sigaddset(&set, ends[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;

        for (size_t i = 0; i < G_N_ELEMENTS(ends) && r >= 0; i++)
                if (ends[i] != SIGHUP || !is_ignored(SIGHUP))           /* nohup(1) */
                        r = sd_event_add_signal(d->event, NULL, ends[i], on_signal, d);

        return r;
}

static int connect_bus(Daemon *d, bool user) {
        int r = user ? sd_bus_open_user_with_description(&d->bus, "hetd") : sd_bus_open_system_with_description(&d->bus, "hetd");

        if (r >= 0)
                r = bus_export(d->manager, d->bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(d->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                              "Disconnected", on_disconnected, NULL, d);
        if (r >= 0)
                r = sd_bus_match_signal_async(d->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                              "NameAcquired", on_name_acquired, NULL, d);
        if (r >= 0)
                r = bus_attach(d->bus, d->event, lose_bus, d);
        if (r >= 0)
                r = sd_bus_request_name_async(d->bus, NULL, BUS_NAME, 0, on_name, d);

        return r;
}

static int on_too_late(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 1;
}

static uint64_t count_untold(sd_bus *bus) {
        uint64_t n;

        return sd_bus_get_n_queued_write(bus, &n) < 0 ? 0 : n;
}

/* What the bus has not taken yet. The loop is over: nothing is kept from running, and nothing more is done for anybody. */
static void tell_the_rest(sd_bus *bus) {
        const int64_t end = g_get_monotonic_time() + LAST_WORDS_USEC;
        int64_t left = LAST_WORDS_USEC;
        int r = sd_bus_add_filter(bus, NULL, on_too_late, NULL);

        for (; r >= 0 && count_untold(bus) > 0 && left > 0; left = end - g_get_monotonic_time()) {
                struct pollfd fd = { .fd = sd_bus_get_fd(bus), .events = (short) sd_bus_get_events(bus) };

                (void) poll(&fd, 1, (int) (left / 1000) + 1);
                r = sd_bus_process(bus, NULL);
        }

        if (count_untold(bus) > 0)
                log_warning("The bus does not take what is still to be told: nobody will be told");
}

static int failed(const char *what, int r) {
        log_error("%s: %s", what, g_strerror(-r));
        return EXIT_FAILURE;
}

static int run(const Options *o, ManagerOptions *options) {
        g_autoptr(Manager) manager = NULL;
        g_autoptr(sd_bus) bus = NULL;
        g_autoptr(sd_event) event = NULL;
        HET_AUTO_FD int lock = -EBADF;
        Daemon d = {};
        int r;

        if (!open_runtime_directory(options->runtime_directory, &lock))
                return EXIT_FAILURE;
        /* Each slave costs ten or so here, and five in the QEMU of the master, which inherits the limit */
        r = bus_raise_fd_limit();
        if (r < 0)
                log_warning("Cannot raise the limit of open files: %s", g_strerror(-r));

        r = sd_event_default(&event);
        if (r < 0)
                return failed("Cannot make an event loop", r);

        log_attach(event);
        r = notify_open(event, fd_store_repeat);
        if (r < 0)
                log_warning("The service manager is told nothing: NOTIFY_SOCKET= or WATCHDOG_USEC= is wrong: %s", g_strerror(-r));

        d.event = event;
        d.keep = o->keep;
        d.manager = manager = manager_new(event, options);
        r = connect_signals(&d);
        if (r < 0)
                return failed("Cannot take signals", r);

        r = connect_bus(&d, o->user);
        bus = d.bus;
        if (r < 0)
                return failed(o->user ? "Cannot connect to the session bus (is DBUS_SESSION_BUS_ADDRESS set?)"
                                      : "Cannot connect to the system bus", r);

        r = sd_event_loop(event);
        if (d.has_name)
                tell_the_rest(bus);
        return r < 0 ? failed("The event loop failed", r) : r;
}

/* 0, 1 and 2 must be something: what hetd opens would take their place, and a child would get it */
static void open_standard_fds(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

int main(int argc, char **argv) {
        g_auto(Options) o = {};
        g_autoptr(GError) error = NULL;
        ManagerOptions options = {};
        QuotaLimits quotas;
        int level = LOG_INFO, r;

        open_standard_fds();
        log_open();

        if (!options_parse(&o, &argc, &argv, &error)) {
                fprintf(stderr, "hetd: %s (see hetd --help)\n", error->message);
                return 2;
        }

        if (o.version) {
                puts("hetd " HET_VERSION);
                return EXIT_SUCCESS;
        }

        if (o.log_level && !log_level_from_string(o.log_level, &level)) {
                fprintf(stderr, "hetd: --log-level=%s: there are debug, info, notice, warning and err\n", o.log_level);
                return 2;
        }

        if (!manager_options(&o, &quotas, &options, &error)) {
                fprintf(stderr, "hetd: %s (see hetd --help)\n", error->message);
                return 2;
        }

        log_set_level(level);
        if (fd_store_open() < 0)
                log_warning("What the service manager has kept is not taken: LISTEN_FDS= is wrong");
        r = run(&o, &options);
        notify_close();
        log_close();
        return r;
}
