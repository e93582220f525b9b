"""Every row of what Keras's Trainer, losses, metrics, optimizers and callbacks do has a test, or a reason to differ.

The rows are numbered as in the table of Keras's behaviour that the design was written from: T for the Trainer and its
data, C for what it relies on. A row whose number is the name or the parameter of a test is found there; the others are
listed here. A row may differ from Keras in part: then it is in `docs/design.md` as well.
"""

import ast
import functools
import re

import pytest

from tests.repository import ROOT

TESTS = {
    "T06": "training/test_parity.py::test_histories_of_fit",
    "T09": "training/test_updates.py::test_float16_scales_its_loss",
    "T11": "training/test_wrong_use.py::test_compile_config",
    "T19": "training/test_fit.py::test_logs_of_ones_own",
    "T22": "training/test_fit.py::test_fit_equals_the_step_in_a_loop",
    "T23": "training/test_fit.py::test_a_step_of_ones_own",
    "T24": "training/test_parity.py::test_histories_of_fit",
    "T25": "data/test_host.py::test_arrays_of_any_library_become_arrays",
    "T30": "training/test_fit.py::test_a_line_per_epoch_where_nobody_watches",
    "T31": "training/test_wrong_use.py::test_split_leaves_nothing",
    "T34": "training/test_fit.py::test_an_order_depends_on_seed_and_epoch_alone",
    "T38": "data/test_source.py::test_a_batch_has_the_parts_that_keras_finds_in_it",
    "T39": "training/test_wrong_use.py::test_lengths_differ",
    "T40": "training/test_fit.py::test_steps_per_execution_changes_no_number",
    "T43": "callbacks/test_in_fit.py::test_a_training_stops_within_an_epoch",
    "T44": "callbacks/test_in_fit.py::test_the_order_of_hooks_is_that_of_keras",
    "T45": "callbacks/test_in_fit.py::test_a_state_from_any_other_hook_stays",
    "T46": "training/test_bad_inputs.py::test_an_exception_brings_the_state_of_the_last_step",
    "T48": "callbacks/test_in_fit.py::test_a_training_that_died_goes_on",
    "T52": "training/test_fit.py::test_no_trainable_variables",
    "T54": "data/test_py_dataset.py::test_processes_make_the_batches_and_live_across_epochs",
    "T56": "training/test_parity.py::test_evaluate_and_predict",
    "T58": "training/test_rows_fit.py::test_T62_prediction_is_deterministic_and_changes_nothing",
    "T64": "data/test_source.py::test_a_generator_without_steps_is_one_epoch",
    "T67": "data/test_source.py::test_class_weights_become_sample_weights",
    "T68": "data/test_source.py::test_weights_without_labels_are_kept",
    "T69": "data/test_source.py::test_a_source_of_ones_own",
    "T70": "data/test_source.py::test_what_holds_no_data_is_refused_with_what_does",
    "C01": "test_losses.py::test_weights_masks_and_reductions_are_those_of_keras",
    "C02": "test_losses.py::test_trees_of_labels_and_predictions_reach_the_function_as_trees",
    "C03": "test_losses.py::test_names_mean_what_they_mean_to_keras",
    "C04": "test_losses.py::test_values_and_gradients_are_those_of_keras",
    "C05": "test_metrics.py::test_every_update_gives_what_keras_gives",
    "C07": "contract/test_objectives.py::test_no_array_is_held",
    "C08": "test_metrics.py::test_values_of_higher_rank_and_weights_of_every_rank",
    "C09": "test_optimizers.py::test_twelve_steps_are_keras_s",
    "C10": "test_optimizers.py::test_a_new_learning_rate_compiles_nothing",
    "C11": "test_optimizers.py::test_twelve_steps_are_keras_s",
    "C12": "training/test_rows_fit.py::test_T49_T50_penalties_constraints_and_clipping",
    "C13": "training/test_updates.py::test_float16_scales_its_loss",
    "C14": "training/test_updates.py::test_an_optimizer_for_each_group",
    "C16": "test_schedules.py::test_values_are_keras_s",
    "C17": "test_optimizers.py::test_keras_s_names_find_our_classes",
    "C18": "callbacks/test_in_fit.py::test_the_order_of_hooks_is_that_of_keras",
    "C19": "callbacks/test_decisions.py::test_early_stopping",
    "C20": "callbacks/test_decisions.py::test_model_checkpoint_by_epoch",
    "C21": "callbacks/test_decisions.py::test_reduce_lr_on_plateau",
    "C22": "test_regularizers.py::test_penalties_and_gradients_are_keras_s",
    "C23": "test_constraints.py::test_projections_are_keras_s",
    "C24": "test_activations.py::test_values_and_gradients_are_keras_s",
    "C25": "core/test_config.py::test_L42_policy_maps_are_configs_too",
}
ROWS = [f"T{number:02}" for number in range(1, 75)] + [f"C{number:02}" for number in range(1, 27)]


@functools.cache
def named() -> frozenset[str]:
    """The rows in the names and parameters of the tests in this folder."""
    files = (ROOT / "tests" / "training").glob("test_rows_*.py")
    return frozenset(row for file in files for row in re.findall(r"[TC]\d\d(?=[-_ ])", file.read_text()))


@functools.cache
def reasons() -> str:
    design = (ROOT / "docs" / "design.md").read_text()
    return design.split("\n## 9")[1].split("\n## ")[0]


def in_design(row: str) -> bool:
    """Whether the design names a row, alone or within a range such as `T71-T74`."""
    ranges = re.findall(r"([TC])(\d\d)-[TC](\d\d)", reasons())
    within = any(row[0] == letter and int(first) <= int(row[1:]) <= int(last) for letter, first, last in ranges)
    return within or re.search(rf"\b{row}\b", reasons()) is not None


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test_or_a_reason(row):
    assert row in named() or row in TESTS or in_design(row)


@pytest.mark.parametrize("place", sorted(set(TESTS.values())))
def test_the_tests_exist(place):
    file, name = place.split("::")
    found = ast.walk(ast.parse((ROOT / "tests" / file).read_text()))
    assert name in {node.name for node in found if isinstance(node, ast.FunctionDef)}
