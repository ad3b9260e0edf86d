/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cgroup.h"

#include <glib.h>
#include <string.h>

struct Cgroups {
        char **lines;                   /* "NUMBER:CONTROLLERS:PATH"; that of v2 has no controllers, systemd's of v1 a name */
        char *unit;
};

/* Units are the last part of the path in systemd's own hierarchy */
static char *find_unit(char *const *lines) {
        for (; *lines; lines++) {
                const char *path = strstr(*lines, ":name=systemd:/");

                if (path || g_str_has_prefix(*lines, "0::/"))
                        return g_strdup(strrchr(*lines, '/') + 1);
        }

        return g_strdup("");
}

Cgroups *cgroups_read(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int) pid), *text = NULL;
        Cgroups *cgroups;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return NULL;

        cgroups = g_new0(Cgroups, 1);
        cgroups->lines = g_strsplit(text, "\n", -1);
        cgroups->unit = find_unit(cgroups->lines);
        return cgroups;
}

Cgroups *cgroups_free(Cgroups *cgroups) {
        if (cgroups) {
                g_strfreev(cgroups->lines);
                g_free(cgroups->unit);
                g_free(cgroups);
        }

        return NULL;
}

const char *cgroups_get_unit(const Cgroups *cgroups) {
        return cgroups->unit;
}

static bool has_word(const char *text, const char *separators, const char *word) {
        g_auto(GStrv) words = g_strsplit_set(text, separators, -1);

        return g_strv_contains((const char *const *) words, word);
}

static bool unified_has(const char *path, const char *controller) {
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

        for (size_t i = 0; i < G_N_ELEMENTS(mounts); i++) {
                g_autofree char *file = g_strdup_printf("%s%s/cgroup.controllers", mounts[i], path), *text = NULL;

                if (g_file_get_contents(file, &text, NULL, NULL) && has_word(text, " \n", controller))
                        return true;
        }

        return false;
}

/* In v1 a process is in the root, or wherever its container is, of a controller that its unit does not have */
bool cgroups_have(const Cgroups *cgroups, const char *controller, const char *old_controller) {
        for (char **line = cgroups->lines; *line; line++) {
                g_auto(GStrv) parts = g_strsplit(*line, ":", 3);

                if (g_strv_length(parts) < 3)
                        continue;
                if (*parts[1] == '\0' ? unified_has(parts[2], controller) :
                    old_controller && has_word(parts[1], ",", old_controller) && g_str_has_suffix(parts[2], cgroups->unit))
                        return true;
        }

        return false;
}
