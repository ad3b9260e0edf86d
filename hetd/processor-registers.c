/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The registers of a slave's CPUs, as QEMU puts them into an ELF core file (dump-guest-memory): each architecture as debuggers know
 * it. See processor.h.
 */

#include "processor.h"

#include "util/fd-util.h"
#include "util/json-util.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE    4096U           /* of the window: QEMU makes no file without any memory */

typedef struct Dump {
        Processor *processor;
        int fd;
        ProcessorFdFunc done;
        void *userdata;
} Dump;

static void dump_end(Dump *dump, const GError *error) {
        ProcessorFdFunc done = dump->done;
        void *userdata = dump->userdata;
        HET_AUTO_FD int fd = dump->fd;

        (void) lseek(fd, 0, SEEK_SET);          /* it is QEMU's as well, who has written */
        processor_end_verb(dump->processor);
        g_free(dump);
        done(error ? -EBADF : fd, error, userdata);
}

static void on_dumped(const GError *error, void *userdata) {
        dump_end(userdata, error);
}

static bool may_dump(Processor *p, GError **error) {
        if (processor_is_master(p))
                return processor_wrong_state(p, error, "it is the master, whose memory is its QEMU's");
        if (!p->monitor_ready || !p->granted || !processor_in_states(p, PROCESSOR_STATE_MASK(PROCESSOR_PAUSED) |
                                                                     PROCESSOR_STATE_MASK(PROCESSOR_CRASHED)))
                return processor_wrong_state(p, error, "only CPUs that have stopped where they were have registers to look at: those of a "
                                             "slave that is paused, or whose guest has crashed while its QEMU lives on");

        return processor_begin(p, "dump", error);
}

void processor_dump_registers(Processor *p, ProcessorFdFunc done, void *userdata) {
        HET_AUTO_FD int fd = memfd_create("het-registers", MFD_CLOEXEC);
        g_autoptr(GError) error = NULL;
        json_object *arguments;
        Dump *dump;

        if (fd < 0)
                g_set_error(&error, HET_ERROR, het_error_from_errno(errno), "Cannot make a file for the registers: %s", g_strerror(errno));
        if (error || !may_dump(p, &error)) {
                done(-EBADF, error, userdata);
                return;
        }

        const QmpClientFd fds[] = { { "protocol=fd:", fd } };

        dump = g_new0(Dump, 1);
        dump->processor = p;
        dump->done = done;
        dump->userdata = userdata;
        arguments = json_object_new_object();
        json_add_bool(arguments, "paging", false);
        json_add_uint64(arguments, "begin", p->config->window_address);
        json_add_uint64(arguments, "length", PAGE);
        dump->fd = fd_take(&fd);
        processor_call(p, "dump-guest-memory", arguments, fds, G_N_ELEMENTS(fds), on_dumped, dump);
}
