/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "slave.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"

#define ID_MAX 255U

static const char *state_name(uint32_t state) {
        static const char *const names[] = {
                [IDM_TEST_STATE_OFFLINE] = "offline",
                [IDM_TEST_STATE_WAITING] = "waiting for memory",
                [IDM_TEST_STATE_READY] = "ready",
                [IDM_TEST_STATE_RUNNING] = "running",
                [IDM_TEST_STATE_PAUSED] = "paused",
                [IDM_TEST_STATE_CRASHED] = "crashed",
        };

        return state < sizeof(names) / sizeof(names[0]) ? names[state] : "in a state that is not known here";
}

static bool is_loaded(void) {
        return access("/sys/class/idm", F_OK) == 0;
}

static void device_name(unsigned id, char *name, size_t size) {
        (void) snprintf(name, size, "/dev/idm%u", id);
}

static void get_info(Slave *slave) {
        if (ioctl(slave->fd, IDM_TEST_INFO, &slave->info) < 0)
                fail(EXIT_UNUSABLE, "slave %u: the driver does not tell about it: %s", slave->id, strerror(errno));
        slave->window = slave->info.window_base;
        slave->window_size = slave->info.window_size;
}

Slave slave_open(unsigned id) {
        Slave slave = { .id = id };
        char name[32];

        device_name(id, name, sizeof(name));
        slave.fd = open(name, O_RDWR | O_CLOEXEC);
        if (slave.fd < 0) {
                if (errno != ENOENT)
                        fail(EXIT_UNUSABLE, "%s: %s", name, strerror(errno));
                if (!is_loaded())
                        fail(EXIT_UNUSABLE, "There is no %s: insmod idm_test_mod.ko first", name);
                fail(EXIT_UNUSABLE, "There is no slave %u; see load_bin_app --list", id);
        }

        get_info(&slave);
        return slave;
}

void slave_close(Slave *slave) {
        (void) close(slave->fd);
        slave->fd = -1;
}

void slave_describe(const Slave *slave) {
        const struct idm_test_info *info = &slave->info;

        printf("slave %u", slave->id);
        if (info->name[0])
                printf(" (%.*s)", (int) sizeof(info->name), info->name);
        printf(": %s", info->flags & IDM_TEST_ATTACHED ? state_name(info->state) : "not attached");
        if (slave->window_size > 0)
                printf(", window 0x%" PRIx64 "-0x%" PRIx64 " (%" PRIu64 " KiB)", slave->window,
                       slave->window + slave->window_size - 1, slave->window_size / KIB);
        else
                printf(", no window");
        putchar('\n');
}

void slave_list(void) {
        unsigned found = 0;

        if (!is_loaded())
                fail(EXIT_UNUSABLE, "The driver is not there: insmod idm_test_mod.ko first");

        for (unsigned id = 1; id <= ID_MAX; id++) {
                char name[32];
                Slave slave;

                device_name(id, name, sizeof(name));
                if (access(name, F_OK) < 0)
                        continue;
                slave = slave_open(id);
                slave_describe(&slave);
                slave_close(&slave);
                found++;
        }
        if (found == 0)
                puts("This master has no slaves");
}

/* --- its window --- */

void slave_check_ready(const Slave *slave) {
        const struct idm_test_info *info = &slave->info;

        if (!(info->flags & IDM_TEST_ATTACHED))
                fail(EXIT_UNUSABLE, "Slave %u is not attached to this master now", slave->id);
        if (info->state == IDM_TEST_STATE_RUNNING || info->state == IDM_TEST_STATE_PAUSED ||
            info->state == IDM_TEST_STATE_CRASHED)
                fail(EXIT_UNUSABLE, "Slave %u is %s: load_bin_app --stop %u first", slave->id, state_name(info->state), slave->id);
        if (info->state != IDM_TEST_STATE_READY)
                fail(EXIT_UNUSABLE, "Slave %u cannot be started: it is %s", slave->id, state_name(info->state));
        if (slave->window_size == 0)
                fail(EXIT_UNUSABLE, "Slave %u has no window that a program could be loaded into", slave->id);
}

