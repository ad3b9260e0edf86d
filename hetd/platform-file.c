/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Platform files: the public functions. Called by the manager on the bus, and by hetctl's check. */

#include "platform-file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key-file.h"
#include "platform-parser.h"
#include "util/error.h"
#include "util/parse.h"

#define ERRORS_SHOWN_MAX        20U
#define PLATFORM_FILE_SUFFIX    ".platform"

typedef struct PlatformError {
        unsigned line;
        char *text;
} PlatformError;

/* --- errors --- */

static void platform_error_free(PlatformError *e) {
        g_free(e->text);
        g_free(e);
}

static void add_error(PlatformParser *p, unsigned line, const char *group, const char *key, const char *format,
                      va_list args) G_GNUC_PRINTF(5, 0);

static void add_error(PlatformParser *p, unsigned line, const char *group, const char *key, const char *format,
                      va_list args) {
        g_autoptr(GString) text = g_string_new(p->file);
        PlatformError *e = g_new0(PlatformError, 1);

        if (line > 0)
                g_string_append_printf(text, ":%u", line);
        g_string_append_c(text, ':');
        if (group)
                g_string_append_printf(text, " [%s]%s", group, key ? "" : ":");
        if (key)
                g_string_append_printf(text, " %s=:", key);
        g_string_append_c(text, ' ');
        g_string_append_vprintf(text, format, args);

        e->line = line;
        e->text = g_string_free(g_steal_pointer(&text), FALSE);
        g_ptr_array_add(p->errors, e);
}

void platform_parser_error(PlatformParser *p, unsigned line, const char *group, const char *key, const char *format,
                           ...) {
        va_list args;

        va_start(args, format);
        add_error(p, line, group, key, format, args);
        va_end(args);
}

void platform_parser_key_error(PlatformParser *p, ParsedProcessor *pp, ProcessorKey key, const char *format, ...) {
        unsigned line = pp->keys[key].state == KEY_ABSENT ? pp->config->line : pp->keys[key].line;
        va_list args;

        va_start(args, format);
        add_error(p, line, pp->group, processor_key_name(key), format, args);
        va_end(args);
        pp->keys[key].state = KEY_BAD;
}

static void syntax_error(void *userdata, unsigned line, const char *group, const char *key, const char *message) {
        platform_parser_error(userdata, line, group, key, "%s", message);
}

static int compare_errors(const void *a, const void *b) {
        const PlatformError *const *x = a, *const *y = b;

        return (int) ((*x)->line > (*y)->line) - (int) ((*x)->line < (*y)->line);
}

/* In the order of the file; the sort of pointer arrays is stable */
static void report_errors(PlatformParser *p, GError **error) {
        g_autoptr(GString) text = g_string_new(NULL);

        g_ptr_array_sort(p->errors, compare_errors);
        for (unsigned i = 0; i < MIN(p->errors->len, ERRORS_SHOWN_MAX); i++) {
                const PlatformError *e = g_ptr_array_index(p->errors, i);

                g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", e->text);
        }
        if (p->errors->len > ERRORS_SHOWN_MAX)
                g_string_append_printf(text, "\n%s: and %u more", p->file, p->errors->len - ERRORS_SHOWN_MAX);

        g_set_error_literal(error, HET_ERROR, HET_ERROR_INVALID_PLATFORM, text->str);
}

/* --- the objects --- */

static void processor_config_free(ProcessorConfig *c) {
        g_free(c->name);
        g_free(c->machine);
        g_free(c->cpu);
        g_free(c->firmware);
        g_free(c->kernel);
        g_free(c->initrd);
        g_free(c->command_line);
        g_free(c->device_tree);
        g_free(c->monitor);
        g_free(c->qemu);
        g_strfreev(c->extra_arguments);
        resource_limits_clear(&c->limits);
        g_free(c);
}

PlatformConfig *platform_config_free(PlatformConfig *config) {
        if (!config)
                return NULL;

        g_free(config->name);
        g_free(config->description);
        g_free(config->path);
        g_free(config->text);
        resource_limits_clear(&config->limits);
        if (config->variables)
                g_hash_table_unref(config->variables);
        if (config->processors)
                g_ptr_array_unref(config->processors);
        g_free(config);
        return NULL;
}

