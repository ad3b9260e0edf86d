/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A couple that an earlier hetd has made: its files come back from a QEMU, which may be hostile. They are taken only if they are the
 * very files that were made then. See couple.h.
 */

#include "couple.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

/* No two eventfds of one boot have the same; 0: it is none */
static uint64_t eventfd_number(int fd) {
        g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd);
        HET_AUTO_FD int info = open(path, O_RDONLY | O_CLOEXEC);
        char text[512];
        const char *line;
        uint64_t number;
        ssize_t n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);

        if (n < 0)
                return 0;

        text[n] = '\0';
        line = strstr(text, "eventfd-id:");
        return line && sscanf(line, "eventfd-id: %" SCNu64, &number) == 1 ? number + 1 : 0;     /* they begin with 0 */
}

const CoupleIdentity *couple_identify(Couple *c) {
        const int eventfds[] = { c->to_master, c->to_slave, c->to_master_halt, c->to_slave_halt };

        if (c->identity.page != 0)
                return &c->identity;

        c->identity.page = window_memory_number(c->page_fd);
        for (size_t i = 0; i < G_N_ELEMENTS(eventfds); i++)
                c->identity.eventfds[i] = eventfd_number(eventfds[i]);
        return &c->identity;
}

/* Another file system, one that a QEMU can fill as it likes, may have a file of that number, too; none of those has the seals */
static bool is_sealed(int fd) {
        int seals = fcntl(fd, F_GET_SEALS);

        return seals >= 0 && (seals & COUPLE_SEALS) == COUPLE_SEALS;
}

static bool is_same(const CoupleIdentity *a, const CoupleIdentity *b) {
        bool same = a->page == b->page;

        for (size_t i = 0; i < G_N_ELEMENTS(a->eventfds); i++)
                same = same && a->eventfds[i] == b->eventfds[i] && a->eventfds[i] != 0;

        return same;
}

bool couple_adopt(uint32_t id, int fds[COUPLE_FDS], const CoupleIdentity *identity, Couple **ret, GError **error) {
        g_autoptr(Couple) c = g_new0(Couple, 1);
        void *page;

        c->id = id;
        c->page_fd = fd_take(&fds[0]);
        c->to_master = fd_take(&fds[1]);
        c->to_slave = fd_take(&fds[2]);
        c->to_master_halt = fd_take(&fds[3]);
        c->to_slave_halt = fd_take(&fds[4]);

        if (!is_same(couple_identify(c), identity) || !is_sealed(c->page_fd)) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "What was given back is not the couple of slave %u", id);
                return false;
        }

        page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);
        if (page == MAP_FAILED) {
                int saved = errno;

                g_set_error(error, HET_ERROR, het_error_from_errno(saved), "Cannot map the page of slave %u: %s", id, g_strerror(saved));
                return false;
        }

        c->page = page;
        *ret = g_steal_pointer(&c);
        return true;
}
