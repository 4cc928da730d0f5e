import pytest


@pytest.fixture(scope="session")
def pairs_tokens(number_tokens, prompt_pairs):
    """Tokens of seven prompts."""
    return number_tokens.encode(prompt_pairs[0])