static void parsed_processor_free(ParsedProcessor *pp) {
        g_free(pp->group);
        g_free(pp);
}

const ProcessorConfig *platform_config_get_master(const PlatformConfig *config) {
        return platform_config_get_processor_by_id(config, 0);
}

const ProcessorConfig *platform_config_get_processor(const PlatformConfig *config, const char *name) {
        for (unsigned i = 0; i < config->processors->len; i++) {
                const ProcessorConfig *c = g_ptr_array_index(config->processors, i);

                if (strcmp(c->name, name) == 0)
                        return c;
        }

        return NULL;
}

const ProcessorConfig *platform_config_get_processor_by_id(const PlatformConfig *config, uint32_t id) {
        for (unsigned i = 0; i < config->processors->len; i++) {
                const ProcessorConfig *c = g_ptr_array_index(config->processors, i);

                if (c->id == id)
                        return c;
        }

        return NULL;
}

/* --- reading --- */

static void read_processor(PlatformParser *p, const KeyFileGroup *group, const char *name) {
        ParsedProcessor *pp;

        if (!platform_name_is_valid(name)) {
                platform_parser_error(p, group->line, group->name, NULL,
                                      "'%s' is no name; use up to %u letters, digits, _ and -, "
                                      "a letter first, as in [Processor slave1]",
                                      name, PLATFORM_NAME_MAX);
                return;
        }

        /* "[Processor  a]" and "[Processor a]" are different groups, but the same processor */
        for (unsigned i = 0; i < p->processors->len; i++) {
                const ParsedProcessor *other = g_ptr_array_index(p->processors, i);

                if (strcmp(other->config->name, name) == 0) {
                        platform_parser_error(p, group->line, group->name, NULL,
                                              "is there twice, first in line %u; put its keys together",
                                              other->config->line);
                        return;
                }
        }

        pp = g_new0(ParsedProcessor, 1);
        pp->group = g_strdup(group->name);
        pp->config = g_new0(ProcessorConfig, 1);
        pp->config->name = g_strdup(name);
        pp->config->line = group->line;
        g_ptr_array_add(p->processors, pp);
        g_ptr_array_add(p->config->processors, pp->config);

        for (unsigned i = 0; i < group->entries->len; i++) {
                const KeyFileEntry *e = g_ptr_array_index(group->entries, i);

                platform_parser_processor_key(p, pp, e->key, e->value, e->line);
        }
}

static void read_group(PlatformParser *p, const KeyFileGroup *group) {
        static const char *const names[] = { "Platform", "Processor" };
        g_autofree char *word = g_strndup(group->name, strcspn(group->name, " \t"));
        const char *rest = group->name + strlen(word);
        const char *nearest;

        rest += strspn(rest, " \t");
        if (strcmp(word, "Platform") == 0 && *rest == '\0') {
                for (unsigned i = 0; i < group->entries->len; i++) {
                        const KeyFileEntry *e = g_ptr_array_index(group->entries, i);

                        platform_parser_platform_key(p, e->key, e->value, e->line);
                }
                return;
        }

        if (strcmp(word, "Processor") == 0) {
                read_processor(p, group, rest);
                return;
        }

        nearest = nearest_name(word, names, G_N_ELEMENTS(names));
        if (nearest && strcmp(nearest, word) != 0)
                platform_parser_error(p, group->line, group->name, NULL, "is not known; did you mean [%s%s%s]?",
                                      nearest, *rest != '\0' ? " " : "", rest);
        else
                platform_parser_error(p, group->line, group->name, NULL,
                                      "is not known; there are [Platform] and [Processor NAME]");
}

static void find_name(PlatformParser *p, const char *path) {
        g_autofree char *base = NULL;

        if (p->config->name)
                return;

        base = path ? g_path_get_basename(path) : g_strdup("");
        if (g_str_has_suffix(base, PLATFORM_FILE_SUFFIX))
                base[strlen(base) - strlen(PLATFORM_FILE_SUFFIX)] = '\0';

        if (platform_name_is_valid(base))
                p->config->name = g_steal_pointer(&base);
        else
                platform_parser_error(p, 0, "Platform", "Name",
                                      "is missing, and the file's name does not give one; write Name=");
}

