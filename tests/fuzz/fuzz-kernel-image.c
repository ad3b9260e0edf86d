/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Arbitrary bytes as a Linux kernel. What is accepted lies in the file, and where the header promises; a refusal names the file. */

#include "fuzz.h"
#include "kernel-image.h"
#include "util/error.h"
#include "util/fd-util.h"

#include <sys/mman.h>
#include <unistd.h>

#define END_MAX (UINT64_C(1) << 40)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        HET_AUTO_FD int fd = memfd_create("kernel", MFD_CLOEXEC);
        g_autoptr(GError) error = NULL;
        KernelImage image = {};

        g_assert_true(write(fd, data, size) == (ssize_t) size);
        if (!kernel_image_read("kernel", fd, 0x40000000, &image, &error)) {
                g_assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
                g_assert_true(g_str_has_prefix(error->message, "kernel: "));
                return 0;
        }

        g_assert_nonnull(kernel_format_to_string(image.format));
        g_assert_true(image.file_size > 0 && image.file_offset <= size && image.file_size <= size - image.file_offset);
        g_assert_true(image.load_offset < END_MAX && image.memory_size < END_MAX);
        g_assert_true(image.load_offset + image.file_size <= image.memory_size);
        g_assert_true(image.entry_offset >= image.load_offset && image.entry_offset < image.memory_size);
        return 0;
}
