#!/usr/bin/python3
"""seeded_bugs.py -- does the suite notice? Each mistake in the table is turned
on in a build that contains them all (preset `seeded`, TIDINGS_BUG=name), and
the test named for it must fail; with no mistake turned on it must pass. Many
fail by waiting in vain, so deadlines are half as long as usual, in both runs.

    seeded_bugs.py [NAME...]

TIDINGS_SEEDED_BIN names the program, build/seeded/tidings by default.
"""

import concurrent.futures
import functools
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TIDINGS_SEEDED_BIN",
                                     ROOT / "build/seeded/tidings"))
AT_ONCE = 4  # they wait more than they work
TRIES = 4  # where a kill has to fall is chance

RIGHTS = "test_82_rights.py::"
TABLE = "../front/test_table.py::"
LIFE = "test_84_token_life.py::"
SHARED = "test_74_shared_sessions.py::"
REWOUND = "test_74_rewound.py::"
LOOKS = "test_74_rewound_looks.py::"
MATRIX = "test_86_rights_matrix.py"

# mistake -> the tests expected to catch it
BUGS = {
    "length-and-coding-taken": [TABLE + "test_a_row[plain-9112 11.2: CL.TE]"],
    "fold-taken": [TABLE + "test_a_row[plain-9112 5.2: a folded field]"],
    "type-with-controls": [
        "test_80_walls.py::test_1_a_type_cannot_forge_lines"],
    "log-unescaped": ["../front/test_injection.py::"
                      "test_what_is_logged_stays_on_its_line"],
    "core-dumps-left-on": ["test_82_hardening.py::test_a_crash_leaves_no_core"],
    "ack-before-commit": ["kill_rounds.py"],
    "resume-off-by-one-early": ["test_50_resume.py::"
                                "test_1_an_id_means_after_this_event"],
    "resume-off-by-one-late": ["test_50_resume.py::"
                               "test_1_an_id_means_after_this_event"],
    "chain-cut": ["test_50_resume.py::test_a_sparse_channel_in_a_long_journal"],
    "amend-apart": ["kill_rounds.py"],
    "amend-without-row": ["test_76_amend.py::"
                          "test_7_amendments_outlive_the_server"],
    "amend-stale-slice": [
        "test_76_amend.py::"
        "test_7_what_was_read_before_a_correction_is_not_given_after_it"],
    "cr-not-split": ["test_80_walls.py::test_3_data_cannot_forge_events",
                     "test_30_sse.py::test_3_any_text_comes_through"],
    "session-ack-before-commit": [
        "test_57_sessions.py::test_8_what_was_acknowledged_outlives_a_kill"],
    "session-unstored": [
        "test_57_sessions.py::test_2_a_new_session_outlives_a_kill"],
    "session-untold": [
        SHARED + "test_a_session_that_was_made_at_a_is_known_at_b"],
    "session-unread": [
        "test_74_session_faults.py::test_what_is_unknown_is_not_begun_anew_"
        "while_nobody_can_be_asked[freeze]"],
    "session-owner-unasked": [
        SHARED + "test_what_a_has_not_told_yet_is_asked_for"],
    "session-unclaimed": ["test_74_session_bounds.py::"
                          "test_who_answers_has_said_so_before"],
    "session-forgotten": [
        "test_74_session_faults.py::"
        "test_one_made_where_the_stream_had_dropped_it_ends_none[a]"],
    "session-lost": [
        "test_74_session_faults.py::"
        "test_what_the_stream_has_dropped_is_told_again"],
    "session-roomless": [
        "test_74_session_faults.py::"
        "test_beyond_its_limit_an_instance_asks_the_stream"],
    "session-unlooked": [
        "test_74_session_faults.py::"
        "test_what_is_unknown_is_not_begun_anew_while_nobody_can_be_asked"
        "[kill]"],
    "session-apart": ["test_74_session_faults.py::"
                      "test_a_message_is_learned_with_its_sequence"],
    "token-alg-decides": [
        "test_83_tokens.py::test_8_the_key_decides_the_algorithm"],
    "token-signature-prefix": [
        "test_83_tokens.py::test_8_a_signature_counts_as_a_whole"],
    "token-exp-unchecked": ["test_83_tokens.py::test_8_a_token_ends"],
    "token-nbf-unchecked": ["test_83_tokens.py::test_8_a_token_begins"],
    "token-iss-unchecked": [
        "test_83_tokens.py::"
        "test_8_audience_and_issuer_count_when_they_are_set"],
    "token-aud-unchecked": [
        "test_83_tokens.py::"
        "test_8_audience_and_issuer_count_when_they_are_set"],
    "token-crit-ignored": [
        "test_83_tokens.py::test_8_what_must_be_understood_is_refused"],
    "token-name-twice": ["test_83_tokens.py::test_8_a_name_stands_once"],
    "token-kid-chooses-nothing": [
        "test_83_tokens.py::test_8_kid_rules_keys_out"],
    "secret-short": [
        "test_83_tokens.py::test_a_weak_or_mistaken_secret_stops_the_start"],
    "secret-is-a-key": [
        "test_83_tokens.py::test_a_weak_or_mistaken_secret_stops_the_start"],
    "key-of-small-order": [
        "test_83_tokens.py::test_a_key_of_small_order_stops_the_start"],
    "right-star-covers-greater": [
        "test_83_tokens.py::test_8_a_right_covers_all_that_is_asked"],
    "shutdown-unstored": [
        "test_56_shutdown.py::test_a_restart_goes_on_with_it"],
    "shutdown-early-let-in": [
        "test_56_shutdown.py::"
        "test_who_comes_back_early_is_told_again_at_once"],
    "shutdown-foreign-page": ["test_56_shutdown.py::test_strangers_may_not"],
    "ahead-is-future": [
        "test_73_instances.py::"
        "test_a_short_poll_waits_only_when_it_is_ahead"],
    "ahead-repeated": [
        "test_73_instances.py::"
        "test_who_is_ahead_waits_and_gets_nothing_twice"],
    "presence-outlives-its-instance": [
        "test_72_presence.py::"
        "test_the_counts_of_a_killed_instance_vanish_and_somebody_says_so"],
    "presence-last-untold": [
        "test_72_presence.py::"
        "test_the_counts_of_a_killed_instance_vanish_and_somebody_says_so"],
    "live-unchecked": [RIGHTS + "test_8_nothing_without_a_token"],
    "replay-unchecked": [MATRIX],
    "websocket-subscribe-unchecked": [MATRIX],
    "websocket-patterns-for-nothing": [
        "test_45_websocket.py::"
        "test_6_each_pattern_that_looks_at_much_is_paid_for"],
    "wait-key-unowned": [
        RIGHTS + "test_8_each_sub_has_wait_keys_of_its_own"],
    "batch-line-unchecked": [MATRIX],
    "amend-unchecked": [MATRIX],
    "listing-unchecked": [MATRIX],
    "channel-betrayed": [
        RIGHTS + "test_8_what_one_may_not_see_is_as_what_is_not_there"],
    "session-unowned": [MATRIX],
    "cookie-writes": [MATRIX],
    "cookie-foreign-origin": [MATRIX],
    "admin-without-claim": [MATRIX],
    "figures-open": [MATRIX],
    "token-logged": [RIGHTS + "test_8_a_token_in_the_query_is_written_nowhere"],
    "expiry-ignored": [
        LIFE + "test_8_streams_of_every_flavor_end_before_their_token"],
    "withdrawal-ignored": [
        LIFE + "test_8_a_withdrawn_key_ends_what_it_let_in_at_once"],
    "cache-outlives-keys": [
        LIFE + "test_8_a_withdrawn_key_ends_what_it_let_in_at_once"],
    "limits-not-given-back": [
        "test_62_connection_limits.py::"
        "test_what_is_held_is_given_back_however_a_connection_ends",
        "test_64_quotas.py::test_streams_of_a_subject"],
    "refused-is-taken": ["test_72_stream_publish.py::"
                         "test_7_what_the_journal_refused_is_no_duplicate"],
    "limits-proxy-leaves": ["test_63_trusted_proxies.py::"
                            "test_a_header_takes_nobody_out_of_the_reserve"],
    "limits-no-reserve": [
        "test_62_connection_limits.py::"
        "test_the_reserve_is_kept_for_publishers_and_health"],
    "limits-believe-all": [
        "test_63_trusted_proxies.py::test_nobody_else_is_believed"],
    "limits-leftmost-hop": [
        "test_63_trusted_proxies.py::test_clients_are_counted_and_not_the_proxy"],
    "limits-whole-ipv6": [
        "test_63_trusted_proxies.py::test_clients_are_counted_and_not_the_proxy"],
    "limits-batch-is-one": [
        "test_64_quotas.py::test_a_batch_counts_its_lines"],
    "limits-refused-is-counted": [
        "test_64_quotas.py::test_a_new_channel_counts_once"],
    "limits-by-address-only": [
        "test_64_quotas.py::"
        "test_a_subject_is_one_publisher_wherever_it_comes_from"],
    "limits-reserve-forever": [
        "test_62_connection_limits.py::"
        "test_a_silent_connection_of_the_reserve_is_gone_soon"],
    "limits-header-from-all": [
        "test_63_trusted_proxies.py::test_only_trusted_proxies_may_say_it"],
    "position-apart": ["test_73_stream_faults.py::"
                       "test_kills_of_either_side_lose_nothing"],
    "stream-sequence-alone": ["test_73_stream_faults.py::"
                              "test_a_stream_that_is_made_again"],
    "silence-unheeded": ["test_73_stream_faults.py::"
                         "test_a_stream_that_nobody_answers_for"],
    "note-unasked": ["test_73_stream_faults.py::"
                     "test_a_note_that_nobody_gave_is_asked_for_again"],
    "redelivered-taken": [REWOUND +
                          "test_messages_that_come_again_are_applied_once"],
    "short-word-believed": [REWOUND +
                            "test_a_new_leaders_short_word_is_no_rewind"],
    "epochs-believed": ["test_74_told_ids.py::"
                        "test_epochs_that_cannot_be_are_not_believed"],
    "foreign-note-taken": ["test_74_told_ids.py::test_a_note_of_a_stream_that"
                           "_is_a_source_is_not_ours"],
    "peers-unheard": [REWOUND +
                      "test_who_had_not_read_the_lost_tail_hears_of_it"],
    "acked-before-epoch": [
        LOOKS + "test_no_id_is_promised_before_the_new_ones_are_known"],
    "acked-unlooked": [
        LOOKS + "test_a_stream_that_was_restored_under_an_open_connection"],
    "position-undated": [
        LOOKS + "test_who_has_passed_over_the_lost_tail_sees_it_too"],
    "hole-in-batch": [REWOUND +
                      "test_5_what_was_kept_and_what_is_new_in_one_commit"],
    "lost-key-counts": [
        REWOUND + "test_7_a_key_whose_event_was_lost_may_come_again"],
    "time-unspeakable": [
        REWOUND + "test_a_lost_message_of_early_in_a_second"],
    "told-again": [REWOUND + "test_5_a_poll_in_what_was_lost_is_told_once"],
    "ack-before-stream": ["test_72_stream_publish.py::"
                          "test_7_a_stream_that_is_full"],
    "demotion-loses-event": [
        "test_60_slow_and_rude.py::"
        "test_a_stream_that_is_not_read_is_put_back_and_loses_nothing",
        "test_60_slow_and_rude.py::"
        "test_many_small_events_to_a_reader_that_stops_and_goes"],
    "tls-pending-left": [
        "test_63_tls.py::test_a_request_is_read_to_its_end"],
    "tls-retry-other": [
        "test_63_tls.py::test_a_slow_reader_loses_nothing"],
    "tls-no-goodbye": ["test_63_tls.py::test_the_end_of_an_answer_is_said"],
    "handshake-forever": [
        "test_63_tls.py::test_a_handshake_that_does_not_come_is_cut_off"],
    "handshakes-unbounded": [
        "test_63_tls.py::test_one_handshake_too_many_ends_the_oldest"],
}


