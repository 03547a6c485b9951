"""Many lab hosts at once: small episodes put by so many connections, in a process of its own.

Run: ``python -m benchmarks.shipping.load PORT TOKEN CLIENTS UPLOADS NAME``; prints the seconds, and how often a
receiver said that it has enough to do.
"""

import http.client
import os
import queue
import sys
import threading
import time

from tests.support.receiver import archive, offer_headers

_AGAIN_S = 0.05
"""How soon a client that was told to wait asks again."""


def main() -> None:
    """Put them all."""
    port, token, clients, uploads, name = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    noise = os.urandom(20 << 10)
    waiting: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    for number in range(uploads):
        waiting.put((f"{name}-{number}", archive(f"{name}-{number}", files={"a": noise})))
    refused: list[str] = []
    wrong: list[str] = []

    def put_all() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            try:
                episode, data = waiting.get_nowait()
            except queue.Empty:
                connection.close()
                return
            while True:
                headers = {**offer_headers(data), "Authorization": f"Bearer {token}"}
                connection.request("PUT", f"/v1/episodes/{episode}", data, headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 429:
                    break
                refused.append(episode)
                time.sleep(_AGAIN_S)
            if answer.status != 201:
                wrong.append(f"{episode}: {answer.status} {body!r}")

    threads = [threading.Thread(target=put_all) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - began, len(refused), *wrong[:3], flush=True)
    sys.stdin.readline()  # whoever counts our CPU time does it while we live


if __name__ == "__main__":
    main()
