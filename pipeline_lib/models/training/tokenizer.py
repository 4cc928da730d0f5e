"""Tokenizer of the built-in arithmetic model: one token for every number 0..max_number."""

from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from pipeline_lib.stimuli.arithmetic import OPERATORS

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
EQUALS = "="


def vocabulary(max_number: int) -> dict[str, int]:
    """Token -> id: pad, bos, eos, the operators, "=", the numbers 0..max_number, unk (the last)."""
    symbols = [operator.symbol for operator in OPERATORS.values()]
    numbers = [str(number) for number in range(max_number + 1)]
    tokens = [PAD, BOS, EOS, *symbols, EQUALS, *numbers, UNK]
    return {token: index for index, token in enumerate(tokens)}


def build_tokenizer(max_number: int = 999, max_length: int = 64) -> PreTrainedTokenizerFast:
    """Fast tokenizer that splits a text into runs of digits and single other characters.

    BOS is added in front of every text. What is not in the vocabulary (a space, a number above
    ``max_number``, "007") becomes ``<unk>``: it is never dropped, so that it can be noticed.
    """
    vocab = vocabulary(max_number)
    tokenizer = Tokenizer(WordLevel(vocab, unk_token=UNK))
    # A lone digit class keeps runs of digits whole: "226" is one word, and one token.
    tokenizer.pre_tokenizer = Split(Regex(r"[0-9]+|[^0-9]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {BOS} $B:1",
        special_tokens=[(BOS, vocab[BOS])],
    )
    return as_pretrained(tokenizer, max_length)


def as_pretrained(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer as transformers has it, with the special tokens and padding on the left."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
