/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client.h"

#include "pager.h"
#include "password-agent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *hint_no_bus(const Client *client) {
        if (client->host)
                return "'ssh HOST true' shows whether it can be reached; systemd-stdio-bridge must be there (package systemd).";
        if (client->system)
                return "Start it with 'systemctl start dbus', or use the bus of your session: hetctl --user.";

        return "A session sets DBUS_SESSION_BUS_ADDRESS; 'dbus-run-session -- bash' makes one, and hetctl --system "
               "uses the system's.";
}

static const char *hint_no_hetd(const Client *client) {
        if (client->host)
                return "Start it there with 'systemctl start hetd'.";
        if (!client->system)
                return "Start it with 'hetd --user &', or use the one of the system: hetctl --system.";
        if (access("/run/systemd/system", F_OK) >= 0)
                return "Start it with 'systemctl start hetd', or use one of your own: hetd --user & hetctl --user.";

        return "Start it with 'hetd --system &', or use one of your own: hetctl --user.";
}

const char *client_bus_name(const Client *client) {
        if (client->host)
                return client->host;

        return client->system ? "system" : "session";
}

bool client_need_local(const Client *client, const char *what, GError **error) {
        return !client->host || failure(error, EXIT_USAGE, "Run hetctl on that host, by ssh.", "%s cannot be reached from another host.",
                                        what);
}

bool client_connect(Client *client, GError **error) {
        g_autoptr(sd_bus) bus = NULL;
        int r;

        if (client->bus)
                return true;

        if (client->host)
                r = sd_bus_open_system_remote(&bus, client->host);
        else if (client->system)
                r = sd_bus_open_system_with_description(&bus, "hetctl");
        else
                r = sd_bus_open_user_with_description(&bus, "hetctl");
        /* The connection is made in the background: its failure shows when the first answer is waited for */
        if (r >= 0) {
                const char *name;

                r = sd_bus_get_unique_name(bus, &name);
        }
        if (r < 0)
                return failure(error, EXIT_NO_HETD, hint_no_bus(client),
                               client->host ? "There is no system bus of %s to reach hetd by: %s." :
                                              "There is no %s bus to reach hetd by: %s.",
                               client_bus_name(client), g_strerror(-r));

        /* It is used after the end of a loop, too: for the next job, or another wait */
        (void) sd_bus_set_close_on_exit(bus, false);
        if (client->ask_password)
                (void) sd_bus_set_allow_interactive_authorization(bus, true);

        client->bus = g_steal_pointer(&bus);
        return true;
}

void client_close(Client *client) {
        client->bus = sd_bus_flush_close_unref(client->bus);
        password_agent_end(client->agent);
        client->agent = 0;
}

bool client_built(int r, GError **error) {
        if (r == -EINVAL)
                return failure(error, EXIT_USAGE, NULL, "An argument is not valid UTF-8.");

        return r >= 0 || failure_from_errno(error, r, "making a call to hetd failed");
}

bool client_read(int r, GError **error) {
        return r >= 0 ||
               failure_from_errno(error, r, "hetd's answer is not understood ('hetctl version' shows the versions)");
}

bool client_new_call(Client *client, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                     GError **error) {
        if (!client_connect(client, error))
                return false;

        return client_built(sd_bus_message_new_method_call(client->bus, ret, HETD_NAME, path, interface, method),
                            error);
}

/* A message that was sent cannot be sent again */
static int copy_call(Client *client, sd_bus_message *call, sd_bus_message **ret) {
        g_autoptr(sd_bus_message) copy = NULL;
        int r;

        r = sd_bus_message_new_method_call(client->bus, &copy, sd_bus_message_get_destination(call), sd_bus_message_get_path(call),
                                           sd_bus_message_get_interface(call), sd_bus_message_get_member(call));
        if (r >= 0)
                r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_copy(copy, call, true);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&copy);
        return 0;
}

/* Somebody could type a password here, and the session has nobody who asks: hetctl brings one along, once, and calls again */
static int call_with_agent(Client *client, sd_bus_message *call, sd_bus_error *e, int first, sd_bus_message **ret_reply) {
        g_autoptr(sd_bus_message) copy = NULL;

        if (first >= 0 || !sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) || !client->ask_password ||
            client->host || client->agent > 0)
                return first;

        client->agent = password_agent_start();
        if (client->agent <= 0 || copy_call(client, call, &copy) < 0)
                return first;

        sd_bus_error_free(e);
        return sd_bus_call(client->bus, copy, client->timeout_usec, e, ret_reply);
}

bool client_send(Client *client, sd_bus_message *call, sd_bus_message **ret_reply, GError **error) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(client->bus, call, client->timeout_usec, &e, ret_reply);

        r = call_with_agent(client, call, &e, r, ret_reply);
        if (r >= 0)
                return true;

        if (sd_bus_error_has_name(&e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(&e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return failure(error, EXIT_NO_HETD, hint_no_hetd(client),
                               client->host ? "hetd does not run on %s." : "hetd does not run on the %s bus.", client_bus_name(client));

        return failure_from_bus(error, &e, r);
}

bool client_call(Client *client, const char *path, const char *interface, const char *method,
                 sd_bus_message **ret_reply, GError **error, const char *types, ...) {
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;
        int r;

        if (!client_new_call(client, path, interface, method, &call, error))
                return false;

        va_start(arguments, types);
        r = types ? sd_bus_message_appendv(call, types, arguments) : 0;
        va_end(arguments);

        return client_built(r, error) && client_send(client, call, ret_reply, error);
}

void client_say(const Client *client, const char *format, ...) {
        va_list arguments;

        if (client->quiet || client->json != JSON_OFF)
                return;

        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\n');
        fflush(stdout);
}

size_t client_width(FILE *stream) {
        struct winsize size = {};

        if (stream == stdout && pager_width() > 0)
                return pager_width();
        if (!isatty(fileno(stream)))
                return 0;
        if (ioctl(fileno(stream), TIOCGWINSZ, &size) >= 0 && size.ws_col > 0)
                return size.ws_col;

        return 80;
}

char *client_path_to_name(const char *path) {
        /* names are escaped by sd_bus_path_encode() and cannot contain a slash */
        char *name = NULL, *platform = NULL, *processor = NULL;
        char *ret = NULL;

        if (sd_bus_path_decode_many(path, HETD_PLATFORM_PREFIX "/%/processor/%", &platform, &processor) > 0)
                ret = g_strdup_printf("%s/%s", platform, processor);
        else if (sd_bus_path_decode(path, HETD_PLATFORM_PREFIX, &name) > 0)
                ret = g_strdup(name);

        free(name);
        free(platform);
        free(processor);
        return ret;
}
