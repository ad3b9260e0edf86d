/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qemu-bus.h"

#include "util/error.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define QEMU_ROOT       "/org/qemu/Display1"
#define QEMU_VM         "org.qemu.Display1.VM"
#define QEMU_CHARDEV    "org.qemu.Display1.Chardev"
#define BUS_DRIVER      "org.freedesktop.DBus"
#define BUSY_USEC       (100 * G_USEC_PER_SEC / 1000)   /* until QEMU is asked again to let go of an earlier user */

/* What was found of one QEMU */
typedef struct Found {
        char *vm;                       /* its -name */
        char *monitor, *console;        /* objects; NULL: there is none */
} Found;

struct QemuBus {
        sd_bus *bus;
        bool own;                       /* the connection is ours alone */
        bool again;                     /* it can be made again */
        char *name, *vm, *monitor, *console, *address;
        bool console_wanted;            /* by the address: to have none is an error then */
        GPtrArray *owners;              /* of char*: who has the name, or waits for it */
        guint owner;                    /* the one that is being looked at */
        Found found;
        int monitor_fd, console_fd;
        bool busy;                      /* QEMU has refused a socket since it has one */
        sd_bus_slot *slot;              /* the call that is under way */
        sd_event *event;
        sd_event_source *deadline, *retry;
        QemuBusFunc done;
        void *userdata;
};

/* --- addresses --- */

bool qemu_bus_is_address(const char *text) {
        return g_str_has_prefix(text, QEMU_BUS_PREFIX);
}

static bool refuse_address(GError **error, const char *address, const char *what) {
        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                    "%s: %s; it is dbus:NAME,vm=VM,monitor=CHARDEV,console=CHARDEV,address=ADDRESS, of which any may be left out", address,
                    what);
        return false;
}

