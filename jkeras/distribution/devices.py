"""Devices and processes: JAX's, under Keras's names."""

from typing import Any

import jax

from jkeras.errors import PlacementError


def list_devices(device_type: str | None = None) -> list[str]:
    """The names of the devices of all processes, such as `"gpu:0"`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; by default the kind on which JAX computes.

    >>> list_devices("cpu")[0]
    'cpu:0'
    """
    return [f"{_kind(device)}:{device.id}" for device in devices_of(device_type)]


def get_device_count(device_type: str | None = None) -> int:
    """The number of devices of all processes; arguments as for `list_devices`.

    >>> get_device_count("cpu") == len(list_devices("cpu"))
    True
    """
    return len(devices_of(device_type))


def devices_of(device_type: str | None) -> list[Any]:
    """JAX's devices of a kind, none where there is no such kind.

    >>> devices_of("cpu") == jax.devices("cpu")
    True
    """
    try:
        return jax.devices(device_type.lower() if device_type else None)
    except RuntimeError:  # JAX says so of a kind that this machine does not have
        return []


def as_device(device: Any) -> Any:
    """A device of JAX, or the one with a name such as `"cpu:0"`.

    Raises:
        PlacementError: there is no such device.

    >>> as_device("cpu:0") == jax.devices("cpu")[0]
    True
    """
    if not isinstance(device, str):
        return device
    kind, _, number = device.lower().partition(":")
    found = [each for each in devices_of(kind) if str(each.id) == (number or "0")]
    if not found:
        raise PlacementError.must(
            "`devices` must name devices that there are",
            repr(device),
            path="DeviceMesh(devices=)",
            expected=f"some of {list_devices()[:8]}",
            write="DeviceMesh((8,), ['data'], list_devices())",
        )
    return found[0]


def _kind(device: Any) -> str:
    return "gpu" if device.platform in ("cuda", "rocm") else device.platform


def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    **options: Any,
) -> None:
    """Makes this process one of several; before anything is computed. `jax.distributed.initialize` does it.

    On TPU pods and under Slurm all arguments are found out. On CPU the processes talk through gloo.

    Args:
        job_addresses: `"host:port"` of the first process; of a list with commas, as Keras takes it, the first counts.
        num_processes: how many there are.
        process_id: which of them this one is, from 0.
        options: further ones of `jax.distributed.initialize`, such as `heartbeat_timeout_seconds`.

    Raises:
        RuntimeError: JAX has computed something already.

    >>> initialize("10.0.0.1:1234", num_processes=2, process_id=0)  # doctest: +SKIP
    """
    if (jax.config.jax_platforms or "cpu").split(",")[0] == "cpu":  # type: ignore[attr-defined]
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    address = None if job_addresses is None else job_addresses.split(",")[0]
    jax.distributed.initialize(address, num_processes, process_id, **options)
