"""Hashes, lookups and texts.

Keras's layers for these need TensorFlow. The oracle is what their documentation and that of their algorithms say:
hashes with published values, vocabularies and encodings counted by hand or by another way of counting.
"""

import collections
import json
import math
import pickle
import re
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, registry
from jkeras.errors import ArgumentError, BuildError, DataError, GraphError, ShapeError
from jkeras.functional.hashing import hash_integers, hash_texts
from tests.contract.object_graph import arrays_in
from tests.repository import ROOT

INTEGERS = [0, 1, 9, 10, 99, 100, 999, 1000, 9999, 99999, 1234567, 12345678, 123456789, 2**31 - 1]
EXTREMES = np.array([*INTEGERS, *(-value for value in INTEGERS), -(2**31)], "int32")


def run(layer, x):
    return layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def returned(layer):
    """The layer that its config makes, by way of JSON."""
    return registry.deserialize(json.loads(json.dumps(registry.serialize(layer))))


# -- hashes


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # published with FarmHash's ports; one of each length class: 0, 1-3, 4-7, 8-16, 17-32, 33-64, more
        (b"", 0x9AE16A3B2F90404F),
        (b"test", 8581389452482819506),
        (b"?c^6BkI#-SLw", 13133570674398037786),
        (b"dXB@tDQ-v5<H]rq2Pcc*s>nC-[Mdy", 8365906589669344754),
        (b"test" * 8, 2**64 - 4196240717365766262),
        (b"F7479877-4690-4A44-AFC9-8FE987EA512F:some_other_id", 6862335115798125349),
        (b"test" * 64, 3500507768004279527),
    ],
)
def test_farmhash_has_its_published_values(message, expected):
    assert hash_texts([b"other", message, b"another"])[1] == expected


def test_siphash_has_its_published_values():
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    messages = [bytes(range(length)) for length in (0, 1, 7, 8, 15)]
    # Aumasson and Bernstein's reference vectors
    expected = [0x726FDB47DD0E0E31, 0x74F839C593DC67FD, 0xAB0200F58B01D137, 0x93F5F5799A932462, 0xA129CA6149BE45E5]
    assert hash_texts(messages, key).tolist() == expected


@pytest.mark.parametrize("salt", [None, (133, 137)])
def test_integers_hash_on_the_device_as_their_digits_do_on_the_host(salt):
    word = hash_integers(jnp.asarray(EXTREMES), salt)
    device = np.asarray(word.high).astype("uint64") * 2**32 + np.asarray(word.low)
    host = hash_texts([str(value).encode() for value in EXTREMES.tolist()], salt)
    np.testing.assert_array_equal(device, host)
    for bins in (1, 2, 3, 1000, 65537, 2**31 - 1):
        np.testing.assert_array_equal(word.modulo(bins), (host % np.uint64(bins)).astype("int32"))


def test_unsigned_integers_hash_as_their_digits():
    values = np.array([2**31, 2**32 - 1], "uint32")
    host = hash_texts([b"2147483648", b"4294967295"]) % np.uint64(997)
    assert hash_integers(jnp.asarray(values)).modulo(997).tolist() == host.tolist()


# -- Hashing

NAMES = [["omar"], ["stringer"], ["marlo"], ["wire"], ["skywalker"]]


