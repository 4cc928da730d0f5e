from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="session")
def pairs(number_tokens, prompt_pairs):
    """Tokens and answer tokens of the clean prompts and their counterfactuals."""
    clean, other = prompt_pairs
    ids = torch.from_numpy(number_tokens.number_ids)
    return SimpleNamespace(
        tokens=number_tokens.encode(clean),
        other=number_tokens.encode(other),
        answers=ids[torch.tensor(clean["answer"].to_numpy(copy=True))],
        other_answers=ids[torch.tensor(other["answer"].to_numpy(copy=True))],
    )
