"""Residual artifacts: what is stored is what the model computes, beside the right answers."""

import numpy as np
import pytest
import torch

from pipeline_lib.artifacts.residuals import open_residuals, write_residuals
from pipeline_lib.errors import ArtifactError
from pipeline_lib.interventions import capture
from pipeline_lib.stimuli.arithmetic import POSITIONS, valid_prompts


@pytest.fixture(scope="module")
def prompts():
    """A few prompts of subtraction, whose answers differ from row to row."""
    valid = valid_prompts("sub", min_operand=0, max_operand=10, max_number=9)
    return valid.iloc[::3].reset_index(drop=True)


def _write(path, model, tokens, prompts):
    write_residuals(
        path, model, tokens, prompts, positions=POSITIONS, dtype="float32", provenance={}
    )


def test_rows_are_the_model_s_own_residuals_and_answers(
    tiny_model, number_tokens, prompts, tmp_path
):
    tokens = number_tokens.encode(prompts, [""] * len(prompts))
    _write(tmp_path / "r.h5", tiny_model, tokens, prompts)
    with open_residuals(tmp_path / "r.h5") as residuals:
        assert residuals.positions == POSITIONS
        assert (residuals.n_layers, residuals.d_model) == (tiny_model.n_layers, tiny_model.d_model)
        np.testing.assert_array_equal(
            residuals.answers, prompts["a"].to_numpy() - prompts["b"].to_numpy()
        )
        for row in (0, len(prompts) - 1):
            # one prompt alone: row i of the file is prompt i, whatever the batches were
            alone = capture(tiny_model, tokens[row : row + 1], ["resid_post"]).site("resid_post")
            found = torch.from_numpy(residuals.layers(slice(1, 2))[row, :, 0])
            torch.testing.assert_close(found, alone[0, -4:, 1], atol=1e-5, rtol=1e-4)


def test_no_prompts_at_all(llama_model, number_tokens, prompts, tmp_path):
    tokens = number_tokens.encode(prompts, [""] * len(prompts))[:0]
    _write(tmp_path / "r.h5", llama_model, tokens, prompts[:0])
    with open_residuals(tmp_path / "r.h5") as residuals:
        assert residuals.layers(slice(0, 1)).shape == (0, 4, 1, llama_model.d_model)
        assert len(residuals.answers) == 0


def test_another_file_is_refused(tmp_path):
    (tmp_path / "r.h5").write_text("nothing")
    with pytest.raises(ArtifactError), open_residuals(tmp_path / "r.h5"):
        pass