static bool set_part(QemuBus *q, const char *key, size_t length, const char *value, size_t value_length) {
        const struct {
                const char *key;
                char **value;
        } parts[] = {
                { "vm", &q->vm }, { "monitor", &q->monitor }, { "console", &q->console },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
                if (strlen(parts[i].key) == length && strncmp(parts[i].key, key, length) == 0 && !*parts[i].value && value_length > 0) {
                        *parts[i].value = g_strndup(value, value_length);
                        return true;
                }

        return false;
}

static bool parse_address(QemuBus *q, const char *address, GError **error) {
        const char *p = address + strlen(QEMU_BUS_PREFIX);
        size_t length = strcspn(p, ",="), value;

        if (p[length] != '=' && length > 0) {
                q->name = g_strndup(p, length);
                p += length + (p[length] == ',');
        }

        while (*p) {
                if (g_str_has_prefix(p, "address=")) {
                        q->address = g_strdup(p + strlen("address="));
                        break;
                }

                length = strcspn(p, ",=");
                value = p[length] == '=' ? strcspn(p + length + 1, ",") : 0;
                if (!set_part(q, p, length, p + length + 1, value))
                        return refuse_address(error, address, "it has a part that is not known, empty, or there twice");
                p += length + 1 + value;
                p += *p == ',';
        }

        if (q->name && !sd_bus_service_name_is_valid(q->name))
                return refuse_address(error, address, "this is no name on a bus");
        /* Others would make hetd start programs, or wait for a network */
        if (q->address && (!g_str_has_prefix(q->address, "unix:") || strchr(q->address, ';')))
                return refuse_address(error, address, "the address of a bus is unix:path=PATH or unix:abstract=NAME here");

        q->console_wanted = q->console;
        q->monitor = q->monitor ?: g_strdup(QEMU_BUS_MONITOR);
        q->console = q->console ?: g_strdup(QEMU_BUS_CONSOLE);
        return true;
}

/* With the unique name, which nobody else will ever have: another QEMU may have the other one tomorrow */
static char *address_again(const QemuBus *q) {
        GString *s = g_string_new(QEMU_BUS_PREFIX);

        if (q->owners)
                g_string_append(s, q->owners->pdata[q->owner]);
        if (!g_str_equal(q->monitor, QEMU_BUS_MONITOR))
                g_string_append_printf(s, ",monitor=%s", q->monitor);
        if (q->console_wanted)
                g_string_append_printf(s, ",console=%s", q->console);
        if (q->address)
                g_string_append_printf(s, ",address=%s", q->address);

        return g_string_free(s, FALSE);
}

/* --- the end --- */

static void found_clear(Found *found) {
        g_clear_pointer(&found->vm, g_free);
        g_clear_pointer(&found->monitor, g_free);
        g_clear_pointer(&found->console, g_free);
}

static void finish(QemuBus *q, const GError *error) {
        g_autofree char *address = !error && q->again ? address_again(q) : NULL;
        QemuBusLines lines = { .monitor = fd_take(&q->monitor_fd), .console = fd_take(&q->console_fd), .address = address };

        q->deadline = sd_event_source_disable_unref(q->deadline);
        q->slot = sd_bus_slot_unref(q->slot);
        q->done(error ? NULL : &lines, error, q->userdata);
        fd_close(lines.monitor);
        fd_close(lines.console);
}

static void fail(QemuBus *q, HetError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void fail(QemuBus *q, HetError code, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        g_autoptr(GError) error = g_error_new(HET_ERROR, code, "%s", text);

        finish(q, error);
}

static const char *name_of(const QemuBus *q) {
        return q->name ?: "the peer";
}

static void fail_call(QemuBus *q, const sd_bus_error *e) {
        static const struct {
                const char *name;
                HetError code;
        } codes[] = {
                { SD_BUS_ERROR_SERVICE_UNKNOWN, HET_ERROR_MONITOR_LOST },     { SD_BUS_ERROR_NAME_HAS_NO_OWNER, HET_ERROR_MONITOR_LOST },
                { SD_BUS_ERROR_NO_REPLY, HET_ERROR_MONITOR_LOST },            { SD_BUS_ERROR_DISCONNECTED, HET_ERROR_MONITOR_LOST },
                { SD_BUS_ERROR_UNKNOWN_METHOD, HET_ERROR_NOT_SUPPORTED },     { SD_BUS_ERROR_UNKNOWN_OBJECT, HET_ERROR_NOT_SUPPORTED },
                { SD_BUS_ERROR_UNKNOWN_INTERFACE, HET_ERROR_NOT_SUPPORTED },  { SD_BUS_ERROR_ACCESS_DENIED, HET_ERROR_ACCESS_DENIED },
        };
        HetError code = HET_ERROR_QEMU;

        for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
                if (sd_bus_error_has_name(e, codes[i].name))
                        code = codes[i].code;

        if (code == HET_ERROR_MONITOR_LOST)
                fail(q, code, "%s is not on the bus, or not any more: %s", name_of(q), e->message);
        else if (code == HET_ERROR_NOT_SUPPORTED)
                fail(q, code, "%s is no QEMU that was started with -display dbus: %s", name_of(q), e->message);
        else
                fail(q, code, "%s: %s", name_of(q), e->message);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        QemuBus *q = userdata;

        if (q->busy)
                fail(q, HET_ERROR_MONITOR_BUSY, "%s: Somebody else uses %s, QEMU does not take a second user", name_of(q), q->monitor);
        else
                fail(q, HET_ERROR_TIMEOUT, "%s does not answer on the bus", name_of(q));
        return 0;
}

/* --- calls --- */

static int call_new(QemuBus *q, const char *destination, const char *path, const char *interface, const char *member,
                    sd_bus_message **ret) {
        int r = sd_bus_message_new_method_call(q->bus, ret, destination, path, interface, member);

        /* A QEMU is not started by its name */
        return r >= 0 ? sd_bus_message_set_auto_start(*ret, false) : r;
}

static int call_send(QemuBus *q, sd_bus_message *call, sd_bus_message_handler_t handler) {
        q->slot = sd_bus_slot_unref(q->slot);
        return sd_bus_call_async(q->bus, &q->slot, call, handler, q, UINT64_MAX);
}

static void fail_errno(QemuBus *q, int r) {
        fail(q, het_error_from_errno(r), "%s cannot be asked on the bus: %s", name_of(q), g_strerror(-r));
}

static const char *owner_of(const QemuBus *q) {
        return q->owners ? q->owners->pdata[q->owner] : NULL;
}

/* --- 3: its lines --- */

static int begin_register(QemuBus *q, const char *path, int *ours, sd_bus_message_handler_t handler);

static int on_console(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        QemuBus *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        /* The monitor is what it is about: one whose console somebody else uses can do without it */
        if (e)
                q->console_fd = fd_close(q->console_fd);
        finish(q, NULL);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static int on_monitor(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        QemuBus *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r = 0;

        if (sd_bus_error_has_name(e, "org.qemu.Display1.Error.Failed")) {
                q->busy = true;
                q->monitor_fd = fd_close(q->monitor_fd);
                q->retry = sd_event_source_disable_unref(q->retry);
                r = sd_event_add_time_relative(q->event, &q->retry, CLOCK_MONOTONIC, BUSY_USEC, 0, on_retry, q);
        } else if (e)
                fail_call(q, e);
        else if (q->found.console)
                r = begin_register(q, q->found.console, &q->console_fd, on_console);
        else
                finish(q, NULL);
        if (r < 0)
                fail_errno(q, r);

        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        QemuBus *q = userdata;
        int r = begin_register(q, q->found.monitor, &q->monitor_fd, on_monitor);

        if (r < 0)
                fail_errno(q, r);
        return 0;
}

static int begin_register(QemuBus *q, const char *path, int *ours, sd_bus_message_handler_t handler) {
        g_autoptr(sd_bus_message) call = NULL;
        HET_AUTO_FD int theirs = -EBADF;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        *ours = pair[0];
        theirs = pair[1];

        r = call_new(q, owner_of(q), path, QEMU_CHARDEV, "Register", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "h", theirs);
        return r >= 0 ? call_send(q, call, handler) : r;
}

/* --- 2: what it offers --- */

/* A{sv} of an interface: its property Name, if it has one; borrowed */
static int read_name(sd_bus_message *m, const char **ret) {
        const char *key, *contents;
        char type;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = sd_bus_message_peek_type(m, &type, &contents);
                if (r >= 0 && g_str_equal(key, "Name") && g_str_equal(contents, "s"))
                        r = sd_bus_message_read(m, "v", "s", ret);
                else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }

        return r >= 0 ? sd_bus_message_exit_container(m) : r;
}

static void take_interface(QemuBus *q, const char *path, const char *interface, const char *name) {
        char **found = NULL;

        if (!name)
                return;

        if (g_str_equal(interface, QEMU_VM) && !q->found.vm)
                q->found.vm = g_strdup(name);
        else if (g_str_equal(interface, QEMU_CHARDEV) && g_str_equal(name, q->monitor))
                found = &q->found.monitor;
        else if (g_str_equal(interface, QEMU_CHARDEV) && g_str_equal(name, q->console))
                found = &q->found.console;
        if (found && !*found)
                *found = g_strdup(path);
}

static int read_object(QemuBus *q, sd_bus_message *m) {
        const char *path, *interface, *name;
        int r = sd_bus_message_read(m, "o", &path);

        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                name = NULL;
                r = sd_bus_message_read(m, "s", &interface);
                if (r >= 0)
                        r = read_name(m, &name);
                if (r >= 0) {
                        take_interface(q, path, interface, name);
                        r = sd_bus_message_exit_container(m);
                }
        }

        return r >= 0 ? sd_bus_message_exit_container(m) : r;
}

static int read_objects(QemuBus *q, sd_bus_message *m) {
        int r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = read_object(q, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }

        return r;
}

static int look_at_owner(QemuBus *q);

/* Of several QEMUs with the name, those that are not it: one may have ended meanwhile, or be none */
static bool is_another(const QemuBus *q) {
        return q->vm && g_strcmp0(q->found.vm, q->vm) != 0;
}

static void take_owner(QemuBus *q, const sd_bus_error *e) {
        int r;

        if (is_another(q) && q->owners && q->owner + 1 < q->owners->len) {
                q->owner++;
                r = look_at_owner(q);
                if (r < 0)
                        fail_errno(q, r);
        } else if (e)
                fail_call(q, e);
        else if (is_another(q))
                fail(q, HET_ERROR_MONITOR_LOST, "%s: No QEMU of this name on the bus was started with -name %s", name_of(q), q->vm);
        else if (!q->found.monitor)
                fail(q, HET_ERROR_NOT_SUPPORTED, "%s offers no %s: start it with -chardev dbus,id=qmp,name=%s -mon chardev=qmp,mode=control",
                     name_of(q), q->monitor, q->monitor);
        else if (q->console_wanted && !q->found.console)
                fail(q, HET_ERROR_NOT_SUPPORTED, "%s offers no %s: start it with -chardev dbus,id=console,name=%s -serial chardev:console",
                     name_of(q), q->console, q->console);
        else if ((r = begin_register(q, q->found.monitor, &q->monitor_fd, on_monitor)) < 0)
                fail_errno(q, r);
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        QemuBus *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r = e ? 0 : read_objects(q, reply);

        if (r < 0)
                fail(q, HET_ERROR_PROTOCOL, "%s does not tell its objects as QEMU does: %s", name_of(q), g_strerror(-r));
        else
                take_owner(q, e);
        return 0;
}

static int look_at_owner(QemuBus *q) {
        g_autoptr(sd_bus_message) call = NULL;
        int r;

        found_clear(&q->found);
        r = call_new(q, owner_of(q), QEMU_ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &call);
        return r >= 0 ? call_send(q, call, on_objects) : r;
}

/* --- 1: who has the name --- */

static int on_owners(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        QemuBus *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *owner;
        int r = e ? 0 : sd_bus_message_enter_container(reply, 'a', "s");

        if (e) {
                fail_call(q, e);
                return 0;
        }

        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &owner)) > 0 && q->owners->len < QEMU_BUS_OWNERS_MAX)
                g_ptr_array_add(q->owners, g_strdup(owner));
        if (r >= 0 && q->owners->len > 1 && !q->vm) {
                fail(q, HET_ERROR_INVALID_ARGUMENT,
                     "%u on the bus want the name %s: say which one, with vm=VM as its -name says, or with its own name (%s, …)",
                     q->owners->len, q->name, owner_of(q));
                return 0;
        }

        r = r < 0 ? r : q->owners->len > 0 ? look_at_owner(q) : -ENOTCONN;
        if (r < 0)
                fail_errno(q, r);
        return 0;
}

