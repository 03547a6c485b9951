"""An extra that is not installed: one line, and the command that installs it."""

import subprocess
import sys

import pytest

_WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pyrage", "boto3", "botocore", "pycurl"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
from dce_play.backup.errors import BackupError
"""
_AGE = """
from dce_play.backup.filters import age
def use(): age.encrypting(["age1x"], None)
"""
_S3 = """
from dce_play.backup.definitions.model import S3Keys
from dce_play.backup.s3_bucket import open_bucket
class Services:
    environment = {}
    def secret(self, reference): return "a-secret"
keys = S3Keys(endpoint="http://127.0.0.1:1", bucket="b", access_key="env:A", secret_key="env:B")
def use(): open_bucket(keys, Services())
"""
_TELL = """
try:
    use()
except BackupError as error:
    print(error.error_id, int(error.exit_code), error.hint)
"""


@pytest.mark.contract("E9")
@pytest.mark.parametrize(("use", "extra"), [(_AGE, "age"), (_S3, "s3")])
def test_a_missing_extra_is_one_line_with_the_command(use: str, extra: str) -> None:
    script = _WITHOUT + use + _TELL
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"no-tool 4 run: pip install 'dce-play[{extra}]'\n"