static int compare_processors(const void *a, const void *b) {
        const ProcessorConfig *const *x = a, *const *y = b;

        return (int) ((*x)->id > (*y)->id) - (int) ((*x)->id < (*y)->id);
}

static void read_text(PlatformParser *p, const char *path, const char *text, size_t size) {
        g_autoptr(GPtrArray) groups = NULL;
        bool limit_told = false;

        groups = key_file_parse(text, size, syntax_error, p);
        if (groups->len == 0 && p->errors->len > 0)
                return; /* nothing of it could be read: that something is missing follows from that */

        for (unsigned i = 0; i < groups->len; i++) {
                const KeyFileGroup *group = g_ptr_array_index(groups, i);

                if (p->processors->len < PLATFORM_PROCESSORS_MAX)
                        read_group(p, group);
                else if (!limit_told) {
                        platform_parser_error(p, group->line, group->name, NULL,
                                              "is one too many; a platform has up to %u processors",
                                              PLATFORM_PROCESSORS_MAX);
                        limit_told = true;
                }
        }

        find_name(p, path);
        platform_parser_check(p);
}

static bool check_name(const char *name, GError **error) {
        if (platform_name_is_valid(name))
                return true;

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                    "'%s' is no name of a platform; use up to %u letters, digits, _ and -, a letter first", name, PLATFORM_NAME_MAX);
        return false;
}

static bool parse(const char *name, const char *path, const char *text, size_t size, GHashTable *variables, bool again,
                  PlatformConfig **ret, GError **error) {
        g_autoptr(PlatformConfig) config = g_new0(PlatformConfig, 1);
        g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func((GDestroyNotify) platform_error_free);
        g_autoptr(GPtrArray) processors = g_ptr_array_new_with_free_func((GDestroyNotify) parsed_processor_free);
        g_autofree char *directory = path ? g_path_get_dirname(path) : NULL;
        PlatformParser p = {
                .file = path ?: name ?: "platform file",
                .directory = directory,
                .variables = variables,
                .again = again,
                .config = config,
                .processors = processors,
                .errors = errors,
        };

        config->processors = g_ptr_array_new_with_free_func((GDestroyNotify) processor_config_free);
        config->path = g_strdup(path);
        config->name = g_strdup(name);

        if (name && !check_name(name, error))
                return false;

        if (size > PLATFORM_FILE_SIZE_MAX)
                platform_parser_error(&p, 0, NULL, NULL, "is larger than %u bytes, which no platform file is",
                                      PLATFORM_FILE_SIZE_MAX);
        else
                read_text(&p, path, text, size);

        if (errors->len > 0) {
                report_errors(&p, error);
                return false;
        }

        g_ptr_array_sort(config->processors, compare_processors);
        config->text = g_memdup2(text, size);
        config->size = size;
        config->variables = variables ? g_hash_table_ref(variables) : NULL;
        *ret = g_steal_pointer(&config);
        return true;
}

bool platform_config_parse(const char *name, const char *path, const char *text, size_t size, GHashTable *variables,
                           PlatformConfig **ret, GError **error) {
        return parse(name, path, text, size, variables, false, ret, error);
}

bool platform_config_parse_again(const char *name, const char *path, const char *text, size_t size, GHashTable *variables,
                                 PlatformConfig **ret, GError **error) {
        return parse(name, path, text, size, variables, true, ret, error);
}

bool platform_config_read_fd(const char *name, const char *path, int fd, GHashTable *variables,
                             PlatformConfig **ret, GError **error) {
        const char *file = path ?: name ?: "platform file";
        g_autofree char *text = NULL;
        struct stat st;
        size_t size = 0;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: is not a regular file or memfd", file);
                return false;
        }

        /* One byte more than is allowed, so that a file that grows meanwhile is noticed, too */
        text = g_malloc(PLATFORM_FILE_SIZE_MAX + 1);
        while (size <= PLATFORM_FILE_SIZE_MAX) {
                ssize_t n = pread(fd, text + size, PLATFORM_FILE_SIZE_MAX + 1 - size, (off_t) size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        int saved = errno;

                        g_set_error(error, HET_ERROR, het_error_from_errno(saved), "%s: cannot be read: %s", file,
                                    g_strerror(saved));
                        return false;
                }
                if (n == 0)
                        break;
                size += (size_t) n;
        }

        return platform_config_parse(name, path, text, size, variables, ret, error);
}

