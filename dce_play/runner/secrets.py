"""The run's door to secrets: whatever passes through it is masked from then on."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dce_play.errors import ExitCode, UsageError
from dce_play.system.redact import PROCESS, Masker
from dce_play.system.secret_reference import NoSecret, is_reference, read_reference


class SecretMissing(UsageError):
    """A reference leads to no secret."""

    exit_code = ExitCode.USAGE

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(
            f"no secret behind {reference}: {reason}", hint="secrets are named env:NAME, file:PATH or keyring:NAME"
        )
        self.reference = reference


class RunSecrets(Masker):
    """Resolves references and masks what they led to. One belongs to a run."""

    def __init__(self, *, environment: Mapping[str, str], folder: Path, known: Iterable[str] = ()) -> None:
        """``known`` are secrets to mask from the first event on."""
        super().__init__(PROCESS)
        self._environment = environment
        self._folder = folder
        self.armed = False
        """Whether there is anything to mask: a run without secrets does not pay for looking."""
        for secret in known:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this secret from now on. An empty text is no secret.

        Raises: SecretTooShort.
        """
        super().add(secret)
        self.armed = self.armed or bool(secret)

    def resolve(self, reference: str, /) -> str:
        """Return the secret behind ``env:NAME``, ``file:PATH`` or ``keyring:NAME``.

        Raises: SecretMissing; SecretTooShort.
        """
        if not is_reference(reference):
            raise SecretMissing("a text that is no reference", "it does not begin with env:, file: or keyring:")
        try:
            secret = read_reference(reference, environment=self._environment, folder=self._folder)
        except NoSecret as error:
            raise SecretMissing(reference, str(error)) from error
        self.protect(secret)
        return secret

    def protect(self, secret: str, /) -> None:
        """Mask a secret that was found some other way.

        Raises: SecretTooShort.
        """
        self.add(secret)