def run(test, bug):
    """The exit status of one test, and what it said."""
    environment = dict(os.environ, TIDINGS_BIN=str(BINARY.absolute()),
                       PYTHONDONTWRITEBYTECODE="1")
    environment["TIDINGS_TEST_SLOWNESS"] = str(
        0.5 * float(environment.get("TIDINGS_TEST_SLOWNESS", "1")))
    environment.pop("TIDINGS_BUG", None)
    if bug:
        environment["TIDINGS_BUG"] = bug
    if test == "kill_rounds.py":
        command = [str(ROOT / "tests/fault/kill_rounds.py"), "--rounds", "10"]
    else:
        command = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                   str(ROOT / "tests/blackbox" / test)]
    done = subprocess.run([sys.executable, *command], env=environment,
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@functools.cache
def without_mistake(test):
    """Green, at least at the second try: half the patience may be too little
    once on a busy machine."""
    status, output = run(test, None)
    return (status, output) if status == 0 else run(test, None)


def check(bug):
    """Whether a test that is green without the mistake is red with it."""
    for test in BUGS[bug]:
        status, output = without_mistake(test)
        if status != 0:
            print(f"{bug}: NOT CAUGHT: {test} fails without it\n{output[-3000:]}")
            return False
        for _ in range(TRIES):
            status, output = run(test, bug)
            if status == 1:  # failed; others mean trouble of the test's own
                print(f"{bug}: caught by {test}", flush=True)
                return True
    print(f"{bug}: NOT CAUGHT by {', '.join(BUGS[bug])}\n{output[-3000:]}")
    return False


def main():
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"no program with mistakes: {BINARY} is not there")
    names = sys.argv[1:] or list(BUGS)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as several:
        results = list(several.map(check, names))
    print(f"{sum(results)} of {len(results)} mistakes caught")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
