"""The real way from a folder of weights to words, with tiny models that the tests build."""

import numpy as np
import pytest

from ssml.evaluation import asr
from ssml.files.errors import UserError
from tests.networks import wav2vec

transformers = pytest.importorskip("transformers", reason="needs the extra [asr]")
ctranslate2 = pytest.importorskip("ctranslate2", reason="needs the extra [asr]")
NETWORKS = ("transformers", "faster-whisper")
MARKS = [
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
]  # of every Whisper; marks of time follow them


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return wav2vec(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """A Whisper of random weights, whose tokens are bytes, converted for CTranslate2."""
    import tokenizers
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("whisper")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokens = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={x: i for i, x in enumerate(letters)}, merges=[])
    )
    tokens.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = tokenizers.decoders.ByteLevel()
    tokens.add_special_tokens([*MARKS, *(f"<|{i / 50:.2f}|>" for i in range(1501))])
    end, start = map(tokens.token_to_id, MARKS[:2])
    config = transformers.WhisperConfig(
        vocab_size=tokens.get_vocab_size(),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        init_std=0.5,
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
        decoder_start_token_id=start,
    )
    network = transformers.WhisperForConditionalGeneration(config)
    network.generation_config = transformers.GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[0, 0]],
        lang_to_id={"<|en|>": tokens.token_to_id("<|en|>")},
    )
    network.save_pretrained(folder / "torch")
    transformers.WhisperFeatureExtractor().save_pretrained(folder / "torch")
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), MARKS[0])
    transformers.WhisperTokenizerFast(tokenizer_object=tokens, **special).save_pretrained(
        folder / "torch"
    )
    ctranslate2.converters.TransformersConverter(
        str(folder / "torch"), copy_files=["tokenizer.json", "preprocessor_config.json"]
    ).convert(str(folder / "tiny"))
    return folder / "tiny"


@pytest.fixture(scope="module", params=NETWORKS)
def tiny(request, folder, whisper):
    if request.param == "transformers":
        return asr.ASR["transformers"](model=str(folder), batch=2)
    return asr.ASR["faster-whisper"](model=str(whisper))


def noise(seed, n=16000):
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


def test_one_at_a_time_and_a_batch_give_the_same_words(tiny):
    """Padding to the longest must not be heard."""
    signals = [noise(0), noise(1, 9000), noise(2), noise(3, 9000), noise(4, 12000)]
    together = tiny.many(signals, 16000)
    assert together == [tiny(signal, 16000) for signal in signals]
    assert all(together) and len(set(together)) == 5


def test_level_does_not_matter(tiny):
    assert tiny(100 * noise(0), 16000) == tiny(noise(0), 16000)


def test_what_holds_no_speech_is_an_empty_transcript_and_keeps_its_place(tiny):
    silence, short = np.zeros(16000), noise(3, 100)
    heard = tiny.many([silence, noise(0), short, np.full(16000, np.nan)], 16000)
    assert heard == ["", tiny(noise(0), 16000), "", ""]


def test_another_rate_is_refused(tiny):
    with pytest.raises(UserError, match="16000 Hz"):
        tiny(noise(0), 8000)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_no_model_is_one_clear_line(tmp_path, name):
    (tmp_path / "config.json").write_text("{}")
    for model, words in ((tmp_path, "cannot be loaded"), ("", "transcribe.options.model: missing")):
        with pytest.raises(UserError, match=words) as caught:
            asr.ASR[name](model=str(model))
        assert "\n" not in str(caught.value)


def test_an_unknown_option_is_refused(whisper):
    with pytest.raises(UserError, match="transcribe.options.beams: no such"):
        asr.ASR["faster-whisper"](model=str(whisper), beams=5)


def test_a_pickle_is_never_read(tmp_path, folder):
    """The same model with its weights as torch saves them is refused."""
    import shutil

    import torch

    shutil.copytree(folder, tmp_path / "pickled")
    weights = tmp_path / "pickled/model.safetensors"
    torch.save({}, weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(UserError, match="cannot be loaded"):
        asr.ASR["transformers"](model=str(tmp_path / "pickled"))
