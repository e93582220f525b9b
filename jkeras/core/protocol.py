"""What the modules below `layer` know of a layer: calls, builds and descriptions of it."""

from collections.abc import Callable
from typing import Any, Protocol

from jkeras.core.signature import CallSignature
from jkeras.core.structure import Structure
from jkeras.dtypes import DTypePolicy, DTypePolicyMap
from jkeras.typing import DType, PyTree


class LayerLike(Protocol):
    """A layer, as the functions see it that `Layer` is made of."""

    path: str | None
    trainable: bool
    autocast: bool
    input_spec: Any
    activity_regularizer: Callable[..., Any] | None
    supports_masking: bool
    context_arguments: tuple[str, ...]
    call_signature: CallSignature
    overrides_build: bool
    converts_inputs: bool
    allows_python_arguments: bool
    _built: bool
    _build_shapes: dict[str, Any] | None
    _constructor: Any

    @property
    def name(self) -> str:
        """Its address, or its class's name."""

    @property
    def _label(self) -> str:
        """What messages call it."""

    @property
    def explicit_name(self) -> str | None:
        """The name that it was given."""

    @property
    def built(self) -> bool:
        """Whether it is built, with all of its parts."""

    @property
    def declared_dtype_policy(self) -> DTypePolicy | DTypePolicyMap:
        """The policy that it was given."""

    @property
    def compute_dtype(self) -> DType:
        """The dtype in which it computes."""

    @property
    def input_dtype(self) -> DType:
        """The dtype of its inputs."""

    @property
    def build(self) -> Callable[..., None]:
        """Declares its variables."""

    @property
    def call(self) -> Callable[..., PyTree]:
        """Computes its outputs."""

    @property
    def compute_mask(self) -> Callable[..., PyTree]:
        """The masks of its outputs."""

    @property
    def compute_output_shape(self) -> Callable[..., PyTree]:
        """The shapes of its outputs."""

    def structure(self) -> Structure:
        """Its variables and parts."""

    def settle_dtype_policy(self) -> None:
        """Keeps its policy."""

    def address_variables(self) -> None:
        """Gives its variables their addresses."""
