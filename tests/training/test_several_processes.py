"""Arrays that span the devices of several processes: `fit` trains on them as one process trains on the whole."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np

from tests.training.networks import data, trainer

PROGRAM = """
    import json, sys
    import jax
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    rank = int(sys.argv[2])
    jax.distributed.initialize(sys.argv[1], 2, rank)
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
    from jkeras import errors
    from tests.training.networks import data, trainer

    x, y = data(64)
    mesh = Mesh(np.array(jax.devices()), ("data",))
    rows, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("data",), ()))

    def whole(array):
        half = len(array) // 2
        return jax.make_array_from_process_local_data(rows, array[half * rank : half * (rank + 1)])

    t, said = trainer(), {}
    init = jax.jit(t.init, out_shardings=everywhere)
    stream = ((whole(x[i : i + 16]), whole(y[i : i + 16])) for i in range(0, 64, 16))
    said["generator"] = t.fit(init(jax.random.key(0)), stream, verbose=0)[1].history["loss"]
    said["arrays"] = t.fit(init(jax.random.key(0)), whole(x), whole(y), batch_size=16, verbose=0)[1].history["loss"]
    said["evaluated"] = [t.evaluate(init(jax.random.key(0)), whole(x), whole(y), batch_size=16, verbose=0)["loss"]]
    try:
        t.fit(init(jax.random.key(0)), whole(x), whole(np.where(np.arange(64) == 40 * rank, 10, y)), verbose=0)
    except errors.DataError as error:
        said["refused"] = str(error).splitlines()[0]
    print(json.dumps(said))
"""


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_two_processes_train_as_one():
    address = free_address()
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), address]
    options = {"stdout": subprocess.PIPE, "text": True, "env": environment, "cwd": Path(__file__).parents[2]}
    programs = [subprocess.Popen([*command, str(rank)], **options) for rank in range(2)]
    try:
        said = [json.loads(program.communicate(timeout=500)[0].splitlines()[-1]) for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    x, y = data(64)
    t = trainer()

    def fresh():
        return t.init(jax.random.key(0))

    ordered = t.fit(fresh(), x, y, batch_size=16, shuffle=False, verbose=0)[1].history["loss"]
    shuffled = t.fit(fresh(), x, y, batch_size=16, verbose=0)[1].history["loss"]
    evaluated = [t.evaluate(fresh(), x, y, batch_size=16, verbose=0)["loss"]]
    for each in said:  # sums over 2 x 2 devices are added in another order
        np.testing.assert_allclose(each["generator"], ordered, rtol=1e-5)
        np.testing.assert_allclose(each["arrays"], shuffled, rtol=1e-5)
        np.testing.assert_allclose(each["evaluated"], evaluated, rtol=1e-5)
        assert "every label" in each["refused"]
