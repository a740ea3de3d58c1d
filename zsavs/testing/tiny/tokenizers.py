"""Toy tokenizers: real fast tokenizers with a vocabulary of about two thousand pieces, made without any file.

Common words are one token each; every other word is spelt in pairs of letters, and anything else in bytes. So two
texts share their ids only if they differ in nothing but case and white space, or if they were cut to the maximal
length, and nothing is ever unknown. They can be saved with ``save_pretrained`` and carry offset mappings.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["bert_tokenizer", "clip_tokenizer", "gemma_tokenizer", "roberta_tokenizer"]

#: One token each, so that a prompt of a few words fits into the shortest text tower (16 tokens).
_WORDS = (
    "a an the of in on at and with near is are this that there i can hear you see it to from by for sound "
    "sounds noise photo picture image man woman child baby person people boy girl dog cat bird horse cow "
    "sheep pig car bus truck train plane boat guitar piano violin drum drums flute trumpet engine siren "
    "bell keyboard water rain wind barking meowing crying playing play sing singing sings speaking speech "
    "talking laughing running music "
)

#: Longer words are cut here, so that the search for the longest piece stays cheap for any input.
_LONGEST_WORD = 64


def _pieces(words: Sequence[str]) -> list[str]:
    """The word pieces in a fixed order; "##" marks a piece that continues a word."""
    from tokenizers.pre_tokenizers import ByteLevel

    starts = [*sorted(ByteLevel.alphabet()), *map("".join, itertools.product(string.ascii_lowercase, repeat=2))]
    whole = (word for word in dict.fromkeys((*_WORDS.split(), *words)) if word not in starts)
    return [*starts, *(f"##{piece}" for piece in starts), *whole]


def _word_pieces(
    first_ids: dict[str, int],
    last: tuple[str, ...],
    words: Sequence[str],
    *,
    start: str,
    end: str,
    max_length: int,
    **roles: str,
) -> PreTrainedTokenizerFast:
    """Build a tokenizer.

    Args:
        first_ids: tokens whose ids are given.
        last: tokens that get the largest ids, in this order.
        words: further words that are one token each.
        start, end: tokens put around every text.
        max_length: the most tokens of a text, special ones included.
        roles: ``pad_token`` and so on.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    taken = set(first_ids.values())
    free = (number for number in itertools.count() if number not in taken)
    vocabulary = dict(first_ids)
    vocabulary |= {piece: next(free) for piece in _pieces(words) if piece not in first_ids}
    top = max(vocabulary.values()) + 1
    vocabulary |= {token: top + i for i, token in enumerate(last)}

    model = models.WordPiece(vocabulary, unk_token=roles["unk_token"], max_input_chars_per_word=4 * _LONGEST_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.BertPreTokenizer(),
            pre_tokenizers.Split(Regex(f".{{1,{_LONGEST_WORD}}}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **roles,
    )


def bert_tokenizer(words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A tokenizer in the manner of BERT: [CLS] 101, [SEP] 102, '.' 1012, '?' 1029, as Grounding DINO hard-codes them.

    At most 512 tokens; returns ``token_type_ids`` too.

    Args:
        words: lower-case words that are one token each, beside some common ones.
    """
    ids = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    tokenizer = _word_pieces(
        ids,
        (),
        words,
        start="[CLS]",
        end="[SEP]",
        max_length=512,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer


def roberta_tokenizer(words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A tokenizer in the manner of RoBERTa: <s> 0, <pad> 1, </s> 2, at most 512 tokens.

    Args:
        words: as for :func:`bert_tokenizer`.
    """
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    return _word_pieces(
        ids,
        (),
        words,
        start="<s>",
        end="</s>",
        max_length=512,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        mask_token="<mask>",
    )


def clip_tokenizer(max_length: int = 16, words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A tokenizer in the manner of CLIP: padding is 0 and the end of text has the largest id, where CLIP pools.

    Args:
        max_length: the most tokens of a text, start and end included.
        words: as for :func:`bert_tokenizer`.
    """
    return _word_pieces(
        {"<|pad|>": 0, "<|unknown|>": 1},
        ("<|startoftext|>", "<|endoftext|>"),
        words,
        start="<|startoftext|>",
        end="<|endoftext|>",
        max_length=max_length,
        unk_token="<|unknown|>",
        pad_token="<|pad|>",
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
    )


def gemma_tokenizer(max_length: int = 64) -> PreTrainedTokenizerFast:
    """Gemma's tokenizer as SigLIP 2 has it: <pad> 0, <eos> 1 at the end of a text, no mark at its beginning.

    Common words are a token each; others are spelt in letters and bytes, as there.

    Args:
        max_length: the most tokens of a text, its end included.
    """
    from transformers import GemmaTokenizer

    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*marks, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *string.ascii_letters]
    merges: dict[tuple[str, str], None] = {}
    for word in dict.fromkeys(_WORDS.split()):
        spelt = "▁"
        for letter in word:
            merges.setdefault((spelt, letter))
            spelt += letter
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys([*pieces, *map("".join, merges)]))}
    tokenizer: PreTrainedTokenizerFast = GemmaTokenizer(
        vocab=vocabulary,
        merges=list(merges),
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_max_length=max_length,
    )
    return tokenizer
