"""The networks of `plans`: their sizes, and how many tokens a step sees."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Size:
    """A language model and its batch; with `is_llama` grouped queries, SwiGLU, RMS norms and rotary positions."""

    is_llama: bool
    vocabulary: int
    width: int
    heads: int
    key_heads: int
    hidden: int
    blocks: int
    batch: int
    time: int

    def with_batch(self, batch: int) -> "Size":
        return dataclasses.replace(self, batch=batch)


GPT2 = Size(False, 50304, 768, 12, 12, 3072, 12, batch=128, time=1024)
LLAMA = Size(True, 128256, 4096, 32, 8, 14336, 32, batch=64, time=2048)
SIZES = {"GPT-2 124M": GPT2, "Llama-3-8B": LLAMA}
