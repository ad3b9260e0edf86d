/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "state-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"
#include "util/file-util.h"
#include "util/json-util.h"

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }

        return 0;
}

static int write_new(const char *path, const void *data, size_t size) {
        HET_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? -errno : write_all(fd, data, size);
}

bool state_file_write(const char *path, const void *data, size_t size, GError **error) {
        g_autofree char *new = g_strdup_printf("%s.new", path);
        int r = write_new(new, data, size);

        if (r >= 0 && rename(new, path) < 0)
                r = -errno;
        if (r >= 0)
                return true;

        (void) unlink(new);
        g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot write %s: %s", path, g_strerror(-r));
        return false;
}

static bool boot_id(char ret[SD_ID128_STRING_MAX]) {
        sd_id128_t id;

        if (sd_id128_get_boot(&id) < 0)
                return false;

        sd_id128_to_string(id, ret);
        return true;
}

bool state_file_write_json(const char *path, json_object *object, GError **error) {
        char boot[SD_ID128_STRING_MAX] = "";
        const char *text;

        (void) boot_id(boot);
        json_add_uint64(object, "version", STATE_FILE_VERSION);
        json_add_string(object, "boot", boot);
        text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        return state_file_write(path, text, strlen(text), error);
}

static json_object *parse(const char *text, size_t size) {
        json_tokener *tokener = json_tokener_new();
        json_object *object;

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, text, (int) size);
        json_tokener_free(tokener);
        return object;
}

bool state_file_read_json(const char *path, json_object **ret, GError **error) {
        char boot[SD_ID128_STRING_MAX] = "";
        g_autoptr(json_object) object = NULL;
        g_autofree char *text = NULL;
        uint64_t version = 0;
        const char *of_boot;
        size_t size;

        if (!file_read(path, STATE_FILE_SIZE_MAX, &text, &size, error))
                return false;

        object = parse(text, size);
        of_boot = object ? json_get_string(object, "boot") : NULL;
        if (!of_boot || !json_get_uint64(object, "version", &version)) {
                g_set_error(error, HET_ERROR, HET_ERROR_PROTOCOL, "%s is no file of hetd", path);
                return false;
        }

        (void) boot_id(boot);
        *ret = NULL;
        if (!g_str_equal(of_boot, boot))
                return true;

        if (version != STATE_FILE_VERSION) {
                g_set_error(error, HET_ERROR, HET_ERROR_NOT_SUPPORTED, "%s has the version %" G_GUINT64_FORMAT ", and this hetd knows %u", path,
                            version, STATE_FILE_VERSION);
                return false;
        }

        *ret = g_steal_pointer(&object);
        return true;
}