char **platform_config_get_directories(bool user) {
        g_autoptr(GPtrArray) list = g_ptr_array_new();

        if (user)
                g_ptr_array_add(list, g_build_filename(g_get_user_config_dir(), "hetd", NULL));
        g_ptr_array_add(list, g_strdup("/etc/hetd"));
        if (user)
                g_ptr_array_add(list, g_build_filename(g_get_user_data_dir(), "hetd", NULL));
        g_ptr_array_add(list, g_strdup("/usr/local/lib/hetd"));
        g_ptr_array_add(list, g_strdup("/usr/lib/hetd"));
        g_ptr_array_add(list, NULL);

        return (char **) g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

bool platform_config_find(const char *name, const char *const *directories, char **ret_path, GError **error) {
        g_autofree char *looked = g_strjoinv(", ", (char **) directories);

        if (!check_name(name, error))
                return false;

        for (; *directories; directories++) {
                g_autofree char *path = g_strdup_printf("%s/%s" PLATFORM_FILE_SUFFIX, *directories, name);

                if (g_file_test(path, G_FILE_TEST_EXISTS)) {
                        *ret_path = g_steal_pointer(&path);
                        return true;
                }
        }

        g_set_error(error, HET_ERROR, HET_ERROR_NO_SUCH_PLATFORM, "There is no %s" PLATFORM_FILE_SUFFIX " in %s", name,
                    *looked != '\0' ? looked : "any directory");
        return false;
}

/* --- names --- */

bool platform_name_is_valid(const char *name) {
        size_t length = strlen(name);

        if (length == 0 || length > PLATFORM_NAME_MAX || !g_ascii_isalpha(name[0]))
                return false;

        for (size_t i = 0; i < length; i++)
                if (!g_ascii_isalnum(name[i]) && name[i] != '_' && name[i] != '-')
                        return false;

        return true;
}

const char *processor_role_to_string(ProcessorRole role) {
        return role == PROCESSOR_MASTER ? "master" : "slave";
}

static const char *const protocols[_BOOT_PROTOCOL_MAX] = {
        [BOOT_PROTOCOL_AUTO] = "auto",
        [BOOT_PROTOCOL_RAW] = "raw",
        [BOOT_PROTOCOL_LINUX] = "linux",
        [BOOT_PROTOCOL_VECTOR_TABLE] = "vector-table",
};

const char *boot_protocol_to_string(BootProtocol protocol) {
        return protocol < _BOOT_PROTOCOL_MAX ? protocols[protocol] : NULL;
}

bool boot_protocol_from_string(const char *s, BootProtocol *ret) {
        for (BootProtocol protocol = 0; protocol < _BOOT_PROTOCOL_MAX; protocol++)
                if (strcmp(s, protocols[protocol]) == 0) {
                        *ret = protocol;
                        return true;
                }

        return false;
}

static const char *const remoteprocs[_REMOTEPROC_MAX] = {
        [REMOTEPROC_IDM] = "idm",
        [REMOTEPROC_STM32] = "stm32",
};

const char *window_access_to_string(bool read_only) {
        return read_only ? "ro" : "rw";
}

const char *remoteproc_to_string(Remoteproc remoteproc) {
        return remoteproc < _REMOTEPROC_MAX ? remoteprocs[remoteproc] : NULL;
}

bool remoteproc_from_string(const char *s, Remoteproc *ret) {
        for (Remoteproc remoteproc = REMOTEPROC_IDM; remoteproc < _REMOTEPROC_MAX; remoteproc++)
                if (strcmp(s, remoteprocs[remoteproc]) == 0) {
                        *ret = remoteproc;
                        return true;
                }

        return false;
}
