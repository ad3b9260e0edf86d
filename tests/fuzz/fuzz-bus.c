/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary arguments of every method. The input is a list of calls: a byte chooses the member (one more than there are: none of
 * ours), a byte the length of the signature, then the signature, a byte the length of the body in units of eight bytes, and the body. All
 * that goes over the wire as it is, to the real objects; a file descriptor goes along. What no bus would pass on, a signature that is
 * none, is left out.
 */

#include "fuzz.h"
#include "bus.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS_MAX       8U
#define MESSAGE_MAX     4096U
#define REPLY_MAX       (1U << 20)
#define PLATFORM        BUS_PATH_PLATFORM "/p"
#define SLAVE           PLATFORM "/processor/s"
#define PROPERTIES      "org.freedesktop.DBus.Properties"

static const struct {
        const char *path, *interface, *member;
} members[] = {
        { BUS_PATH, BUS_MANAGER, "DefinePlatform" },    { BUS_PATH, BUS_MANAGER, "LoadPlatform" },
        { BUS_PATH, BUS_MANAGER, "StartPlatform" },     { BUS_PATH, BUS_MANAGER, "StopPlatform" },
        { BUS_PATH, BUS_MANAGER, "RemovePlatform" },    { BUS_PATH, BUS_MANAGER, "GetPlatform" },
        { BUS_PATH, BUS_MANAGER, "GetProcessor" },      { BUS_PATH, BUS_MANAGER, "ListPlatforms" },
        { BUS_PATH, BUS_MANAGER, "ListJobs" },          { BUS_PATH, BUS_MANAGER, "Describe" },
        { BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects" },
        { PLATFORM, BUS_PLATFORM, "Start" },            { PLATFORM, BUS_PLATFORM, "Stop" },
        { PLATFORM, BUS_PLATFORM, "Pause" },            { PLATFORM, BUS_PLATFORM, "Resume" },
        { PLATFORM, BUS_PLATFORM, "Describe" },         { PLATFORM, PROPERTIES, "Get" },
        { SLAVE, BUS_PROCESSOR, "Attach" },             { SLAVE, BUS_PROCESSOR, "AttachFd" },
        { SLAVE, BUS_PROCESSOR, "Detach" },             { SLAVE, BUS_PROCESSOR, "Boot" },
        { SLAVE, BUS_PROCESSOR, "Stop" },               { SLAVE, BUS_PROCESSOR, "Reset" },
        { SLAVE, BUS_PROCESSOR, "Restart" },            { SLAVE, BUS_PROCESSOR, "Kick" },
        { SLAVE, BUS_PROCESSOR, "GrantMemory" },        { SLAVE, BUS_PROCESSOR, "RevokeMemory" },
        { SLAVE, BUS_PROCESSOR, "GetMemory" },          { SLAVE, PROPERTIES, "GetAll" },
        { SLAVE, PROPERTIES, "Set" },                   { BUS_PATH_JOB "/1", BUS_JOB, "Cancel" },
        { "/", "a.b", "C" },                            { PLATFORM, BUS_PLATFORM, "Reconfigure" },
        { SLAVE, BUS_PROCESSOR, "DumpRegisters" },
};

typedef struct Wire {
        uint8_t bytes[MESSAGE_MAX];
        size_t size;
} Wire;

static void put(Wire *w, const void *bytes, size_t size) {
        g_assert_true(size <= sizeof(w->bytes) - w->size);
        memcpy(w->bytes + w->size, bytes, size);
        w->size += size;
}

static void put_u32(Wire *w, uint32_t value) {
        put(w, &value, sizeof(value));
}

static void pad(Wire *w, size_t alignment) {
        while (w->size % alignment != 0)
                put(w, "", 1);
}

/* One field of the header: its code, its type, its value */
static void put_field(Wire *w, uint8_t code, char type, const char *text, size_t length) {
        pad(w, 8);
        put(w, (uint8_t[]) { code, 1, (uint8_t) type, 0 }, 4);
        if (type == 'g')
                put(w, (uint8_t[]) { (uint8_t) length }, 1);
        else
                put_u32(w, (uint32_t) length);
        put(w, text, length);
        put(w, "", 1);
}

static void make_call(Wire *w, unsigned member, uint32_t serial, const char *signature, size_t signature_size, const void *body,
                      size_t body_size) {
        uint32_t fields;

        w->size = 0;
        put(w, G_BYTE_ORDER == G_LITTLE_ENDIAN ? "l\1\0\1" : "B\1\0\1", 4);
        put_u32(w, (uint32_t) body_size);
        put_u32(w, serial);
        put_u32(w, 0);
        put_field(w, 1, 'o', members[member].path, strlen(members[member].path));
        put_field(w, 2, 's', members[member].interface, strlen(members[member].interface));
        put_field(w, 3, 's', members[member].member, strlen(members[member].member));
        if (signature_size > 0)
                put_field(w, 8, 'g', signature, signature_size);
        pad(w, 8);
        put(w, (uint8_t[]) { 9, 1, 'u', 0 }, 4);
        put_u32(w, 1);
        fields = (uint32_t) (w->size - 16);
        memcpy(w->bytes + 12, &fields, sizeof(fields));
        pad(w, 8);
        put(w, body, body_size);
}

static void settle(sd_event *event, int client) {
        static uint8_t reply[REPLY_MAX];

        while (sd_event_run(event, 0) > 0)
                while (recv(client, reply, sizeof(reply), MSG_DONTWAIT) > 0)
                        ;
}

static void run_calls(sd_event *event, int client, const uint8_t *data, size_t size) {
        Wire wire;

        for (uint32_t serial = 1; serial <= CALLS_MAX && size >= 3; serial++) {
                HET_AUTO_FD int fd = memfd_create("argument", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                unsigned member = data[0] % G_N_ELEMENTS(members);
                size_t signature = MIN(data[1] % 32U, size - 3), body;
                g_autofree char *text = g_strndup((const char *) data + 2, signature);

                data += 2 + signature;
                size -= 2 + signature;
                body = MIN(8U * data[0], size - 1);
                if (strlen(text) == signature && g_variant_is_signature(text)) {
                        make_call(&wire, member, serial, text, signature, data + 1, body);
                        (void) fd_send(client, wire.bytes, wire.size, &fd, 1, MSG_DONTWAIT);    /* it may have thrown us out: its right */
                        settle(event, client);
                }
                data += 1 + body;
                size -= 1 + body;
        }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

/* Without a QEMU: nothing is started */
static Manager *make_manager(sd_event *event, const char *directory) {
        static const char text[] = "[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n"
                                   "[Processor s]\nRole=slave\nMachine=mps2-an385\nWindow=16M@0x70000000\nStart=external\n";
        ManagerOptions options = { .runtime_directory = g_strdup(directory) };
        Manager *manager = manager_new(event, &options);
        g_autoptr(GError) error = NULL;
        PlatformConfig *config = NULL;
        Platform *platform = NULL;

        if (!platform_config_parse("p", NULL, text, sizeof(text) - 1, NULL, &config, &error) ||
            !manager_add_platform(manager, config, getuid(), false, &platform, &error))
                fuzz_fail("%s", error->message);
        return manager;
}

static sd_bus *make_server(sd_event *event, int fd) {
        sd_id128_t id = SD_ID128_MAKE(31, 71, 17, a0, 5c, 11, 4a, bc, 93, 5d, ea, 60, 8c, 40, f5, 2b);
        sd_bus *bus = NULL;

        g_assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fd, fd) >= 0 && sd_bus_negotiate_fds(bus, true) >= 0 &&
                      sd_bus_set_server(bus, true, id) >= 0 && sd_bus_set_anonymous(bus, true) >= 0 && sd_bus_start(bus) >= 0 &&
                      sd_bus_attach_event(bus, event, 0) >= 0);
        return bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
        g_autoptr(sd_event) event = NULL;
        g_autofree char *directory = NULL;
        Manager *manager;
        sd_bus *server;
        int fds[2];

        g_assert_true(g_setenv("PATH", "/nonexistent", true));
        directory = g_dir_make_tmp("het-fuzz-XXXXXX", NULL);
        g_assert_true(sd_event_new(&event) >= 0);
        g_assert_true(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        manager = make_manager(event, directory);
        server = make_server(event, fds[0]);
        g_assert_true(bus_export(manager, server) >= 0);
        g_assert_true(send(fds[1], hello, sizeof(hello) - 1, MSG_NOSIGNAL) == (ssize_t) sizeof(hello) - 1);
        settle(event, fds[1]);

        run_calls(event, fds[1], data, size);

        /* Whatever waits for an answer gets one */
        manager_free(manager);
        sd_bus_close_unref(server);
        close(fds[1]);
        (void) nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        return 0;
}
