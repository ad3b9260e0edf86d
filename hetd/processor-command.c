/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A command, and the state that it leads to; stop, reset and kick of a processor. See processor.h. */

#include "processor.h"

#include "platform.h"
#include "util/json-util.h"

typedef struct Effect {
        Processor *processor;
        unsigned mask;                  /* of the states, 0: none */
        bool answered, waiting, ended;
        DoneFunc done;
        void *userdata;
} Effect;

static void effect_unref(Effect *effect) {
        if (effect->ended && effect->answered && !effect->waiting)
                g_free(effect);
}

static void effect_end(Effect *effect, const GError *error) {
        DoneFunc done = effect->done;
        void *userdata = effect->userdata;

        effect->ended = true;
        effect_unref(effect);
        done(error, userdata);
}

static void on_effect_seen(const GError *error, void *userdata) {
        Effect *effect = userdata;

        effect->waiting = false;
        if (effect->ended)
                effect_unref(effect);
        else if (!error || effect->answered)            /* else the answer says more */
                effect_end(effect, error);
}

static void effect_wait(Effect *effect) {
        effect->waiting = true;
        processor_wait(effect->processor, effect->mask | PROCESSOR_FROM_CRASH, PROCESSOR_STATE_TIMEOUT_USEC, on_effect_seen, effect);
}

static void on_effect_answered(const GError *error, void *userdata) {
        Effect *effect = userdata;

        effect->answered = true;
        if (effect->ended)
                effect_unref(effect);
        else if (error || !effect->mask)
                effect_end(effect, error);
        else if (!effect->waiting)
                effect_wait(effect);
}

/*
 * QEMU tells of the state by an event, which comes before the answer or right after it. It is the event that counts: who sees the
 * state, and has another wish at once, shall not be told that this one is still being carried out.
 */
void processor_call_for_state(Processor *p, const char *command, json_object *arguments_consume, unsigned mask, DoneFunc done,
                              void *userdata) {
        Effect *effect = g_new0(Effect, 1);

        effect->processor = p;
        effect->mask = mask;
        effect->done = done;
        effect->userdata = userdata;
        if (mask && !processor_in_states(p, mask))
                effect_wait(effect);
        processor_call(p, command, arguments_consume, NULL, 0, on_effect_answered, effect);
}

/* --- verbs that are one command --- */

typedef struct Verb {
        Processor *processor;
        DoneFunc done;
        void *userdata;
} Verb;

static void on_verb_done(const GError *error, void *userdata) {
        g_autofree Verb *verb = userdata;

        processor_end_verb(verb->processor);
        verb->done(error, verb->userdata);
}

static void verb_run(Processor *p, const char *command, unsigned mask, DoneFunc done, void *userdata) {
        Verb *verb = g_new0(Verb, 1);

        verb->processor = p;
        verb->done = done;
        verb->userdata = userdata;
        processor_call_for_state(p, command, NULL, mask, on_verb_done, verb);
}

#define STATES_NOT_BOOTED (PROCESSOR_STATE_MASK(PROCESSOR_READY) | PROCESSOR_STATE_MASK(PROCESSOR_WAITING))

void processor_stop(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (processor_is_master(p))
                processor_wrong_state(p, &error, "it is the master, stop the platform instead");
        else if (!p->monitor_ready)
                processor_wrong_state(p, &error, "there is no QEMU to be stopped");
        else if (processor_begin(p, "stop", &error)) {
                verb_run(p, "het-slave-stop", STATES_NOT_BOOTED, done, userdata);
                return;
        }

        done(error, userdata);
}

void processor_reset(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;

        if (!p->monitor_ready)
                processor_wrong_state(p, &error, "there is no QEMU to be reset");
        else if (processor_begin(p, "reset", &error)) {
                verb_run(p, "system_reset", processor_is_master(p) ? 0 : STATES_NOT_BOOTED, done, userdata);
                return;
        }

        done(error, userdata);
}

void processor_kick(Processor *p, uint32_t vector, bool from_slave, DoneFunc done, void *userdata) {
        Processor *sender = from_slave ? p : platform_get_master(p->platform);
        g_autoptr(GError) error = NULL;
        json_object *arguments;

        if (vector >= HET_VECTORS)
                g_set_error(&error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "There is no vector %u, they are 0 to %u", vector,
                            HET_VECTORS - 1);
        else if (processor_is_master(p))
                processor_wrong_state(p, &error, "it is the master, kick a slave (or with FromSlave the master from a slave)");
        else if (!p->couple)
                processor_wrong_state(p, &error, "it has no couple with the master now");
        if (error) {
                done(error, userdata);
                return;
        }

        arguments = json_object_new_object();
        json_add_uint64(arguments, "id", from_slave ? 0 : p->config->id);
        json_add_uint64(arguments, "vector", vector);
        processor_call(sender, "het-ipi-send", arguments, NULL, 0, done, userdata);
}