@pytest.mark.parametrize(
    ("arguments", "inputs", "expected"),
    [  # those of Keras's documentation and tests
        ({"num_bins": 3}, [["A"], ["B"], ["C"], ["D"], ["E"]], [[1], [0], [1], [1], [2]]),
        ({"num_bins": 3, "mask_value": ""}, [["A"], ["B"], [""], ["C"], ["D"]], [[1], [1], [0], [2], [2]]),
        ({"num_bins": 3, "salt": [133, 137]}, [["A"], ["B"], ["C"], ["D"], ["E"]], [[1], [2], [1], [0], [2]]),
        ({"num_bins": 3, "salt": 133}, [["A"], ["B"], ["C"], ["D"], ["E"]], [[0], [0], [2], [1], [0]]),
        ({"num_bins": 2}, NAMES, [[0], [0], [1], [0], [0]]),
        ({"num_bins": 3, "mask_value": "omar"}, NAMES, [[0], [1], [2], [1], [1]]),
        ({"num_bins": 2, "salt": [211, 137]}, NAMES, [[1], [0], [1], [0], [1]]),
        ({"num_bins": 1, "mask_value": "omar"}, NAMES, [[0]] * 5),
        ({"num_bins": 3}, [[0], [1], [2], [3], [4]], [[1], [0], [1], [0], [2]]),
        ({"num_bins": 3, "salt": [133, 137]}, [[0], [1], [2], [3], [4]], [[1], [1], [2], [0], [1]]),
        ({"num_bins": 3, "output_mode": "count"}, [0, 1, 2, 3, 4], [2, 2, 1]),
        ({"num_bins": 3, "output_mode": "multi_hot"}, [[0, 1, 2, 3, 4]], [[1, 1, 1]]),
        ({"num_bins": 3, "output_mode": "one_hot"}, [[0], [4]], [[0, 1, 0], [0, 0, 1]]),
        ({"num_bins": 2}, [[[1], [2]], [[2], [3]]], [[[1], [1]], [[1], [1]]]),
    ],
)
def test_hashing_has_the_bins_of_keras(arguments, inputs, expected):
    layer = returned(layers.Hashing(**arguments))
    assert layer.on_host(inputs).tolist() == expected
    if np.asarray(inputs).dtype.kind == "i":
        assert run(layer, jnp.asarray(inputs)).tolist() == expected
    else:
        assert layer(inputs).tolist() == layer(np.array(inputs, "S")).tolist() == expected


def test_hashing_takes_large_numbers_on_the_host():
    layer = layers.Hashing(1000)
    large = [2**40, -(2**40)]
    assert layer.on_host(large).tolist() == layer([str(value) for value in large]).tolist()
    assert layer.on_host([2.9]).tolist() == layer.on_host([2]).tolist()


def test_hashing_refuses():
    for arguments in ({"num_bins": 0}, {"num_bins": 2**31}, {"num_bins": 3, "dtype": "float32"}):
        with pytest.raises(ArgumentError):
            layers.Hashing(**arguments)
    for salt in ("salt", [1], [1, 2, 3]):
        with pytest.raises(ArgumentError, match="salt"):
            layers.Hashing(2, salt=salt)
    with pytest.raises(ArgumentError, match="at most 32 bits"):
        run(layers.Hashing(3), jnp.ones(2))
    with pytest.raises(ArgumentError, match="mask_value"):
        layers.Hashing(3, mask_value=3)(["a"])
    with pytest.raises(ArgumentError, match="mask_value"):
        run(layers.Hashing(3, mask_value="a"), jnp.arange(2))


def test_crossing_has_the_bins_of_keras():
    letters, numbers = np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102])
    layer = returned(layers.HashedCrossing(num_bins=5))
    assert layer((letters, numbers)).tolist() == [1, 4, 1, 1, 3]
    assert layer((letters[:, None], numbers[:, None])).tolist() == [[1], [4], [1], [1], [3]]
    assert layers.HashedCrossing(10)((np.array("A"), np.array(101))).tolist() == 1
    hot = layers.HashedCrossing(5, output_mode="one_hot")((letters, numbers))
    assert hot.argmax(-1).tolist() == [1, 4, 1, 1, 3] and hot.sum() == 5


def test_integers_cross_on_the_device_as_on_the_host():
    layer = layers.HashedCrossing(num_bins=1001)
    features = [np.asarray(EXTREMES), np.asarray(EXTREMES[::-1]), np.arange(len(EXTREMES), dtype="uint8")]
    host = layer.on_host(features)
    assert run(layer, [jnp.asarray(feature) for feature in features]).tolist() == host.tolist()
    assert layer.on_host(features[::-1]).tolist() != host.tolist(), "the order of features matters"


