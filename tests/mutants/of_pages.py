"""Mutants of the door of the pages: who is let in, and whose forms are believed."""

from tests.mutants.mutant import Edit, Mutant, on_either

DOOR, SESSIONS = "daemon/web/door.py", "daemon/web/sessions.py"
SIGNED_IN = "tests/daemon/web/pages/test_sign_in.py::test_{}"

PAGES = (
    Mutant(
        "a-session-that-nobody-signed",
        "a browser makes up a session, and is let in",
        (Edit(SESSIONS, 'return same(signature, _signed(token, "session", said)) and now', "return now"),),
        on_either(SIGNED_IN.format("a_session_that_was_changed_or_has_expired_is_none")),
    ),
    Mutant(
        "a-session-for-good",
        "a session does not expire",
        (Edit(SESSIONS, " and now < end_of(said)", ""),),
        on_either(SIGNED_IN.format("a_session_that_was_changed_or_has_expired_is_none")),
    ),
    Mutant(
        "a-form-of-any-session",
        "a form is believed without the token that its session got",
        (Edit("daemon/web/pages/forms.py", 'return same(fields.pop(TOKEN, ""), expected or None)', "return True"),),
        on_either(SIGNED_IN.format("a_form_is_believed_only_with_the_token_that_its_session_got")),
    ),
    Mutant(
        "a-form-of-another-site",
        "a form of another site's page arrives, and signs somebody in",
        (Edit(DOOR, 'if site not in {"", "same-origin", "none"} or (', "if False and ("),),
        on_either(SIGNED_IN.format("a_form_of_another_site_or_of_another_type_never_arrives_and_signs_nobody_in")),
    ),
    Mutant(
        "a-reader-that-acts",
        "who signed in with the token that only reads can send forms",
        (Edit(DOOR, 'if not known.may_act and kind != "open":', "if False:"),),
        on_either(SIGNED_IN.format("who_only_reads_can_send_no_form_but_sign_out")),
    ),
    Mutant(
        "the-cookie-opens-the-api",
        "a session is taken by the API too",
        (Edit(DOOR, '        if kind in {"open", "page"}:\n', "        if True:\n"),),
        on_either(SIGNED_IN.format("a_session_is_for_pages_only")),
    ),
    Mutant(
        "signed-in-elsewhere",
        "whoever signs in is sent to another site that a link named",
        (Edit("daemon/web/pages/links.py", 'r"/(?!/)[', 'r"/['),),
        on_either(SIGNED_IN.format("signing_in_leads_nowhere_else[//evil.example]")),
    ),
    Mutant(
        "anybody-names-the-user",
        "an act is recorded under the name that any client sends",
        (
            Edit(
                DOOR,
                "if self.user_header is not None and self._is_proxy(peer) else",
                "if self.user_header is not None else",
            ),
        ),
        on_either(SIGNED_IN.format("a_proxy_that_is_trusted_names_the_user_and_no_other_can")),
    ),
)
