"""A server in a process of its own, for tests of real sockets: python slow_server.py [TOKEN]."""

import functools
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "captioning"))

from fake_model import RULE, LookingEngine

from captioner.images import load_image
from captioner.serving import connection
from captioner.serving.app import create_app
from captioner.serving.gate import Rules
from captioner.serving.limits import Limits
from captioner.serving.photographs import ServedModel
from captioner.serving.server import bind, run_server


class SlowEngine(LookingEngine):
    """Takes a moment for a batch, and says when it has one."""

    def search(self, features):
        print("captioning", flush=True)
        time.sleep(0.5)
        return super().search(features)


if __name__ == "__main__":
    connection.HEAD_SECONDS = 2.0
    listener = bind("127.0.0.1", 0)
    engine, read = SlowEngine(8, 2), functools.partial(load_image, rule=RULE)
    model = ServedModel("slow", engine, read, 2, engine.ground)
    rules = Rules(token=sys.argv[1] if len(sys.argv) > 1 else None)
    app = create_app(model, Limits(idle_seconds=2.0), rules)
    run_server(app, listener, lambda: print(listener.getsockname()[1], flush=True))
    print("ended", flush=True)