def test_crossing_refuses():
    layer = layers.HashedCrossing(5)
    with pytest.raises(ArgumentError, match="at least 2 features"):
        layer((np.array(["a"]),))
    with pytest.raises(ShapeError, match="must have one shape"):
        layer((np.array(["a"]), np.array([[1, 2]])))
    with pytest.raises(ArgumentError, match="must hold strings or integers"):
        layer((np.array(["a"]), np.array([1.0])))


# -- lookups: the examples of Keras's documentation

VOCABULARY = ["a", "b", "c", "d"]
WEIGHTS = [0.25, 0.75, 0.6, 0.4]
TOKENS = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
NUMBERS = {"a": 12, "b": 36, "c": 1138, "d": 42, "z": 7, "m": 37, "[UNK]": -1}


def numbers(tokens):
    return [numbers(token) if isinstance(token, list) else NUMBERS[token] for token in tokens]


@pytest.mark.parametrize(
    ("arguments", "inputs", "expected"),
    [
        ({}, [["a", "c", "d"], ["d", "z", "b"]], [[1, 3, 4], [4, 0, 2]]),
        ({}, "d", 4),
        ({"output_mode": "one_hot"}, ["a", "z"], [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]),
        ({"output_mode": "one_hot"}, [["a"], ["z"]], [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]),
        ({"output_mode": "multi_hot"}, TOKENS, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        ({"output_mode": "count"}, TOKENS, [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        (
            {"output_mode": "tf-idf", "idf_weights": WEIGHTS},
            TOKENS,
            [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]],
        ),
        (
            {"output_mode": "tf_idf", "vocabulary": ["[UNK]", *VOCABULARY], "idf_weights": [0.9, *WEIGHTS]},
            TOKENS,
            [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]],
        ),
        (
            {"output_mode": "count", "max_tokens": 7, "pad_to_max_tokens": True},
            TOKENS,
            [[0, 1, 0, 1, 2, 0, 0], [2, 0, 1, 0, 1, 0, 0]],
        ),
        ({"mask_token": "m"}, [["m", "a", "z"]], [[0, 2, 1]]),
        ({"mask_token": "m", "output_mode": "count"}, [["m", "a", "z", "m"]], [[1, 1, 0, 0, 0]]),
        ({"mask_token": "m", "output_mode": "one_hot"}, ["m", "a"], [[0] * 5, [0, 1, 0, 0, 0]]),
        ({"num_oov_indices": 0}, [["a", "d"]], [[0, 3]]),
    ],
)
def test_lookups_do_what_their_documentation_shows(arguments, inputs, expected):
    arguments = {"vocabulary": VOCABULARY, **arguments}
    words = returned(layers.StringLookup(**arguments))
    np.testing.assert_allclose(words(inputs), expected, rtol=1e-6)
    names = ("vocabulary", "mask_token")
    found = {name: numbers([value])[0] if isinstance(value, str) else numbers(value) for name, value in
             arguments.items() if name in names}  # fmt: skip
    integers = returned(layers.IntegerLookup(**{**arguments, **found}))
    inputs = np.array(numbers([inputs])[0] if isinstance(inputs, str) else numbers(inputs))
    np.testing.assert_allclose(integers.on_host(inputs), expected, rtol=1e-6)
    np.testing.assert_allclose(run(integers, inputs), expected, rtol=1e-6)


def test_several_indices_for_what_is_unknown():
    words = layers.StringLookup(vocabulary=VOCABULARY, num_oov_indices=2)
    assert words([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [[2, 4, 5], [0, 1, 3]]
    data = np.array([[12, 1138, 42], [37, 1000, 36]])
    integers = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    assert run(integers, data).tolist() == integers.on_host(data).tolist() == [[2, 4, 5], [1, 0, 3]]
    strangers = np.array([100, 300, 700, 1100, 1700, 2000])
    hashed = layers.IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    assert run(hashed, strangers).tolist() == hashed.on_host(strangers).tolist() == [3, 3, 2, 2, 0, 1]
    salted = layers.IntegerLookup(vocabulary=[10], num_oov_indices=4, oov_method="farmhash", salt=[137, 42])
    assert run(salted, strangers).tolist() == salted.on_host(strangers).tolist() != [3, 3, 2, 2, 0, 1]
    assert run(integers, np.array([-1, -2])).tolist() == integers.on_host([-1, -2]).tolist() == [1, 0]


def test_lookups_there_and_back():
    words = layers.StringLookup(vocabulary=VOCABULARY, mask_token="")
    back = returned(layers.StringLookup(vocabulary=words.get_vocabulary(), mask_token="", invert=True))
    assert back(words([["a", "", "z"]])).tolist() == [["a", "", "[UNK]"]]
    assert back(jnp.array([9, -1])).tolist() == ["[UNK]", "[UNK]"]
    integers = layers.IntegerLookup(vocabulary=[12, 36], invert=True)
    for there in (integers.on_host, lambda x: run(integers, x)):
        assert there(np.array([[1, 2, 0, 5, -1]])).tolist() == [[12, 36, -1, -1, -1]]


def test_adapting_sorts_by_count_then_from_the_last_to_the_first():
    layer = layers.StringLookup()
    adapted = layer.adapt([["a", "c", "d"], ["d", "z", "b"]])
    assert adapted.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert adapted.get_vocabulary(include_special_tokens=False) == ["d", "z", "c", "b", "a"]
    assert layer.vocabulary_size() == 1 and adapted.vocabulary_size() == 6
    assert layer.vocabulary is None, "the layer itself has changed"
    stream = layers.StringLookup(max_tokens=3).adapt(np.array([token]) for token in "acddzb")
    assert stream.get_vocabulary() == ["[UNK]", "d", "z"]
    integers = layers.IntegerLookup(mask_token=36).adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    assert integers.get_vocabulary() == [36, -1, 42, 1138, 1000, 12]


def test_adapting_finds_weights():
    adapted = layers.StringLookup(output_mode="tf_idf").adapt([["a", "a"], ["a", "b"], ["c", "c"]])
    a, b, c = (math.log(1 + 3 / (1 + documents)) for documents in (2, 1, 1))
    assert adapted.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    expected = [[2 * (a + b + c) / 3, a, 0, 0]]
    np.testing.assert_allclose(adapted([["a", "x", "y"]]), expected, rtol=1e-6)
    np.testing.assert_allclose(returned(adapted)([["a", "x", "y"]]), expected, rtol=1e-6)


def test_large_integers_are_looked_up_on_the_host():
    layer = layers.IntegerLookup(vocabulary=[2**40, 5])
    assert layer.on_host([2**40, 5, 6]).tolist() == [1, 2, 0]
    with pytest.raises(ArgumentError, match="on_host"):
        run(layer, jnp.arange(3))
    with pytest.raises(ArgumentError, match="looked up on the device"):
        run(layers.IntegerLookup(vocabulary=[5]), jnp.ones(3))
    with jax.enable_x64(True):
        assert run(layer, jnp.array([2**40, 5, 6])).tolist() == [1, 2, 0]
        hashed = layers.IntegerLookup(vocabulary=[5], num_oov_indices=2, oov_method="farmhash")
        with pytest.raises(ArgumentError, match="at most 32 bits"):
            run(hashed, jnp.array([2**40]))


def test_vocabularies_come_from_files(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("[UNK]\na\nb\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(file))
    assert layer.get_vocabulary() == ["[UNK]", "a", "b"] and returned(layer)(["b"]).tolist() == [2]
    with pytest.raises(ArgumentError, match="cannot name a file"):
        registry.deserialize(
            {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": str(file)}}
        )


@pytest.mark.parametrize(
    "arguments",
    [
        {"vocabulary": ["a", "a"]},
        {"vocabulary": []},
        {"vocabulary": ["a", ""], "mask_token": ""},
        {"vocabulary": ["a", "[UNK]"], "invert": True},
        {"vocabulary": VOCABULARY, "max_tokens": 4},
        {"vocabulary": [1]},
        {"max_tokens": 1},
        {"num_oov_indices": -1},
        {"pad_to_max_tokens": True},
        {"invert": True, "output_mode": "count"},
        {"output_mode": "tf_idf", "vocabulary": ["a"]},
        {"output_mode": "tf_idf", "vocabulary": ["a"], "idf_weights": [1.0, 2.0]},
        {"vocabulary": ["a"], "idf_weights": [1.0]},
        {"output_mode": "hot"},
        {"sparse": True},
    ],
)
def test_lookups_refuse(arguments):
    with pytest.raises(ArgumentError):
        layers.StringLookup(**arguments)


def test_lookups_refuse_what_they_do_not_know():
    with pytest.raises(BuildError, match="must have a vocabulary"):
        layers.StringLookup()(["a"])
    with pytest.raises(BuildError, match="must have a vocabulary"):
        run(layers.IntegerLookup(), jnp.arange(2))
    with pytest.raises(DataError, match="'z'"):
        layers.StringLookup(vocabulary=VOCABULARY, num_oov_indices=0)(["a", "z", "z"])
    assert run(layers.IntegerLookup(vocabulary=[5], num_oov_indices=0), jnp.array([5, 6])).tolist() == [0, -1]
    with pytest.raises(ArgumentError, match="must be strings"):
        layers.StringLookup(vocabulary=VOCABULARY)([1, 2])
    with pytest.raises(ArgumentError, match="`adapt` cannot find"):
        layers.StringLookup(vocabulary=VOCABULARY).adapt(["a"])
    with pytest.raises(DataError, match="at least one token"):
        layers.StringLookup(mask_token="").adapt([""])
    with pytest.raises(ArgumentError, match="at least one"):
        layers.StringLookup(max_tokens=3, num_oov_indices=5).adapt(["a", "b", "c"])
    with pytest.raises(ArgumentError, match="salt"):
        layers.IntegerLookup(salt=3)


def test_texts_are_no_part_of_a_program():
    layer = layers.StringLookup(vocabulary=VOCABULARY)
    with pytest.raises(GraphError, match="XLA has no strings"):
        layer(jkeras.Input((3,)))
    with pytest.raises(GraphError, match="XLA has no strings"):
        jax.jit(lambda x: layer.stateless_call({}, {}, x))(jnp.ones(3))


# -- TextVectorization


def test_vectorization_does_what_its_documentation_shows():
    layer = layers.TextVectorization(max_tokens=5000, output_sequence_length=4)
    layer = layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    assert layer([["foo qux bar"], ["qux baz"]]).tolist() == [[4, 1, 3, 0], [1, 2, 0, 0]]
    given = layers.TextVectorization(vocabulary=["earth", "wind", "and", "fire"])
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]


@pytest.mark.parametrize(
    ("arguments", "sentence", "expected"),
    [
        ({}, "It's a\tDOG, isn't it?", ["its", "a", "dog", "isnt", "it"]),
        ({"standardize": "lower"}, "It's a DOG!", ["it's", "a", "dog!"]),
        ({"standardize": "strip_punctuation"}, "It's a DOG!", ["Its", "a", "DOG"]),
        ({"standardize": None}, "It's  a DOG!", ["It's", "a", "DOG!"]),
        ({}, "Ärger! İş\u00a0ol", ["Ärger", "İş\u00a0ol"]),  # ASCII's letters, signs and white space alone
        ({}, "", []),
        ({"split": "character"}, "Né!", ["n", "é"]),
        ({"ngrams": 2}, "a b c", ["a", "b", "c", "a b", "b c"]),
        ({"ngrams": (3, 2)}, "a b c", ["a b c", "a b", "b c"]),
        ({"ngrams": (2,)}, "a", []),
        ({"standardize": np.char.upper}, "é b", ["É", "B"]),
        ({"split": lambda texts: [text.split("b") for text in texts]}, "abc", ["a", "c"]),
    ],
)
def test_sentences_become_tokens(arguments, sentence, expected):
    layer = layers.TextVectorization(**arguments)
    assert layer.tokens_of([sentence]) == [expected]
    assert layer.tokens_of(np.array([[sentence.encode()]], "object")) == [expected]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [[2, 3, 2, 0], [1, 4, 3, 2]]),
        ({"output_sequence_length": 3}, [[2, 3, 2], [1, 4, 3]]),
        ({"output_sequence_length": 5}, [[2, 3, 2, 0, 0], [1, 4, 3, 2, 0]]),
        ({"output_mode": "count"}, [[0, 2, 1, 0], [1, 1, 1, 1]]),
        ({"output_mode": "multi_hot", "max_tokens": 5, "pad_to_max_tokens": True}, [[0, 1, 1, 0, 0], [1, 1, 1, 1, 0]]),
        ({"output_mode": "tf_idf", "idf_weights": [1.0, 2.0, 6.0]}, [[0, 2, 2, 0], [3, 1, 2, 6]]),
    ],
)
def test_tokens_become_numbers(arguments, expected):
    layer = layers.TextVectorization(vocabulary=["a", "b", "c"], **arguments)
    sentences = ["a b a", "x c b a"]
    for each in (layer, returned(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_allclose(each(sentences), expected, rtol=1e-6)
    np.testing.assert_allclose(layer("a b a"), layer(["a b a"])[0])


def test_words_that_are_split_already():
    layer = layers.TextVectorization(vocabulary=["a", "b"], split=None)
    assert layer([["a", "b"], ["x", "b"]]).tolist() == [[2, 3], [1, 3]]
    assert layer(["a", "x"]).tolist() == [2, 1]
    hot = layers.TextVectorization(vocabulary=["a", "b"], output_mode="one_hot")(["b", "a"])
    assert hot.tolist() == [[[0, 0, 1]], [[0, 1, 0]]]


def test_a_vocabulary_of_real_text_is_the_one_that_is_counted_otherwise():
    lines = [line for line in text("docs/design.md").splitlines() if line and line.isascii()]
    layer = layers.TextVectorization(max_tokens=500, output_mode="tf_idf").adapt(lines)
    documents = [re.sub(f"[{re.escape(string.punctuation)}]", "", line).lower().split() for line in lines]
    counts = collections.Counter(token for document in documents for token in document)
    words = sorted(counts, key=lambda token: (counts[token], token), reverse=True)[:499]
    assert layer.get_vocabulary() == ["[UNK]", *words]
    frequency = collections.Counter(token for document in documents for token in set(document))
    weights = [math.log(1 + len(documents) / (1 + frequency[word])) for word in words]
    expected = np.zeros((20, 500))
    for row, document in enumerate(documents[:20]):
        for token in document:
            index = words.index(token) + 1 if token in words else 0
            expected[row, index] += weights[index - 1] if index else np.mean(weights)
    # weights are rounded to float32, and multiplied by their counts
    np.testing.assert_allclose(layer(lines[:20]), expected, rtol=1e-6)


def test_a_model_reads():
    pages = {0: text("LICENSE"), 1: text("README.md")}
    sentences = [(line, label) for label, page in pages.items() for line in page.splitlines() if len(line) > 30]
    lines, labels = (np.array(column) for column in zip(*sentences, strict=True))
    vectorize = layers.TextVectorization(output_mode="multi_hot").adapt(lines)
    model = jkeras.Sequential([jkeras.Input((vectorize.vocabulary_size(),)), layers.Dense(2)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer = jkeras.Trainer(model, jkeras.optimizers.Adam(0.05), loss, ["accuracy"])
    x, state = vectorize(lines), trainer.init(jax.random.key(0))
    _, history = trainer.fit(state, x, labels, epochs=10, batch_size=len(x), verbose=0)
    assert history.history["accuracy"][-1] > 0.95, "legal and technical prose differ in their words"


def test_long_vocabularies_are_not_walked_by_every_call():
    words = [f"word{index}" for index in range(2000)]
    for layer in (layers.TextVectorization(vocabulary=words), layers.StringLookup(vocabulary=words)):
        held = {
            name for name, value in vars(layer).items() if isinstance(value, list | tuple | dict) and len(value) > 999
        }
        assert held <= layer._hidden
        assert arrays_in(layer) == []


def test_vectorization_refuses():
    for arguments in (
        {"standardize": "upper"},
        {"split": "word"},
        {"ngrams": 0},
        {"ngrams": [1, 2]},
        {"output_sequence_length": 0},
        {"output_sequence_length": 3, "output_mode": "count"},
        {"ragged": True},
        {"vocabulary": ["a", ""]},
    ):
        with pytest.raises(ArgumentError):
            layers.TextVectorization(**arguments)
    layer = layers.TextVectorization(vocabulary=["a"])
    with pytest.raises(ShapeError, match="must be sentences"):
        layer([["a", "b"]])
    with pytest.raises(ArgumentError, match="`adapt` cannot find"):
        layer.adapt(["a"])
    with pytest.raises(BuildError, match="must have a vocabulary"):
        layers.TextVectorization()(["a"])
    with pytest.raises(DataError):
        layers.TextVectorization().adapt("a sentence alone")


@jkeras.registry.register_keras_serializable("texts")
def shout(texts):
    return np.char.upper(texts)


def test_functions_are_in_the_config():
    layer = layers.TextVectorization(standardize=shout, vocabulary=["A"], ngrams=(1, 2))
    again = returned(layer)
    assert again.standardize is shout and again.ngrams == (1, 2)
    assert again(["a"]).tolist() == [[2]]


def test_configs_have_the_keys_of_keras():
    base = {"name", "trainable", "dtype"}
    lookup = {
        *("invert", "max_tokens", "num_oov_indices", "oov_token", "mask_token", "output_mode", "sparse"),
        *("pad_to_max_tokens", "idf_weights", "vocabulary", "vocabulary_size", "oov_method", "salt"),
    }
    assert set(layers.StringLookup().get_config()) == base | lookup | {"encoding"}
    assert set(layers.IntegerLookup().get_config()) == base | lookup | {"vocabulary_dtype"}
    assert set(layers.TextVectorization().get_config()) == base | {
        *("max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length"),
        *("pad_to_max_tokens", "sparse", "ragged", "vocabulary", "idf_weights", "encoding", "vocabulary_size"),
    }
    assert set(layers.Hashing(3).get_config()) == base | {"num_bins", "salt", "mask_value", "output_mode", "sparse"}
    assert set(layers.HashedCrossing(3).get_config()) == {"num_bins", "output_mode", "sparse", "name", "dtype"}


def test_functions_of_any_name_survive_adapt():
    data = np.array(["A-b", "a-a"])
    layer = layers.TextVectorization(standardize=np.char.lower, split=lambda texts: [text.split("-") for text in texts])
    adapted = layer.adapt(data)
    assert adapted.get_vocabulary() == ["", "[UNK]", "a", "b"]
    assert adapted.standardize is layer.standardize and adapted.split is layer.split
    assert layer.vocabulary is None