bool slave_has(const Slave *slave, uint64_t address, uint64_t size) {
        return address >= slave->window && address - slave->window <= slave->window_size &&
                size <= slave->window_size - (address - slave->window);
}

void slave_write(Slave *slave, uint64_t address, const void *data, size_t data_size, size_t size) {
        uint64_t offset = address - slave->window, page = (uint64_t) sysconf(_SC_PAGESIZE);
        size_t before = (size_t) (offset & (page - 1));
        uint8_t *p;

        if (size == 0)
                return;

        p = mmap(NULL, before + size, PROT_READ | PROT_WRITE, MAP_SHARED, slave->fd, (off_t) (offset - before));
        if (p == MAP_FAILED)
                fail(EXIT_UNUSABLE, "Slave %u: its window cannot be mapped: %s", slave->id, strerror(errno));

        memcpy(p + before, data, data_size);
        memset(p + before + data_size, 0, size - data_size);
        (void) munmap(p, before + size);
}

/* --- start, stop, vectors --- */

static void check_request(const Slave *slave, const char *verb, int r) {
        if (r == 0)
                return;

        switch (errno) {
        case EPERM:
                fail(EXIT_PLATFORM, "The platform refuses to %s slave %u; its log says why", verb, slave->id);
        case EIO:
                fail(EXIT_PLATFORM, "The platform could not %s slave %u; its log says why", verb, slave->id);
        case ETIMEDOUT:
                fail(EXIT_PLATFORM, "The platform was asked to %s slave %u, and nothing came of it", verb, slave->id);
        case EBUSY:
                fail(EXIT_UNUSABLE, "Slave %u runs already: load_bin_app --stop %u first", slave->id, slave->id);
        case ENODEV:
                fail(EXIT_UNUSABLE, "Slave %u is not attached to this master now", slave->id);
        default:
                fail(EXIT_PLATFORM, "The driver could not %s slave %u: %s", verb, slave->id, strerror(errno));
        }
}

void slave_start(Slave *slave, uint64_t entry, uint64_t argument, uint32_t protocol) {
        struct idm_test_start start = { .entry = entry, .argument = argument, .protocol = protocol };

        check_request(slave, "start", ioctl(slave->fd, IDM_TEST_START, &start));
        get_info(slave);
        if (slave->info.state != IDM_TEST_STATE_RUNNING && slave->info.state != IDM_TEST_STATE_PAUSED)
                fail(EXIT_PLATFORM, "Slave %u was started at 0x%" PRIx64 " and has ended already: it is %s", slave->id, entry,
                     state_name(slave->info.state));
        printf("slave %u is %s\n", slave->id, state_name(slave->info.state));
}

void slave_stop(Slave *slave) {
        check_request(slave, "stop", ioctl(slave->fd, IDM_TEST_STOP));
        get_info(slave);
        printf("slave %u is %s\n", slave->id, state_name(slave->info.state));
}

void slave_kick(const Slave *slave, unsigned vector) {
        if (ioctl(slave->fd, IDM_TEST_SEND, (unsigned long) vector) < 0)
                fail(EXIT_UNUSABLE, "Vector %u cannot be sent to slave %u: %s", vector, slave->id,
                     errno == ENODEV ? "it is not attached to this master now" : strerror(errno));
}

void slave_listen(const Slave *slave, unsigned count) {
        slave_describe(slave);
        (void) fflush(stdout);
        while (count-- > 0) {
                struct idm_test_event event;
                ssize_t n = read(slave->fd, &event, sizeof(event));

                if (n < 0)
                        fail(EXIT_UNUSABLE, "Slave %u cannot be listened to any more: %s", slave->id, strerror(errno));

                for (uint32_t rest = event.vectors; rest; rest &= rest - 1)
                        printf("slave %u: vector %d\n", slave->id, __builtin_ctz(rest));
                if (event.events & IDM_TEST_EVENT_STATE)
                        printf("slave %u is %s\n", slave->id, state_name(event.state));
                (void) fflush(stdout);
        }
}
