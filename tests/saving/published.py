"""Checkpoints of GPT-2 and Llama at toy size: their public names and layouts with random values, and references in
NumPy that follow the published descriptions and read those very names."""

import numpy as np

VOCABULARY, LENGTH, WIDTH, HEADS, KEY_HEADS, DEPTH, HIDDEN = 11, 7, 8, 4, 2, 2, 12
HEAD = WIDTH // HEADS


def draw(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(0, 0.4, shape).astype("float32") for name, shape in shapes.items()}


def gpt2(prefix=""):
    """The tensors of GPT-2: projections are `(in, out)`; queries, keys and values are one."""
    shapes = {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (LENGTH, WIDTH)}
    for i in range(DEPTH):
        shapes |= {
            **{f"h.{i}.{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")},
            f"h.{i}.attn.c_attn.weight": (WIDTH, 3 * WIDTH),
            f"h.{i}.attn.c_attn.bias": (3 * WIDTH,),
            f"h.{i}.attn.c_proj.weight": (WIDTH, WIDTH),
            f"h.{i}.attn.c_proj.bias": (WIDTH,),
            f"h.{i}.mlp.c_fc.weight": (WIDTH, 4 * WIDTH),
            f"h.{i}.mlp.c_fc.bias": (4 * WIDTH,),
            f"h.{i}.mlp.c_proj.weight": (4 * WIDTH, WIDTH),
            f"h.{i}.mlp.c_proj.bias": (WIDTH,),
        }
    weights = draw({**shapes, "ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)})
    for i in range(DEPTH):  # a mask that older files have
        weights[f"h.{i}.attn.bias"] = np.tril(np.ones((1, 1, LENGTH, LENGTH), "float32"))
    return {prefix + name: value for name, value in weights.items()}


def llama():
    """The tensors of Llama: projections are `(out, in)`, without biases; fewer heads of keys and values."""
    shapes = {"model.embed_tokens.weight": (VOCABULARY, WIDTH), "model.norm.weight": (WIDTH,)}
    for i in range(DEPTH):
        at, sizes = f"model.layers.{i}", {"q": WIDTH, "k": KEY_HEADS * HEAD, "v": KEY_HEADS * HEAD}
        shapes |= {
            **{f"{at}.{norm}.weight": (WIDTH,) for norm in ("input_layernorm", "post_attention_layernorm")},
            **{f"{at}.self_attn.{name}_proj.weight": (size, WIDTH) for name, size in sizes.items()},
            f"{at}.self_attn.o_proj.weight": (WIDTH, WIDTH),
            **{f"{at}.mlp.{name}_proj.weight": (HIDDEN, WIDTH) for name in ("gate", "up")},
            f"{at}.mlp.down_proj.weight": (WIDTH, HIDDEN),
        }
    return draw({**shapes, "lm_head.weight": (VOCABULARY, WIDTH)}, seed=1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v):
    """Causal attention; `(heads, t, c)` each."""
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    scores = np.where(np.tril(np.ones(scores.shape[1:], bool)), scores, -np.inf)
    return (softmax(scores) @ v).swapaxes(0, 1).reshape(q.shape[1], -1)


def split(x):
    return x.reshape(len(x), -1, HEAD).swapaxes(0, 1)


def gpt2_logits(weights, tokens):
    """`(t,)` -> `(t, vocabulary)`; Radford et al., 2019."""

    def norm(x, name):
        centered = x - x.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def project(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["wte.weight"][tokens] + weights["wpe.weight"][: len(tokens)]
    for i in range(DEPTH):
        q, k, v = np.split(project(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn"), 3, axis=-1)
        x = x + project(attend(split(q), split(k), split(v)), f"h.{i}.attn.c_proj")
        y = project(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
        x = x + project(y, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ weights["wte.weight"].T


def llama_logits(weights, tokens):
    """`(t,)` -> `(t, vocabulary)`; Touvron et al., 2023."""

    def norm(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weights[f"{name}.weight"]

    def project(x, name):
        return x @ weights[f"{name}.weight"].T

    def turn(x):
        angles = np.arange(x.shape[1])[:, None] * 10000.0 ** (-2 * np.arange(HEAD // 2) / HEAD)
        u, v = np.split(x, 2, axis=-1)
        return np.concatenate([u * np.cos(angles) - v * np.sin(angles), u * np.sin(angles) + v * np.cos(angles)], -1)

    x = weights["model.embed_tokens.weight"][tokens]
    for i in range(DEPTH):
        at = f"model.layers.{i}"
        y = norm(x, f"{at}.input_layernorm")
        q, k, v = (split(project(y, f"{at}.self_attn.{name}_proj")) for name in "qkv")
        k, v = (np.repeat(each, HEADS // KEY_HEADS, axis=0) for each in (turn(k), v))
        x = x + project(attend(turn(q), k, v), f"{at}.self_attn.o_proj")
        y = norm(x, f"{at}.post_attention_layernorm")
        gate = project(y, f"{at}.mlp.gate_proj")
        x = x + project(gate / (1 + np.exp(-gate)) * project(y, f"{at}.mlp.up_proj"), f"{at}.mlp.down_proj")
    return project(norm(x, "model.norm"), "lm_head")
