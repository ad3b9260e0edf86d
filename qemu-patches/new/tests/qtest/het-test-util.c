/*
 * What the tests of heterogeneous platforms share: the broker's part
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <dirent.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "qobject/qdict.h"
#include "het-test-util.h"

#define DEADLINE_US (60 * G_USEC_PER_SEC)

int het_memfd(const char *name, size_t size, unsigned seals)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, seals), ==, 0);
    return fd;
}

uint8_t *het_map(int fd, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    g_assert(p != MAP_FAILED);
    return p;
}

static uint8_t het_pattern(size_t i, uint8_t seed)
{
    return (i * 2654435761u >> 13) + seed;
}

void het_fill(uint8_t *p, size_t from, size_t size, uint8_t seed)
{
    for (size_t i = from; i < from + size; i++) {
        p[i] = het_pattern(i, seed);
    }
}

void het_assert_filled(const uint8_t *p, size_t size, uint8_t seed)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != het_pattern(i, seed)) {
            g_error("memory differs at 0x%zx", i);
        }
    }
}

void het_wait_word(const void *p, uint32_t value)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_US;

    while (qatomic_read((const uint32_t *)p) != value) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        sched_yield();
    }
}

void het_give(QTestState *s, const char *name, int fd)
{
    qtest_qmp_fds_assert_success(s, &fd, 1, "{ 'execute': 'getfd',"
                                 " 'arguments': { 'fdname': %s } }", name);
}

void het_pass(QTestState *s, const char *name, int fd)
{
    het_give(s, name, fd);
    close(fd);
}

void het_assert_no_fd(QTestState *s, const char *name)
{
    het_assert_error(qtest_qmp(s, "{ 'execute': 'closefd',"
                               " 'arguments': { 'fdname': %s } }", name),
                     "not found");
}

static bool het_maps(QTestState *s, const char *target)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", qtest_pid(s));
    g_autofree char *maps = NULL;

    g_assert(g_file_get_contents(path, &maps, NULL, NULL));
    return strstr(maps, target);
}

bool het_holds(QTestState *s, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", qtest_pid(s));
    g_autofree char *target = g_strdup_printf("/memfd:%s (deleted)", name);
    bool found = het_maps(s, target);
    struct dirent *entry;
    DIR *dir = opendir(path);

    g_assert(dir);
    while (!found && (entry = readdir(dir))) {
        g_autofree char *file = g_build_filename(path, entry->d_name, NULL);
        g_autofree char *link = g_file_read_link(file, NULL);

        found = g_strcmp0(link, target) == 0;
    }
    closedir(dir);
    return found;
}

bool het_maps_readonly(QTestState *s, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", qtest_pid(s));
    g_autofree char *target = g_strdup_printf("/memfd:%s (deleted)", name);
    g_autofree char *maps = NULL;
    g_auto(GStrv) lines = NULL;
    bool found = false;

    g_assert(g_file_get_contents(path, &maps, NULL, NULL));
    lines = g_strsplit(maps, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (strstr(*line, target)) {
            found = true;
            if (!strstr(*line, " r--s ")) {
                return false;
            }
        }
    }
    return found;
}

void het_assert_error(QDict *response, const char *text)
{
    QDict *error = qdict_get_qdict(response, "error");

    if (!error || !strstr(qdict_get_str(error, "desc"), text)) {
        g_error("wanted an error with '%s', got %s", text,
                error ? qdict_get_str(error, "desc") : "success");
    }
    qobject_unref(response);
}

void het_assert_state(QTestState *s, const char *state, const char *reason)
{
    QDict *info = qtest_qmp_assert_success_ref(s,
                                               "{ 'execute': 'query-het' }");

    g_assert_cmpstr(qdict_get_str(info, "state"), ==, state);
    g_assert_cmpstr(qdict_get_str(info, "reason"), ==, reason);
    qobject_unref(info);
}

void het_assert_status(QTestState *s, const char *status)
{
    QDict *info = qtest_qmp_assert_success_ref(s,
                                               "{ 'execute': 'query-status' }");

    g_assert_cmpstr(qdict_get_str(info, "status"), ==, status);
    qobject_unref(info);
}

void het_wait_state(QTestState *s, const char *state, const char *reason)
{
    bool found = false;

    while (!found) {
        QDict *event = qtest_qmp_eventwait_ref(s, "HET_SLAVE_STATE");
        QDict *data = qdict_get_qdict(event, "data");

        found = !strcmp(qdict_get_str(data, "state"), state) &&
                !strcmp(qdict_get_str(data, "reason"), reason);
        qobject_unref(event);
    }
}

void het_grant(QTestState *s, int fd)
{
    het_give(s, "w", fd);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem', 'memory': 'w' } }");
}

void het_give_couple(QTestState *s, uint32_t id)
{
    int page = het_memfd("het-page", HET_PAGE_SIZE, SEALS);
    HetPage *p = (HetPage *)het_map(page, HET_PAGE_SIZE);

    p->magic = HET_PAGE_MAGIC;
    p->version = HET_PAGE_VERSION;
    p->id = id;
    munmap(p, HET_PAGE_SIZE);
    het_pass(s, "p", page);
    het_pass(s, "r", eventfd(0, EFD_CLOEXEC));
    het_pass(s, "t", eventfd(0, EFD_CLOEXEC));
}

void het_assert_no_couple(QTestState *s)
{
    het_assert_no_fd(s, "p");
    het_assert_no_fd(s, "r");
    het_assert_no_fd(s, "t");
}

QDict *het_attach(QTestState *s, uint32_t id, int memory, uint64_t offset,
                  uint64_t address, uint64_t size)
{
    het_give_couple(s, id);
    het_give(s, "m", memory);
    return qtest_qmp(s, "{ 'execute': 'het-slave-attach', 'arguments':"
                     " { 'id': %u, 'couple': { 'page': 'p', 'rx': 'r',"
                     " 'tx': 't' }, 'window': { 'memory': 'm',"
                     " 'offset': %" PRIu64 ", 'address': %" PRIu64 ","
                     " 'size': %" PRIu64 " } } }", id, offset, address, size);
}

void het_assert_no_migration(QTestState *s, const char *text)
{
    g_autofree char *answer = qtest_hmp(s, "savevm x");

    g_assert_nonnull(strstr(answer, text));
    het_assert_error(qtest_qmp(s, "{ 'execute': 'migrate', 'arguments':"
                               " { 'uri': 'exec:cat >/dev/null' } }"), text);
}

char *het_image_file(void)
{
    char *name = NULL;
    int fd = g_file_open_tmp("het-test-XXXXXX", &name, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    close(fd);
    return name;
}
