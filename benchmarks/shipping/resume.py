"""How much goes over the network again when an upload is cut at nine tenths."""

from benchmarks.shipping.stand import Stand, large_episode
from tests.support.fault_proxy import fault_proxy


def measure_resume(stand: Stand, *, mebibytes: int) -> None:
    """Print what a second try sends of an archive whose first one was cut at 90 %."""
    host = stand.host("resume")
    large_episode(host, mebibytes, name="cut")
    with fault_proxy(stand.receiver.port) as proxy:
        text = host.config.read_text()
        host.config.write_text(text.replace(f":{stand.receiver.port}", f":{proxy.port}"))
        proxy.black_hole = True
        host.run("ship", "once", timeout_s=600)  # packs, and gets nowhere
        size = (host.data / "outbox" / "cut.tar.zst").stat().st_size
        proxy.black_hole, proxy.reset_after_bytes = False, size * 9 // 10
        host.run("ship", "once", timeout_s=600)
        proxy.reset_after_bytes, proxy.sent_bytes = None, 0
        done = host.run("ship", "once", timeout_s=600)
    again = proxy.sent_bytes
    most = size // 10 + (16 << 20)
    print(
        f"cut at 90 % of {size >> 20} MiB: {again >> 20} MiB sent again (exit {done.returncode}), {most >> 20} allowed",
        flush=True,
    )