static int begin_owners(QemuBus *q) {
        g_autoptr(sd_bus_message) call = NULL;
        int r;

        if (!q->name)
                return look_at_owner(q);

        q->owners = g_ptr_array_new_with_free_func(g_free);
        if (*q->name == ':') {
                g_ptr_array_add(q->owners, g_strdup(q->name));
                return look_at_owner(q);
        }

        r = call_new(q, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "ListQueuedOwners", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", q->name);
        return r >= 0 ? call_send(q, call, on_owners) : r;
}

/* --- the connection --- */

/* Nothing of it blocks: a UNIX socket is connected at once or not at all, and the rest is done by the loop */
static int connect_own(QemuBus *q, int peer_consume) {
        HET_AUTO_FD int fd = peer_consume;
        int r = sd_bus_new(&q->bus);

        q->own = true;
        /* Else the end of the loop waits for one that does not answer */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(q->bus, false);
        if (r >= 0 && fd >= 0) {
                r = sd_bus_set_fd(q->bus, fd, fd);
                if (r >= 0)
                        (void) fd_take(&fd);
        } else if (r >= 0)
                r = sd_bus_set_address(q->bus, q->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(q->bus, q->name != NULL);
        if (r >= 0)
                r = sd_bus_negotiate_fds(q->bus, true);
        if (r >= 0)
                r = sd_bus_start(q->bus);
        return r >= 0 ? sd_bus_attach_event(q->bus, q->event, SD_EVENT_PRIORITY_NORMAL) : r;
}

static bool check_place(const QemuBus *q, const char *address, bool has_peer, GError **error) {
        if (has_peer && (q->name || q->address))
                return refuse_address(error, address, "with a connection of the caller there is no name, and no other address");
        if (!has_peer && !q->name && !q->address)
                return refuse_address(error, address, "it has neither a name nor an address");

        return true;
}

bool qemu_bus_check_address(const char *address, GError **error) {
        g_autoptr(QemuBus) q = g_new0(QemuBus, 1);

        q->monitor_fd = q->console_fd = -EBADF;
        return parse_address(q, address, error) && check_place(q, address, false, error);
}

static bool get_connection(QemuBus *q, sd_bus *bus, int peer_consume, GError **error) {
        HET_AUTO_FD int peer = peer_consume;
        int r;

        if (peer < 0 && !q->address) {
                if (!bus) {
                        g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "hetd is not on a bus where it could find %s", q->name);
                        return false;
                }
                q->bus = sd_bus_ref(bus);
                q->again = true;
                return true;
        }

        /* The library takes pipes and terminals, too, and waits for them if somebody else who has one clears O_NONBLOCK */
        if (peer >= 0 && !fd_is_unix_stream(peer)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "This fd is no UNIX stream socket");
                return false;
        }

        q->again = peer < 0;
        r = connect_own(q, fd_take(&peer));
        if (r < 0)
                g_set_error(error, HET_ERROR, r == -ENOENT ? HET_ERROR_MONITOR_LOST : het_error_from_errno(r), "Cannot connect to %s: %s",
                            q->address ?: "the peer", g_strerror(-r));
        return r >= 0;
}

