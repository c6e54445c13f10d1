"""Both directions in one model: the first source token says into which language (Johnson et al. 2017, section 3)."""

from tokenizers import Tokenizer, processors


def language_tag(language: str) -> str:
    """The token that asks for a translation into a language.

    No text becomes this token: `<`, the word after it and `>` are pieces of their own.
    """
    return f"<2{language}>"


def tag_into(tokenizer: Tokenizer, language: str) -> int | None:
    """The id of the tag for a language; None where the vocabulary has none."""
    number: int | None = tokenizer.token_to_id(language_tag(language))
    return number


def with_tag(tokenizer: Tokenizer, language: str) -> Tokenizer:
    """A copy of a tokenizer that puts the tag for a language before each text."""
    tag, copy = language_tag(language), Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = processors.TemplateProcessing(
        single=[tag, "$A"], special_tokens=[(tag, tokenizer.token_to_id(tag))]
    )
    copy.encode_special_tokens = tokenizer.encode_special_tokens
    return copy
