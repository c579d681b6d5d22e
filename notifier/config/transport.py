"""How a callback is reached: TLS, proxy, and what is shown to the receiver for a name."""

import stat
from dataclasses import dataclass
from pathlib import Path as FilePath

from notifier.config.nodes import Path, Scalar
from notifier.config.problems import Report
from notifier.config.schema import AuthForm, BasicForm, CallbackForm, TlsForm
from notifier.config.secrets import Vault, check_header_value, check_token
from notifier.config.urls import check_proxy, warn_of_refused_address
from notifier.delivery.settings import Basic, Bearer
from notifier.secret import Secret
from notifier.transport import Tls, Transport

PROXY_SPELLINGS = ("proxy", "proxy_file", "proxy_credential")
BEARER_SPELLINGS = ("bearer", "bearer_file", "bearer_credential")
PASSWORD_SPELLINGS = ("password", "password_file", "password_credential")

_FILES = ("ca_file", "cert_file", "key_file")


@dataclass(frozen=True, slots=True)
class TransportReader:
    """Reads the way to a callback. Where something is wrong it reports that and goes on with the rest."""

    vault: Vault
    report: Report

    def transport(self, path: Path, form: CallbackForm, url: Secret | None) -> Transport:
        """Give the way to ``url``; the files it names are opened to see whether they can be used."""
        if form.tls is not None and url and url.reveal().startswith("http:"):
            self.report.warn((*path, "tls"), "an http:// URL has no TLS", "use https://", on_key=True)
        return Transport(self._tls((*path, "tls"), form.tls or TlsForm()), self._proxy(path, form))

    def auth(self, path: Path, form: CallbackForm) -> Bearer | Basic | None:
        """Give what ``Authorization`` will say, or ``None``."""
        if form.auth is None:
            return None
        path = (*path, "auth")
        keys = self.report.keys(*path)
        given = [key for key in (*BEARER_SPELLINGS, "basic") if key in keys]
        if "basic" in given and len(given) > 1:
            self.report.error((*path, "basic"), f"`basic` besides `{given[0]}`", "keep one of them", on_key=True)
        elif "basic" in given:
            return self._basic((*path, "basic"), form.auth.basic)
        else:
            # A key that is unknown, which is reported anyway, was meant to be one of these.
            required = None if keys else "what to show"
            token = self._secret(path, form.auth, (*BEARER_SPELLINGS, "basic"), required=required)
            return Bearer(token) if token else None
        return None

    def _basic(self, path: Path, form: BasicForm | None) -> Basic | None:
        if form is None:
            return None
        name = self._secret(path, form, ("username",), required="the username", beside=":")
        password = self._secret(path, form, PASSWORD_SPELLINGS, required="the password")
        return Basic(name, password) if name and password else None

    def _secret(
        self, path: Path, form: AuthForm | BasicForm, names: tuple[str, ...], *, required: str | None, beside: str = ""
    ) -> Secret | None:
        key = self.vault.spelling(path, names, required=required)
        scalar: Scalar | None = getattr(form, key) if key else None
        if key is None or scalar is None:
            return None
        secret = self.vault.one((*path, key), key, scalar, check_token if "bearer" in key else check_header_value)
        if secret and beside and beside in secret.reveal():
            self.report.error((*path, key), f"a username can't hold {beside!r} (RFC 7617)", "use another name")
            return None
        return secret

    def _proxy(self, path: Path, form: CallbackForm) -> Secret | None:
        key = self.vault.spelling(path, PROXY_SPELLINGS, required=None)
        scalar: Scalar | None = getattr(form, key) if key else None
        if key is None or scalar is None:
            return None
        proxy = self.vault.one((*path, key), key, scalar, check_proxy)
        if proxy:
            warn_of_refused_address(proxy.reveal(), (*path, key), self.report)
        return proxy

    def _tls(self, path: Path, form: TlsForm) -> Tls:
        files = {key: self.vault.folder / text for key in _FILES if (text := getattr(form, key)) is not None}
        tls = Tls(**files, verify=form.verify is not False)
        if not tls.verify:
            message = (
                "TLS is not verified: whoever answers in the receiver's place is believed, and reads all that is sent"
            )
            hint = "name the receiver's certificate, or its authority's, in ca_file"
            self.report.warn((*path, "verify"), message, hint)
        if self._fits(path, tls) and self.vault.reads:
            self._try(path, tls)
        return tls

    def _fits(self, path: Path, tls: Tls) -> bool:
        """Report what makes no sense together; tell whether the files are worth a look."""
        if tls.ca_file and not tls.verify:
            message = "ca_file says who is believed, and verify: false believes everybody"
            self.report.error((*path, "ca_file"), message, "leave out one of them", on_key=True)
        elif tls.key_file and not tls.cert_file and "cert_file" not in self.report.keys(*path):
            self.report.error((*path, "key_file"), "a key without a certificate", "add cert_file", on_key=True)
        else:
            is_whole = all(getattr(tls, key) for key in _FILES if key in self.report.keys(*path))
            return is_whole and tls != Tls()
        return False

    def _try(self, path: Path, tls: Tls) -> None:
        from notifier.http.tls import UnusableTls, make_context  # noqa: PLC0415  # only who has such files pays for it

        try:
            make_context(tls)
        except UnusableTls as error:
            self.report.error((*path, error.key), error.message, error.hint)
            return
        key = "key_file" if tls.key_file else "cert_file"
        file: FilePath | None = getattr(tls, key)
        if file and _mode(file) & stat.S_IROTH:
            self.report.warn(
                (*path, key), "every user of this machine can read the private key", f"chmod 640 {file.name}"
            )


def _mode(file: FilePath) -> int:
    try:
        return file.stat().st_mode
    except OSError:
        return 0  # gone since it was read