bool qemu_bus_new(sd_event *event, sd_bus *bus, const char *address, int peer_consume, QemuBusFunc done, void *userdata,
                  QemuBus **ret, GError **error) {
        HET_AUTO_FD int peer = peer_consume;
        g_autoptr(QemuBus) q = g_new0(QemuBus, 1);
        int r;

        q->event = sd_event_ref(event);
        q->monitor_fd = q->console_fd = -EBADF;
        q->done = done;
        q->userdata = userdata;
        if (!parse_address(q, address, error) || !check_place(q, address, peer >= 0, error) ||
            !get_connection(q, bus, fd_take(&peer), error))
                return false;

        r = sd_event_add_time_relative(event, &q->deadline, CLOCK_MONOTONIC, QEMU_BUS_TIMEOUT_USEC, 0, on_deadline, q);
        if (r >= 0)
                r = begin_owners(q);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "%s cannot be asked on the bus: %s", name_of(q), g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&q);
        return true;
}

QemuBus *qemu_bus_free(QemuBus *q) {
        if (!q)
                return NULL;

        sd_event_source_disable_unref(q->deadline);
        sd_event_source_disable_unref(q->retry);
        sd_bus_slot_unref(q->slot);
        if (q->own)
                sd_bus_close_unref(q->bus);
        else
                sd_bus_unref(q->bus);
        sd_event_unref(q->event);
        fd_close(q->monitor_fd);
        fd_close(q->console_fd);
        found_clear(&q->found);
        if (q->owners)
                g_ptr_array_unref(q->owners);
        g_free(q->name);
        g_free(q->vm);
        g_free(q->monitor);
        g_free(q->console);
        g_free(q->address);
        g_free(q);
        return NULL;
}
